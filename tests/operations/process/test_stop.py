"""After `stop`, nothing of the operation runs, whatever it does to go on."""

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from headway.operations.process import Process, Stopped, Tee
from tests.operations.process import census
from tests.operations.process.waiting import until, within

PYTHON = [sys.executable, "-I", "-S", "-c"]


def program(text: str, *arguments: object) -> list[str]:
    """A Python program of a few lines."""
    return [*PYTHON, textwrap.dedent(text), *map(str, arguments)]


async def stopped(process: Process, grace: float = 0.2) -> Stopped:
    """Stop it, and make sure that it is true."""
    result = await within(process.stop(grace))
    assert not census.runs(process.pid)
    return result


async def test_a_plain_command_ends_by_sigterm(env: dict[str, str], tag: str) -> None:
    process = await Process.start(["sleep", "1000"], env=env)
    assert (await stopped(process, 30)).outcome == "terminated"
    status = await within(process.wait())
    assert (status.code, status.signal) == (143, signal.SIGTERM)
    assert census.tagged(tag) == []


async def test_the_whole_group_ends(env: dict[str, str], tag: str) -> None:
    process = await Process.start(["sh", "-c", "sleep 1000 & sleep 1000 | sleep 1000"], env=env)
    await until(lambda: len(census.tagged(tag)) == 4, "all four run")
    assert (await stopped(process, 30)).outcome == "terminated"
    assert census.tagged(tag) == []


async def test_a_script_that_ignores_sigterm_is_killed_when_the_grace_is_over(
    env: dict[str, str], tag: str, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    script = 'trap "" TERM; touch "$1"; while :; do sleep 1000; done'
    process = await Process.start(["sh", "-c", script, "stubborn", str(ready)], env=env)
    await until(ready.exists, "the trap is set")
    result = await stopped(process)
    assert result.outcome == "killed"
    assert process.pid in result.survivors
    assert (await within(process.wait())).signal == signal.SIGKILL
    assert census.tagged(tag) == []


async def test_a_process_that_is_stopped_takes_the_signal_too(env: dict[str, str], tag: str) -> None:
    process = await Process.start(program("import os; os.kill(os.getpid(), 19)"), env=env)
    await until(lambda: census.states(process.pid) == ("T", os.getpid()), "it is stopped")
    assert (await stopped(process, 30)).outcome == "terminated"
    assert (await within(process.wait())).signal == signal.SIGTERM


async def test_stopped_children_take_the_signal_too(env: dict[str, str], tag: str) -> None:
    process = await Process.start(["sh", "-c", "(kill -STOP 0) & wait; sleep 1000"], env=env)
    await until(lambda: all((census.states(pid) or "?")[0] == "T" for pid in census.tagged(tag)), "all are stopped")
    assert (await stopped(process, 30)).outcome == "terminated"
    assert census.tagged(tag) == []


DAEMON = """
    import os, signal, sys, time
    if os.fork():
        signal.pause()
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with open(sys.argv[1] + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    while True:
        time.sleep(1000)
"""


async def written_pid(path: Path) -> int:
    await until(path.exists, "the daemon runs")
    return int(path.read_text())


async def test_a_daemon_that_left_the_session_and_ignores_sigterm_is_found_and_killed(
    env: dict[str, str], tag: str, tmp_path: Path
) -> None:
    process = await Process.start(program(DAEMON, tmp_path / "pid"), env=env)
    daemon = await written_pid(tmp_path / "pid")
    assert os.getsid(daemon) != os.getsid(process.pid)
    result = await stopped(process)
    assert (result.outcome, result.survivors) == ("killed", (daemon,))
    assert not census.runs(daemon)
    assert census.tagged(tag) == []


async def test_a_daemon_gets_sigterm_and_the_grace_as_well(env: dict[str, str], tmp_path: Path) -> None:
    polite = "    def leave(*_): os._exit(0)" + DAEMON.replace(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)", "signal.signal(15, leave)"
    )
    process = await Process.start(program(polite, tmp_path / "pid"), env=env)
    daemon = await written_pid(tmp_path / "pid")
    result = await stopped(process, 30)
    assert (result.outcome, result.survivors) == ("terminated", ())
    assert not census.runs(daemon)


async def test_a_daemon_without_our_environment_is_found_by_its_parent(env: dict[str, str], tmp_path: Path) -> None:
    orphan = DAEMON.replace("if os.fork():\n        os._exit(0)", "pass")
    bare = ["env", "-i", *program(orphan, tmp_path / "pid")]
    process = await Process.start(bare, env=env)
    daemon = await written_pid(tmp_path / "pid")
    assert (await stopped(process)).survivors == (daemon,)
    assert not census.runs(daemon)


async def test_where_the_command_is_all_that_we_run_a_daemon_without_our_environment_is_found_as_an_orphan(
    env: dict[str, str], tmp_path: Path
) -> None:
    process = await Process.start(["env", "-i", *program(DAEMON, tmp_path / "pid")], env=env, exclusive=True)
    daemon = await written_pid(tmp_path / "pid")
    assert (await stopped(process)).survivors == (daemon,)
    assert not census.runs(daemon)


async def test_what_forks_and_leaves_all_the_time_is_caught(env: dict[str, str], tag: str, tmp_path: Path) -> None:
    # Each process lives a moment, leaves for a session of its own, and hands over to the next one. They tire at last,
    # so that a failure of this test is none of the machine.
    hopping = """
        import os, signal, sys
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        hops = 0
        while hops < 20_000:
            if os.fork():
                os._exit(0)
            os.setsid()
            hops += 1
            if hops == 100:
                open(sys.argv[1], "w").close()
    """
    keeper = ["sh", "-c", '"$@" & sleep 1000', "keeper", *program(hopping, tmp_path / "ready")]
    process = await Process.start(keeper, env=env, exclusive=True)
    await until((tmp_path / "ready").exists, "it hops")
    assert (await stopped(process)).outcome == "killed"
    assert census.tagged(tag) == []


async def test_a_script_that_starts_new_children_while_it_is_killed_has_none_left(
    env: dict[str, str], tag: str, tmp_path: Path
) -> None:
    spawning = """
        trap : TERM
        trap 'for i in 1 2 3 4 5; do setsid sleep 1000 & sleep 1000 & done' CHLD TERM
        touch "$1"
        while :; do setsid sleep 0.01 & sleep 1000 & sleep 0.01; done
    """
    process = await Process.start(["bash", "-c", spawning, "spawning", str(tmp_path / "ready")], env=env)
    await until(lambda: len(census.tagged(tag)) > 50, "there are many")
    result = await stopped(process)
    assert result.outcome == "killed"
    assert census.tagged(tag) == []


async def test_work_that_finishes_on_sigterm_has_its_own_exit_code(env: dict[str, str], tmp_path: Path) -> None:
    script = 'trap "exit 0" TERM; touch "$1"; while :; do sleep 0.01; done'
    process = await Process.start(["sh", "-c", script, "finishing", str(tmp_path / "ready")], env=env)
    await until((tmp_path / "ready").exists, "the trap is set")
    assert (await stopped(process, 30)).outcome == "terminated"
    status = await within(process.wait())
    assert (status.code, status.signal) == (0, None)


async def test_cleaning_up_within_the_grace_is_not_disturbed(env: dict[str, str], tmp_path: Path) -> None:
    script = 'trap "sleep 0.5; touch $1.clean; exit 3" TERM; touch "$1"; while :; do sleep 0.01; done'
    process = await Process.start(["sh", "-c", script, "cleaning", str(tmp_path / "ready")], env=env)
    await until((tmp_path / "ready").exists, "the trap is set")
    assert (await stopped(process, 30)).outcome == "terminated"
    assert (tmp_path / "ready.clean").exists()
    assert (await within(process.wait())).code == 3


async def test_stopping_what_has_ended_is_harmless(env: dict[str, str]) -> None:
    process = await Process.start(["sh", "-c", "exit 7"], env=env)
    await within(process.wait())
    assert (await within(process.stop(30))).outcome == "exited"
    assert (await within(process.stop(30))).outcome == "exited"
    assert (await within(process.wait())).code == 7


async def test_what_an_ended_command_left_behind_can_still_be_stopped(
    env: dict[str, str], tag: str, tmp_path: Path
) -> None:
    leaving = DAEMON.replace("signal.pause()", "os._exit(0)")
    process = await Process.start(program(leaving, tmp_path / "pid"), env=env)
    assert (await within(process.wait())).code == 0
    daemon = await written_pid(tmp_path / "pid")
    result = await within(process.stop(0.2))
    assert (result.outcome, result.survivors) == ("killed", (daemon,))
    assert not census.runs(daemon)


async def test_concurrent_stops_are_one(env: dict[str, str], tmp_path: Path) -> None:
    script = 'trap "echo once >> $1; exit 0" TERM; touch "$1"; while :; do sleep 0.01; done'
    process = await Process.start(["sh", "-c", script, "counting", str(tmp_path / "count")], env=env)
    await until((tmp_path / "count").exists, "the trap is set")
    first, *others = await asyncio.gather(*(process.stop(30) for _ in range(20)))
    assert all(other is first for other in others)
    assert (tmp_path / "count").read_text() == "once\n"


async def test_a_second_stop_with_less_grace_is_in_a_hurry(env: dict[str, str], tmp_path: Path) -> None:
    script = 'trap "" TERM; touch "$1"; while :; do sleep 1000; done'
    process = await Process.start(["sh", "-c", script, "stubborn", str(tmp_path / "ready")], env=env)
    await until((tmp_path / "ready").exists, "the trap is set")
    patient = asyncio.ensure_future(process.stop(10_000))
    await asyncio.sleep(0)
    assert (await within(process.stop(0))).outcome == "killed"
    assert (await patient).outcome == "killed"


async def test_a_second_stop_with_more_grace_gives_none(env: dict[str, str], tmp_path: Path) -> None:
    script = 'trap "" TERM; touch "$1"; while :; do sleep 1000; done'
    process = await Process.start(["sh", "-c", script, "stubborn", str(tmp_path / "ready")], env=env)
    await until((tmp_path / "ready").exists, "the trap is set")
    hurried = asyncio.ensure_future(process.stop(0.2))
    await asyncio.sleep(0)
    assert (await within(process.stop(10_000))).outcome == "killed"
    await hurried


async def test_a_stop_goes_on_when_who_asked_for_it_is_cancelled(env: dict[str, str], tmp_path: Path) -> None:
    script = 'trap "" TERM; touch "$1"; while :; do sleep 1000; done'
    process = await Process.start(["sh", "-c", script, "stubborn", str(tmp_path / "ready")], env=env)
    await until((tmp_path / "ready").exists, "the trap is set")
    asking = asyncio.ensure_future(process.stop(0.2))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await within(process.wait())).signal == signal.SIGKILL


async def test_waiting_lasts_until_the_stop_is_complete(env: dict[str, str], tmp_path: Path) -> None:
    process = await Process.start(program(DAEMON, tmp_path / "pid"), env=env)
    daemon = await written_pid(tmp_path / "pid")
    stopping = asyncio.ensure_future(process.stop(0.2))
    await asyncio.sleep(0)
    await within(process.wait())
    assert not census.runs(daemon)
    await stopping


async def test_a_destination_that_takes_nothing_does_not_delay_a_stop(env: dict[str, str]) -> None:
    reading, full = os.pipe()
    process = await Process.start(["yes"], stdout=Tee(full), env=env)
    await until(lambda: census.states(process.pid) == ("S", os.getpid()), "the pipes are full")
    assert (await stopped(process, 30)).outcome == "terminated"
    os.close(reading)
    await within(process.wait())
    os.close(full)
