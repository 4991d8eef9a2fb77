"""When the disk is full, reads, streams, cancels and ends go on; starts are refused; it heals by itself."""

import asyncio
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headway.core.activity import State
from headway.core.errors import StorageFull
from headway.core.lifecycle import Report
from headway.core.policy import EVERYTHING
from headway.ports import HistoryQuery
from headway.stores import sqlite
from headway.stores.sqlite import SqliteStore
from tests.hubs import hub, until
from tests.stores.disks import Disk

ROOT = Path(__file__).parents[2]


def test_on_a_small_disk_that_is_really_full(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    trial = [unshare or "", "-m", "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    if unshare is None or subprocess.run(trial, capture_output=True).returncode != 0:
        pytest.skip("a small disk cannot be mounted here: that takes root and mount namespaces")
    script = [unshare, "-m", sys.executable, "-m", "tests.stores.full_disk", str(tmp_path)]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr[-3000:]) == ("as promised\n", done.stderr[-3000:])
    assert done.returncode == 0


async def test_on_a_disk_without_a_page_to_spare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "CHECKPOINT", 0.02)
    store = SqliteStore(tmp_path / "data")
    async with hub(store) as activities:
        started = [await activities.run() for _ in range(50)]
        store._reserve = disk = Disk(store)
        await disk.fill()
        with pytest.raises(StorageFull):
            for _ in range(1000):
                await activities.run()
        assert disk.given_up
        before = len(activities.list())

        waiting = asyncio.ensure_future(anext(activities.watch()))
        await asyncio.sleep(0)
        for activity in started:
            activities.report(activity.uuid, Report(progress=50))
            await activities.request_cancel(activity.uuid)
            ended = await activities.finish(activity.uuid, State.CANCELLED)
            assert ended.progress.percent == 50
            with pytest.raises(StorageFull):
                await activities.run()
        await waiting
        assert len(activities.list()) == before - 50
        assert len(await activities.history(HistoryQuery(EVERYTHING, limit=100))) == 50

        disk.has_room = True
        await until(lambda: not store._full)
        assert disk.held
        await activities.run()


async def test_starts_and_ends_that_come_together_are_told_apart(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "data")
    async with hub(store) as activities:
        started = [await activities.run() for _ in range(20)]
        store._reserve = disk = Disk(store)
        await disk.fill()
        ends = [activities.finish(activity.uuid, State.SUCCEEDED) for activity in started]
        starts = [activities.run() for _ in range(100)]
        answers = await asyncio.gather(*ends, *starts, return_exceptions=True)
        assert not [answer for answer in answers[:20] if isinstance(answer, BaseException)]
        assert any(isinstance(answer, StorageFull) for answer in answers[20:])
        disk.has_room = True


async def test_an_end_is_taken_from_the_reserve_also_when_the_checkpoint_found_the_disk_full(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "data")
    async with hub(store) as activities:
        activity = await activities.run()
        store._reserve = disk = Disk(store)
        await disk.fill()
        store._full = True  # as the checkpoint says it, which leaves the reserve to changes that matter more
        store._checkpoint_due = time.monotonic() + 3600
        ends = [activities.finish(activity.uuid, State.FAILED, error="x" * 10_000)]
        (ended,) = await asyncio.gather(*ends)
        assert (ended.state, disk.given_up) == (State.FAILED, True)
        disk.has_room = True
