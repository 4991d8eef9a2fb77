"""Orphans of operations fall to this process, as long as there are any, and are reaped."""

import os
import signal
from pathlib import Path

import pytest

from headway.operations.process import Process, subreaper
from tests.operations.process import census
from tests.operations.process.waiting import until


def is_subreaper() -> bool:
    return subreaper._get() == 1


async def test_we_are_a_subreaper_while_an_operation_runs_and_not_afterwards(env: dict[str, str]) -> None:
    assert not is_subreaper()
    one = await Process.start(["sleep", "1000"], env=env)
    other = await Process.start(["sleep", "1000"], env=env)
    assert is_subreaper()
    await one.stop(30)
    await one.wait()
    assert is_subreaper()
    await other.stop(30)
    await other.wait()
    await until(lambda: not is_subreaper(), "it is given up")


async def test_a_host_that_is_a_subreaper_itself_stays_one(env: dict[str, str]) -> None:
    subreaper._set(1)
    try:
        process = await Process.start(["true"], env=env)
        await process.wait()
        await until(lambda: not census.threads(), "nothing is watched any more")
        assert is_subreaper()
    finally:
        subreaper._set(0)


async def test_a_command_that_could_not_be_started_leaves_nothing() -> None:
    with pytest.raises(Exception, match="not found"):
        await Process.start(["no-such-command-anywhere"])
    await until(lambda: not is_subreaper(), "it is given up")


async def test_orphans_are_reaped_while_the_operation_runs(env: dict[str, str], tmp_path: Path) -> None:
    # A bracket in the background makes an orphan of what it starts.
    script = 'for i in 1 2 3 4 5; do (sleep 0.01 &); done; sleep 0.1; touch "$1"; sleep 1000'
    before = census.children()
    process = await Process.start(["sh", "-c", script, "sh", str(tmp_path / "ready")], env=env)
    await until((tmp_path / "ready").exists, "they have died")
    await until(lambda: census.children() - before == {process.pid}, "they are reaped")
    await process.stop(30)


async def test_a_daemon_left_behind_goes_on_and_is_reaped_when_it_dies(env: dict[str, str], tag: str) -> None:
    process = await Process.start(["sh", "-c", "setsid -f sleep 1000"], env=env)
    assert (await process.wait()).code == 0
    await until(lambda: len(census.tagged(tag)) == 1, "it runs")
    [daemon] = census.tagged(tag)
    assert census.states(daemon) == ("S", os.getpid())
    assert is_subreaper()
    os.kill(daemon, signal.SIGTERM)
    await until(lambda: census.states(daemon) is None, "it is reaped")
    await until(lambda: not is_subreaper(), "there is nothing to wait for")


async def test_a_forked_child_begins_anew(env: dict[str, str]) -> None:
    process = await Process.start(["sleep", "1000"], env=env)
    child = os.fork()
    if not child:
        os._exit(0 if subreaper.subreaper._thread is None and not is_subreaper() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    await process.stop(30)
