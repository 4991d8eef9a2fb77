"""The way to the hub's loop: from threads, from other loops, and from programs that have none."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from headway import EVERYTHING, current
from headway.core.activity import Activity, State
from headway.core.errors import Cancelled, NotFound, Unavailable
from headway.hub import Activities
from headway.portal import Portal
from headway.reporter import Reporter
from headway.stores.memory import MemoryStore
from tests.hubs import DEADLINE, FaultyStore, hub, until

ROOT = Path(__file__).parents[1]


async def running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


# Calls from threads


async def test_a_call_runs_on_the_hubs_loop() -> None:
    async with hub() as activities:
        loop = await asyncio.to_thread(activities.call, running_loop)
        assert loop is asyncio.get_running_loop()
        assert f"{loop!r}" in repr(activities.portal)


async def test_a_call_gives_what_the_method_gives_and_raises_what_it_raises() -> None:
    async with hub() as activities:
        activity = await activities.run()
        assert (await asyncio.to_thread(activities.call, activities.get, activity.uuid)).uuid == activity.uuid
        with pytest.raises(NotFound):
            await asyncio.to_thread(activities.call, activities.get, "unknown")


async def test_a_timeout_of_the_method_is_its_own() -> None:
    async def late() -> None:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    async with hub() as activities:
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(activities.call, late)


async def test_a_call_in_a_coroutine_is_refused_with_what_to_do_instead() -> None:
    async with hub() as activities:
        with pytest.raises(RuntimeError, match="use `await`"):
            activities.call(activities.get, "unknown")


async def test_a_call_in_a_callback_of_the_loop_is_refused_too() -> None:
    async with hub() as activities:
        refused: list[RuntimeError] = []

        def callback() -> None:
            try:
                activities.call(activities.get, "unknown")
            except RuntimeError as error:
                refused.append(error)

        asyncio.get_running_loop().call_soon(callback)
        await until(lambda: refused)


async def test_a_call_takes_the_context_of_its_thread_along() -> None:
    async def where() -> str:
        return current().uuid

    async with hub() as activities, activities.start("t") as it:
        assert await asyncio.to_thread(activities.call, where) == it.uuid


# Loops that end


def test_what_a_loop_that_ended_leaves_behind_says_so_and_waits_for_nobody() -> None:
    activities = Activities()
    asyncio.run(running(activities))
    with pytest.raises(Unavailable, match="event loop of these activities has ended"):
        activities.call(activities.get, "unknown")
    with pytest.raises(Unavailable, match="event loop of these activities has ended"):
        asyncio.run(running(activities))


async def running(activities: Activities) -> None:
    async with activities.start("t"):
        pass


def test_a_call_that_a_loop_never_came_to_is_answered() -> None:
    portal, loop = Portal(), asyncio.new_event_loop()

    async def live_here() -> None:
        portal.attach()

    loop.run_until_complete(live_here())
    with ThreadPoolExecutor(1) as pool:
        calling = pool.submit(portal.call, running_loop)
        while not loop._ready:  # type: ignore[attr-defined]
            threading.Event().wait(0.001)
        loop.close()  # with the call in its inbox
        with pytest.raises(Unavailable):
            calling.result(DEADLINE)


async def test_a_hub_may_be_opened_again_on_another_loop() -> None:
    activities = Activities()
    for _ in range(2):
        async with activities:
            assert await asyncio.to_thread(activities.call, running_loop) is asyncio.get_running_loop()

    async def again() -> None:
        async with activities, activities.start("t"):
            pass

    await asyncio.to_thread(asyncio.run, again())


# Other loops


async def elsewhere(activities: Activities, work: "asyncio.Event | None" = None) -> Activity:
    async with activities.start("t", title="elsewhere") as it:
        it.report(50)
        if work is not None:
            await work.wait()
    return it.activity


async def test_a_block_on_another_loop_is_recorded() -> None:
    async with hub() as activities:
        ended = await asyncio.to_thread(asyncio.run, elsewhere(activities))
        assert (ended.state, ended.title) == (State.SUCCEEDED, "elsewhere")
        assert await activities.story(ended.uuid) == ["started", "ended"]


async def test_a_block_on_another_loop_is_cancelled_and_only_the_block() -> None:
    async def main(activities: Activities) -> str:
        try:
            await elsewhere(activities, asyncio.Event())
        except Cancelled:
            await asyncio.sleep(0.01)
            task = asyncio.current_task()
            assert task is not None
            return f"{task.cancelling()} cancels left"
        return "not cancelled"

    async with hub() as activities:
        running = asyncio.create_task(asyncio.to_thread(asyncio.run, main(activities)))
        await until(activities.list)
        uuid = activities.list()[0].uuid
        await activities.request_cancel(uuid)
        assert await running == "0 cancels left"
        assert activities.now_is(uuid).state is State.CANCELLED


def never_inside(activities: Activities, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts are recorded, and whoever waits for that is not told."""
    run = activities.portal.run

    async def slow(function: Any, *args: Any) -> Any:
        told = await run(function, *args)
        if function.__name__ == "_begin":
            await asyncio.Event().wait()
        return told

    monkeypatch.setattr(activities.portal, "run", slow)


async def test_a_cancel_that_comes_while_a_block_is_entered_stops_only_the_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> int:
        with pytest.raises(Cancelled):
            await elsewhere(activities)
        await until(lambda: not activities.list())
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    async with hub() as activities:
        never_inside(activities, monkeypatch)
        running = asyncio.create_task(main())
        await until(activities.list)
        uuid = activities.list()[0].uuid
        await activities.request_cancel(uuid)
        assert await running == 0
        assert activities.now_is(uuid).state is State.CANCELLED


async def test_who_gives_up_entering_a_block_is_not_cancelled_by_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hub() as activities:
        never_inside(activities, monkeypatch)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await elsewhere(activities)
        await until(lambda: not activities.list())
        await asyncio.sleep(0.01)
        task = asyncio.current_task()
        assert task is not None and task.cancelling() == 0


async def test_a_refusal_on_another_loop_is_raised_there() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        store.failure = Unavailable("away")
        with pytest.raises(Unavailable, match="away"):
            await asyncio.to_thread(asyncio.run, elsewhere(activities))


async def test_a_start_on_another_loop_that_is_cancelled_as_it_comes_through_is_ended() -> None:
    """The start is on record, and the news of it on its way to the other loop, when nobody waits for it any more."""
    store = FaultyStore()

    async def main(activities: Activities) -> None:
        job = asyncio.create_task(elsewhere(activities))
        await asyncio.to_thread(begun.wait)
        await asyncio.sleep(0)
        store_may_answer.set()
        # This loop stands still until the other has answered, and the cancel comes before the answer is looked at.
        while not activities.list():
            threading.Event().wait(0.001)
        threading.Event().wait(0.05)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

    begun, store_may_answer = threading.Event(), threading.Event()
    async with hub(store) as activities:
        store.hold()
        running = asyncio.create_task(asyncio.to_thread(asyncio.run, main(activities)))
        await until(lambda: store.commits)
        begun.set()
        await until(store_may_answer.is_set)
        store.release()
        await running
        await until(lambda: not activities.list())
        uuid = store.commits[0][0].activity.uuid
        assert activities.now_is(uuid).state is State.CANCELLED


async def test_an_end_on_another_loop_is_recorded_also_when_its_job_is_cancelled_meanwhile() -> None:
    store = FaultyStore()

    async def main(activities: Activities) -> str:
        async def work() -> None:
            async with activities.start("t") as it:
                uuids.append(it.uuid)
                store.hold()

        uuids: list[str] = []
        job = asyncio.create_task(work())
        await until(lambda: len(store.commits) == 2)  # the end is on its way
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        return uuids[0]

    async with hub(store) as activities:
        uuid = await asyncio.to_thread(asyncio.run, main(activities))
        store.release()
        await until(lambda: activities.now_is(uuid).ended)
        assert activities.now_is(uuid).state is State.SUCCEEDED


def test_a_block_that_outlives_the_hubs_loop_on_another_one_is_left_in_peace() -> None:
    activities = Activities()
    inside, over = threading.Event(), threading.Event()

    async def block() -> None:
        async with activities.start("t"):
            inside.set()
            await asyncio.to_thread(over.wait)

    async def main() -> None:
        await activities.open()
        thread.start()
        await asyncio.to_thread(inside.wait)

    outcomes: list[object] = []

    def run() -> None:
        try:
            outcomes.append(asyncio.run(block()))
        except Exception as error:
            outcomes.append(error)

    thread = threading.Thread(target=run)
    asyncio.run(main())
    over.set()
    thread.join(DEADLINE)
    assert outcomes == [None]


# Programs without a loop


def test_a_program_without_a_loop_has_one_started_for_it_and_ended() -> None:
    store = MemoryStore()
    with Activities(store) as activities:
        assert activities.portal.private
        with activities.start("t") as it:
            assert activities.call(activities.get, it.uuid).state is State.RUNNING
        assert it.activity.state is State.SUCCEEDED
        assert "headway-loop" in [thread.name for thread in threading.enumerate()]
    assert "headway-loop" not in [thread.name for thread in threading.enumerate()]
    assert not activities.portal.private


def test_fifty_threads_that_need_a_loop_first_get_one() -> None:
    activities = Activities()
    together = threading.Barrier(50)

    def work() -> tuple[asyncio.AbstractEventLoop, Reporter]:
        together.wait(DEADLINE)
        with activities.start("t") as it:
            return activities.call(running_loop), it

    with ThreadPoolExecutor(50) as pool:
        results = [running.result(DEADLINE) for running in [pool.submit(work) for _ in range(50)]]
    assert len({loop for loop, _ in results}) == 1
    assert {it.activity.state for _, it in results} == {State.SUCCEEDED}
    activities.call(activities.close)
    activities.portal.stop()


def test_stopping_what_was_never_started_is_nothing() -> None:
    Portal().stop()


async def test_what_lives_on_a_private_loop_is_reached_from_others() -> None:
    activities = Activities()
    await asyncio.to_thread(activities.__enter__)
    with pytest.raises(RuntimeError, match="another event loop"):
        await activities.open()
    ended = await elsewhere(activities)
    assert ended.state is State.SUCCEEDED
    await asyncio.to_thread(activities.__exit__, None, None, None)


PROGRAM = """
import asyncio, os, signal, sys, threading, time
from headway import EVERYTHING, Activities, Cancelled, current, liveness
from headway.ports import HistoryQuery
from headway.stores.sqlite import SqliteStore

activities = Activities("sqlite:" + sys.argv[1])

def say(*words):
    # In one piece: print() writes the end of a line by itself, and two threads say something here.
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
"""


def run(tmp_path: Path, body: str) -> "subprocess.CompletedProcess[str]":
    """A program of its own, on a data folder."""
    program = [sys.executable, "-W", "error", "-c", PROGRAM + body, str(tmp_path / "data")]
    return subprocess.run(program, capture_output=True, text=True, timeout=10 * DEADLINE, cwd=ROOT, check=False)


async def left_behind(tmp_path: Path) -> list[Activity]:
    """What stands in the folder, oldest first, after its next start."""
    async with hub(f"sqlite:{tmp_path / 'data'}") as activities:
        view = activities.feed(EVERYTHING).view
        news = view.since(0)
        assert isinstance(news, list | tuple)
        uuids = list(dict.fromkeys(event.activity.uuid for event in news))
        return sorted(map(activities.now_is, uuids), key=lambda activity: activity.started_revision)


async def test_a_program_may_end_without_closing(tmp_path: Path) -> None:
    result = await asyncio.to_thread(
        run,
        tmp_path,
        """
with activities.start("t", title="first") as it:
    it.report(30)
with activities.start("t", title="second") as it:
    it.report(55)
    raise SystemExit(3)
""",
    )
    assert (result.returncode, result.stderr) == (3, "")
    ended = await left_behind(tmp_path)
    assert [(activity.state, activity.progress.percent) for activity in ended] == [
        (State.SUCCEEDED, 100),
        (State.FAILED, 55),
    ]
    assert ended[1].error == "SystemExit: 3"


async def test_what_runs_as_a_program_ends_is_asked_to_stop(tmp_path: Path) -> None:
    result = await asyncio.to_thread(
        run,
        tmp_path,
        """
def work():
    try:
        with activities.start("t") as it:
            begun.set()
            for item in it.track(iter(int, 1)):
                time.sleep(0.001)
    except Cancelled as cancelled:
        say(cancelled)

begun = threading.Event()
threading.Thread(target=work, daemon=True).start()
begun.wait()
""",
    )
    assert (result.returncode, result.stderr) == (0, "")
    (ended,) = await left_behind(tmp_path)
    assert ended.state is State.CANCELLED
    assert ended.cancel is not None and ended.cancel.reason == "server_shutdown"


async def test_what_does_not_stop_as_a_program_ends_does_not_hold_it_up(tmp_path: Path) -> None:
    result = await asyncio.to_thread(
        run,
        tmp_path,
        """
def stone():
    with activities.start("t"):
        begun.set()
        time.sleep(3600)

liveness.SHUTDOWN_GRACE = 0.1
begun = threading.Event()
threading.Thread(target=stone, daemon=True).start()
begun.wait()
""",
    )
    assert (result.returncode, result.stderr) == (0, "")
    (lost,) = await left_behind(tmp_path)
    assert (lost.state, lost.error) == (State.LOST, "server_restart")


async def test_a_coroutine_that_swallows_every_cancel_does_not_hold_a_program_up(tmp_path: Path) -> None:
    result = await asyncio.to_thread(
        run,
        tmp_path,
        """
async def deaf():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

from headway import portal
liveness.SHUTDOWN_GRACE = portal.STOPPING = 0.1
with activities:
    activities.call(activities.spawn, "t", deaf)
say("left")
""",
    )
    assert (result.returncode, result.stdout) == (0, "left\n")
    (lost,) = await left_behind(tmp_path)
    assert (lost.state, lost.error) == (State.LOST, "server_restart")


async def test_a_program_that_forks_and_leaves_the_child_by_sys_exit_ends_once(tmp_path: Path) -> None:
    result = await asyncio.to_thread(
        run,
        tmp_path,
        """
with activities.start("t") as it:
    pid = os.fork()
    if pid == 0:
        sys.exit(0)
    say(os.waitpid(pid, 0)[1])
""",
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "0\n", "")
    (ended,) = await left_behind(tmp_path)
    assert ended.state is State.SUCCEEDED


def begin(tmp_path: Path, body: str) -> "subprocess.Popen[str]":
    """A program that is interrupted once it has said so."""
    program = [sys.executable, "-c", PROGRAM + body, str(tmp_path / "data")]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


@pytest.mark.parametrize("closing", ["with activities:", "if True:"])
async def test_control_c_ends_the_block_as_cancelled_and_the_program_as_ever(tmp_path: Path, closing: str) -> None:
    body = f"""
{closing}
    with activities.start("t"):
        say("running")
        time.sleep(3600)
"""
    with begin(tmp_path, body) as process:
        assert process.stdout is not None and process.stderr is not None
        assert await asyncio.to_thread(process.stdout.readline) == "running\n"
        os.kill(process.pid, signal.SIGINT)
        assert "KeyboardInterrupt" in await asyncio.to_thread(process.stderr.read)
    assert process.returncode == -signal.SIGINT
    (ended,) = await left_behind(tmp_path)
    assert ended.state is State.CANCELLED
    assert ended.cancel is not None and ended.cancel.reason == "keyboard_interrupt"


SLOW = """
commit = SqliteStore.commit
held = threading.Event()
said = []

async def slow(self, writes):
    if any(write.activity.ended is ENDED for write in writes if write.durable):
        if not said:  # whoever is interrupted tries again, perhaps before the program says so
            said.append(say("held"))
        while not held.is_set():
            await asyncio.sleep(0.001)
    return await commit(self, writes)

SqliteStore.commit = slow
try:
    with activities.start("t") as it:
        pass
except KeyboardInterrupt:
    say("interrupted")
    held.set()
    while not activities.call(activities.history, HistoryQuery(EVERYTHING)):
        time.sleep(0.001)
"""


@pytest.mark.parametrize(("ended", "state"), [(False, State.CANCELLED), (True, State.SUCCEEDED)])
async def test_control_c_while_the_store_is_slow_lets_the_program_go_and_records_the_end(
    tmp_path: Path, ended: bool, state: State
) -> None:
    with begin(tmp_path, SLOW.replace("ENDED", str(ended))) as process:
        assert process.stdout is not None and process.stderr is not None
        assert await asyncio.to_thread(process.stdout.readline) == "held\n"
        os.kill(process.pid, signal.SIGINT)
        assert await asyncio.to_thread(process.stderr.read) == ""
        assert process.stdout.read().startswith("interrupted\n")
    assert process.returncode == 0
    (activity,) = await left_behind(tmp_path)
    assert activity.state is state


async def test_a_second_control_c_while_it_closes_ends_the_program(tmp_path: Path) -> None:
    body = """
def stone():
    with activities.start("t"):
        begun.set()
        time.sleep(3600)

begun = threading.Event()
with activities:
    threading.Thread(target=stone, daemon=True).start()
    begun.wait()
    activities.call(activities.spawn, "t", say, "running")
    say("closing")
"""
    liveness_grace = "liveness.SHUTDOWN_GRACE = 3600\n"
    with begin(tmp_path, liveness_grace + body) as process:
        assert process.stdout is not None
        while await asyncio.to_thread(process.stdout.readline) != "closing\n":
            pass
        while process.poll() is None:  # one at its close and one at its exit
            os.kill(process.pid, signal.SIGINT)
            await asyncio.sleep(0.3)
    states = {activity.state for activity in await left_behind(tmp_path)}
    assert states <= {State.LOST, State.SUCCEEDED}
