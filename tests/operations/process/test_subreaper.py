"""Orphans of operations fall to this process, as long as there are any, and are reaped."""

import os
import signal
import sys
from pathlib import Path

import pytest

from headway.operations.process import Process
from headway.operations.process.subreaper import be_subreaper, is_subreaper
from tests.operations.process import census
from tests.operations.process.waiting import until, within


async def test_we_are_a_subreaper_while_an_operation_runs_and_not_afterwards(env: dict[str, str]) -> None:
    assert not is_subreaper()
    one = await Process.start(["sleep", "1000"], env=env)
    other = await Process.start(["sleep", "1000"], env=env)
    assert is_subreaper()
    await within(one.stop(30))
    await within(one.wait())
    assert is_subreaper()
    await within(other.stop(30))
    await within(other.wait())
    await until(lambda: not is_subreaper(), "it is given up")


async def test_a_host_that_is_a_subreaper_itself_stays_one(env: dict[str, str]) -> None:
    be_subreaper(True)
    try:
        process = await Process.start(["true"], env=env)
        await within(process.wait())
        await until(lambda: not census.threads(), "nothing is watched any more")
        assert is_subreaper()
    finally:
        be_subreaper(False)


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
    await within(process.stop(30))


async def test_the_zombie_of_what_made_a_session_is_reaped_while_its_daemon_runs(
    env: dict[str, str], tmp_path: Path
) -> None:
    # The classic daemon: its first parent leaves, it makes a session, forks again, and leaves the daemon to itself.
    daemon = """
import os, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(1000)
"""
    before = census.children()
    command = ["sh", "-c", '"$@"; sleep 1000', "sh", sys.executable, "-I", "-S", "-c", daemon, str(tmp_path / "pid")]
    process = await Process.start(command, env=env)
    await until((tmp_path / "pid").exists, "the daemon runs")
    ours = {process.pid, int((tmp_path / "pid").read_text())}
    await until(lambda: census.children() - before == ours, "the one between is reaped")
    await within(process.stop(30))


async def test_a_daemon_left_behind_goes_on_and_is_reaped_when_it_dies(env: dict[str, str], tag: str) -> None:
    process = await Process.start(["sh", "-c", "setsid -f sleep 1000"], env=env)
    assert (await within(process.wait())).code == 0
    await until(lambda: len(census.tagged(tag)) == 1, "it runs")
    [daemon] = census.tagged(tag)
    await until(lambda: (census.states(daemon) or ("", 0))[1] == os.getpid(), "it has fallen to us")
    assert is_subreaper()
    os.kill(daemon, signal.SIGTERM)
    await until(lambda: census.states(daemon) is None, "it is reaped")
    await until(lambda: not is_subreaper(), "there is nothing to wait for")


async def test_a_forked_child_begins_anew(env: dict[str, str]) -> None:
    process = await Process.start(["sleep", "1000"], env=env)
    child = os.fork()
    if not child:
        os._exit(0 if not census.threads() and not is_subreaper() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    await within(process.stop(30))
