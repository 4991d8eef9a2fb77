"""What a command of this process prints is kept with its activity, while it runs and at its end."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headway.core.activity import State
from headway.core.errors import AlreadyEnded, Unavailable
from headway.operations.process.keeping import Keeper
from headway.wire import fitting
from headway.wire.requests import MAX_OUTPUT
from tests.hubs import FaultyStore, Hub, hub
from tests.operations.process.waiting import until, within

TALK = r"printf 'one\n10%%\r20%%\r30%%\n'; sleep 0.2; echo oops >&2; printf last; exit $0"


@pytest.fixture
async def activities(nothing_left: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    monkeypatch.setattr(fitting, "OUTPUT_PACE", 0.01)
    async with hub() as opened:
        yield opened


async def kept(activities: Hub, *argv: str | Path, env: dict[str, str], **invocation: Any) -> str:
    """What is kept of a command that has ended."""
    spawned = await activities.spawn_process("t", argv, env=env, **invocation)
    await within(spawned.wait())
    return await activities.output(spawned.uuid)


async def test_the_last_of_it_is_there_at_its_end(activities: Hub, env: dict[str, str]) -> None:
    for code in ("0", "3"):
        assert await kept(activities, "sh", "-c", TALK, code, env=env) == "one\n30%\noops\nlast"


async def test_it_is_kept_also_where_it_goes_nowhere_else(activities: Hub, env: dict[str, str]) -> None:
    nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "read_progress": "none"}
    assert await kept(activities, "sh", "-c", TALK, "0", env=env, **nowhere) == "one\n30%\noops\nlast"


async def test_what_the_command_writes_to_a_file_is_the_file_s(
    activities: Hub, env: dict[str, str], tmp_path: Path
) -> None:
    with (tmp_path / "log").open("wb") as log:
        assert await kept(activities, "sh", "-c", TALK, "0", env=env, stdout=log) == "oops\n"


async def test_it_need_not_be_kept(activities: Hub, env: dict[str, str]) -> None:
    assert await kept(activities, "sh", "-c", TALK, "0", env=env, keep_output=False) == ""


async def test_it_can_be_read_while_it_runs(activities: Hub, env: dict[str, str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    script = 'echo begun; read end <"$0"; echo $end'
    spawned = await activities.spawn_process("t", ["sh", "-c", script, tmp_path / "go"], env=env)

    async def begun() -> None:
        while await activities.output(spawned.uuid) != "begun\n":
            await asyncio.sleep(0.01)

    await within(begun())
    assert spawned.activity.state is State.RUNNING
    (tmp_path / "go").write_text("over\n")
    await within(spawned.wait())
    assert await activities.output(spawned.uuid) == "begun\nover\n"


async def test_what_a_stopped_command_said_is_kept(activities: Hub, env: dict[str, str], tmp_path: Path) -> None:
    script = 'trap "echo stopping; exit 1" TERM; touch "$0"; echo begun; while :; do sleep 0.01; done'
    ready = tmp_path / "ready"
    spawned = await activities.spawn_process("t", ["sh", "-c", script, ready], env=env)
    await until(ready.exists, "it is ready")
    await spawned.cancel()
    assert (await within(spawned.wait())).state is State.CANCELLED
    said = (await activities.output(spawned.uuid)).splitlines()
    assert (said[0], "stopping" in said) == ("begun", True)  # a shell may say in between that its `sleep` was stopped


async def test_of_a_flood_the_end_is_kept(activities: Hub, env: dict[str, str]) -> None:
    text = await kept(activities, "seq", "300000", env=env, stdout=subprocess.DEVNULL)
    assert text.endswith("299999\n300000\n")
    assert MAX_OUTPUT - 10 < len(text) <= MAX_OUTPUT


async def test_a_store_that_is_away_harms_nothing(nothing_left: None, env: dict[str, str]) -> None:
    store = FaultyStore()
    store.failing = lambda write: False
    async with hub(store) as activities:
        store.failure = Unavailable("away")
        assert await kept(activities, "sh", "-c", TALK, "0", env=env) == "one\n30%\noops\nlast"
        store.failure = None


# The keeper by itself.


async def test_what_could_not_be_written_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "OUTPUT_PACE", 0.01)
    written: list[str] = []

    async def write(text: str) -> None:
        written.append(text)
        if len(written) < 3:
            raise Unavailable("too much")

    keeper = Keeper(write)
    running = asyncio.ensure_future(keeper.run())
    keeper.transcript.look(1)(b"text")
    await until(lambda: len(written) == 3, "it is written")
    await keeper.tell()
    assert written == ["text"] * 3
    running.cancel()


async def test_what_is_refused_for_good_is_not_repeated() -> None:
    written: list[str] = []

    async def write(text: str) -> None:
        written.append(text)
        raise AlreadyEnded

    keeper = Keeper(write)
    for number in range(2):
        keeper.transcript.look(1)(b"%d" % number)
        for _ in range(2):
            await keeper.tell()
    assert written == ["0", "01"]
