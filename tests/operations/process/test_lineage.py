"""Whose process is whose: what belongs to an operation is found, what does not is left alone."""

import os
import signal
import subprocess
import sys

from headway.operations.process import Process, proc
from headway.operations.process.lineage import VARIABLE, Lineage, marked, marks
from headway.operations.process.world import World
from tests.operations.process import census
from tests.operations.process.waiting import until, within


async def test_other_children_of_this_process_are_neither_killed_nor_reaped(env: dict[str, str]) -> None:
    with (
        subprocess.Popen(["sleep", "1000"], start_new_session=True, env=env) as running,
        subprocess.Popen(["sh", "-c", "exit 5"], start_new_session=True, env=env) as ended,
    ):
        process = await Process.start(["sleep", "1000"], env=env)
        await until(lambda: (census.states(ended.pid) or "?")[0] == "Z", "it has ended")
        await within(process.stop(30))
        await within(process.wait())
        # The first fatal signal decides how it ends: had it got one of ours, this would come too late.
        running.send_signal(signal.SIGUSR2)
        assert (running.wait(), ended.wait()) == (-signal.SIGUSR2, 5)


async def test_another_operation_goes_on(env: dict[str, str], tag: str) -> None:
    one = await Process.start(["sh", "-c", "sleep 1000 & wait"], env=env)
    other = await Process.start(["sh", "-c", "setsid -f sleep 1000; sleep 1000"], env=env)
    await until(lambda: len(census.tagged(tag)) == 5, "all run")
    await within(one.stop(30))
    assert len(census.tagged(tag)) == 3
    await within(other.stop(30))


async def test_an_operation_within_an_operation_belongs_to_both() -> None:
    outer, environment = marked({})
    inner, both = marked(environment)
    assert both[VARIABLE].split(":") == [outer, inner]


async def test_what_an_inner_operation_left_behind_is_stopped_with_the_outer_one(env: dict[str, str], tag: str) -> None:
    inner = """
import asyncio
from headway.operations.process import Process

async def main():
    await Process.start(["sh", "-c", "sleep 1000 & sleep 1000"])

asyncio.run(main())
"""
    process = await Process.start([sys.executable, "-c", inner], env=env)
    await within(process.wait())
    await until(lambda: len(census.tagged(tag)) == 3, "they were left behind")
    assert (await within(process.stop(30))).outcome == "terminated"
    assert census.tagged(tag) == []


async def test_a_number_that_was_given_to_another_process_is_not_signalled(env: dict[str, str]) -> None:
    with subprocess.Popen(["sleep", "1000"], env=env) as stranger:
        entry = proc.read(stranger.pid)
        assert entry is not None
        earlier = proc.Entry(entry.pid, entry.parent, entry.group, entry.session, entry.started - 1, False)
        proc.send(earlier, signal.SIGKILL)
        proc.send(entry, signal.SIGUSR2)
        assert stranger.wait() == -signal.SIGUSR2


async def test_after_the_release_a_group_of_that_number_is_not_signalled(env: dict[str, str]) -> None:
    with subprocess.Popen(["sleep", "1000"], env=env, start_new_session=True) as stranger:
        lineage = Lineage(stranger.pid, stranger.pid, "mark")
        lineage.release()
        lineage.signal_group(signal.SIGKILL)
        assert lineage.find(World(proc.everything(), marks)) == []
        stranger.send_signal(signal.SIGUSR2)
        assert stranger.wait() == -signal.SIGUSR2


async def test_this_process_is_never_its_own_operation() -> None:
    mark, _ = marked(os.environ)
    lineage = Lineage(os.getpid(), os.getsid(0), mark, exclusive=True)
    found = lineage.find(World(proc.everything(), lambda _: [mark]))
    assert [entry for entry in found if entry.pid == os.getpid() or entry.session == os.getsid(0)] == []


async def test_a_process_whose_first_thread_has_left_still_runs(env: dict[str, str]) -> None:
    leaving = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""
    process = await Process.start([sys.executable, "-c", leaving], env=env)
    await until(lambda: (census.states(process.pid) or "?")[0] == "Z", "it looks like a zombie")
    entry = proc.read(process.pid)
    assert entry is not None
    assert not entry.dead
    assert (await within(process.stop(0.2))).outcome in ("terminated", "killed")
    assert not os.path.exists(f"/proc/{process.pid}")
