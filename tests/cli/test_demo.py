"""The job of `make run`: it does what it says, moves while it does it, and can be stopped."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from headway import Activities, State
from headway.cli.demo import PIECE, Checksum
from headway.core.errors import Cancelled
from headway.ports import HistoryQuery


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "large").write_bytes(b"x" * (3 * PIECE + 5))
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "c").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


async def test_it_checksums_what_is_beneath_the_folder_and_says_how_far_it_is(folder: Path) -> None:
    async with Activities("memory:") as activities:
        await Checksum(folder)(activities)
        (ended,) = await activities.history(HistoryQuery(scope=1))
    contents = b"first" + b"x" * (3 * PIECE + 5)
    assert ended.state is State.SUCCEEDED
    assert ended.response == {"sha256": hashlib.sha256(contents).hexdigest(), "files": 3}
    assert ended.progress.completed == ended.progress.total == len(contents)


async def test_it_stops_within_a_piece(folder: Path) -> None:
    async with Activities("memory:") as activities:
        job = asyncio.create_task(Checksum(folder, rate=1.0)(activities))
        async for event in activities.watch(since=0):
            if getattr(event, "activity").progress.completed:  # noqa: B009 - a gap would fail here
                break
        (running,) = activities.list()
        await activities.request_cancel(running.uuid)
        with pytest.raises(Cancelled):
            await job
        (ended,) = await activities.history(HistoryQuery(scope=1))
    assert ended.state is State.CANCELLED
    assert 0 < (ended.progress.completed or 0) <= PIECE + 5


async def test_an_empty_folder_is_done_at_once(tmp_path: Path) -> None:
    async with Activities("memory:") as activities:
        await Checksum(tmp_path)(activities)
        (ended,) = await activities.history(HistoryQuery(scope=1))
    assert (ended.state, ended.progress.percent) == (State.SUCCEEDED, 100)
