"""Operations that go on by themselves: whatever is spawned ends on record, and nothing of it is lost or said twice."""

import asyncio
import functools
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from headway import Spawned, current, records
from headway.admission import Limits
from headway.core.activity import State
from headway.core.errors import Cancelled, InvalidInput, StorageFull, TooMany, Unavailable
from headway.correlation import noticing
from headway.hub import Activities
from headway.operations import task as task_module
from tests.hubs import DEADLINE, FaultyStore, Hub, hub, until

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_module, "RECANCEL", 0.01)
    monkeypatch.setattr(records, "RETRY", 0.001)


def add(first: int, second: int) -> int:
    return first + second


async def add_in_a_task(first: int, second: int) -> int:
    await asyncio.sleep(0)
    return first + second


class Adder:
    """Its objects are called."""

    def add(self, first: int, second: int) -> int:
        return first + second

    async def add_in_a_task(self, first: int, second: int) -> int:
        return first + second

    def __call__(self, first: int, second: int) -> int:
        return first + second


class AsyncAdder:
    """Its objects are called and awaited."""

    async def __call__(self, first: int, second: int) -> int:
        return first + second


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "function": add,
    "coroutine function": add_in_a_task,
    "partial": functools.partial(add),
    "partial of a coroutine function": functools.partial(functools.partial(add_in_a_task)),
    "method": Adder().add,
    "coroutine method": Adder().add_in_a_task,
    "object": Adder(),
    "object that is awaited": AsyncAdder(),
    "partial of an object that is awaited": functools.partial(AsyncAdder()),
    "lambda": lambda first, second: first + second,
    "builtin": int.__add__,
}


def until_cancelled() -> None:
    """Work in a thread that looks at its token."""
    while True:
        current().check_cancelled()
        threading.Event().wait(0.001)


async def forever() -> None:
    await asyncio.Event().wait()


# What can be spawned


@pytest.mark.parametrize("name", FUNCTIONS)
async def test_whatever_can_be_called_can_be_spawned(name: str) -> None:
    async with hub() as activities:
        spawned = await activities.spawn("t", FUNCTIONS[name], 2, 3)
        assert await spawned.result() == 5
        assert spawned.activity.state is State.SUCCEEDED


async def test_a_class_is_called_in_a_thread_though_its_objects_are_awaited() -> None:
    async with hub() as activities:
        spawned = await activities.spawn("t", AsyncAdder)
        assert isinstance(await spawned.result(), AsyncAdder)


async def test_it_returns_as_soon_as_the_start_is_on_record() -> None:
    gate = threading.Event()
    async with hub() as activities:
        spawned = await activities.spawn("library.scan", gate.wait, title="Films", owner=7)
        assert [activity.uuid for activity in activities.list()] == [spawned.uuid]
        assert (spawned.activity.title, spawned.activity.owner, spawned.activity.node) == ("Films", 7, activities.node)
        assert f"{spawned.uuid} running" in repr(spawned)
        gate.set()
        assert (await spawned.wait()).state is State.SUCCEEDED


@pytest.mark.parametrize("async_", [True, False])
async def test_it_runs_in_its_activity(async_: bool) -> None:
    async with hub() as activities:

        async def in_a_task() -> str:
            return current().uuid

        spawned: Spawned[str] = await activities.spawn("t", in_a_task if async_ else lambda: current().uuid)
        assert await spawned.result() == spawned.uuid
        assert not current()


async def test_what_it_starts_is_not_noticed_by_who_spawned_it() -> None:
    async with hub() as activities:

        async def work() -> None:
            async with activities.start("part"):
                pass

        with noticing() as started:
            spawned = await activities.spawn("t", work)
            await spawned.wait()
        assert [activity.uuid for activity in started] == [spawned.uuid]


# How it ends


def fail() -> None:
    raise ZeroDivisionError("no way")


async def fail_in_a_task() -> None:
    raise ZeroDivisionError("no way")


@pytest.mark.parametrize("function", [fail, fail_in_a_task])
async def test_an_error_is_its_result_and_logged_once(
    function: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with hub() as activities:
        spawned = await activities.spawn("t", function)
        assert (await spawned.wait()).error == "ZeroDivisionError: no way"
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await spawned.result()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "an operation has failed"
    ]


async def test_a_thread_that_raises_stop_iteration_has_failed() -> None:
    def exhausted() -> None:
        next(iter([]))

    async with hub() as activities:
        spawned = await activities.spawn("t", exhausted)
        ended = await spawned.wait()
        assert (ended.state, ended.error) == (State.FAILED, "RuntimeError: coroutine raised StopIteration")


def give_coroutine() -> Coroutine[Any, Any, int]:
    return add_in_a_task(1, 2)


async def test_a_coroutine_that_a_plain_function_returns_is_not_forgotten_in_silence() -> None:
    async with hub() as activities:
        spawned = await activities.spawn("t", give_coroutine)
        assert (await spawned.wait()).state is State.FAILED
        with pytest.raises(TypeError, match="use a coroutine function"):
            await spawned.result()


@pytest.mark.parametrize("async_", [True, False])
@pytest.mark.parametrize(
    ("code", "state", "error"),
    [
        (0, State.SUCCEEDED, None),
        (None, State.SUCCEEDED, None),
        (3, State.FAILED, "RuntimeError: the operation was left by sys.exit(3)"),
        ("no", State.FAILED, "RuntimeError: the operation was left by sys.exit('no')"),
    ],
)
async def test_leaving_it_by_sys_exit_ends_nothing_else(
    async_: bool, code: Any, state: State, error: str | None
) -> None:
    async def leave() -> None:
        sys.exit(code)

    async with hub() as activities:
        spawned: Spawned[Any] = await activities.spawn("t", *((leave,) if async_ else (sys.exit, code)))
        ended = await spawned.wait()
        assert (ended.state, ended.error) == (state, error)


# Stopping it


@pytest.mark.parametrize("function", [until_cancelled, forever])
async def test_it_is_stopped_by_a_cancel(function: Callable[[], Any]) -> None:
    async with hub() as activities:
        spawned = await activities.spawn("t", function)
        asked = await spawned.cancel(by=5, reason="enough")
        assert asked.state is State.CANCELLING or asked.ended
        ended = await spawned.wait()
        assert ended.state is State.CANCELLED
        assert ended.cancel is not None and (ended.cancel.by, ended.cancel.reason) == (5, "enough")
        with pytest.raises(Cancelled, match="enough"):
            await spawned.result()


@pytest.mark.parametrize("function", [until_cancelled, forever])
async def test_its_program_may_stop_what_users_may_not(function: Callable[[], Any]) -> None:
    async with hub() as activities:
        spawned = await activities.spawn("t", function, cancellable=False)
        await spawned.cancel()
        assert (await spawned.wait()).state is State.CANCELLED


async def test_a_thread_that_finishes_anyway_has_succeeded_with_the_request_on_record() -> None:
    gate = threading.Event()
    async with hub() as activities:
        spawned = await activities.spawn("t", gate.wait)
        await spawned.cancel()
        gate.set()
        ended = await spawned.wait()
        assert (ended.state, ended.cancel is not None) == (State.SUCCEEDED, True)
        assert await spawned.result() is True


@pytest.mark.parametrize("waiting", [Spawned.wait, Spawned.result])
async def test_who_gives_up_waiting_stops_nothing(waiting: Callable[[Spawned[None]], Coroutine[Any, Any, Any]]) -> None:
    gate = asyncio.Event()

    async def work() -> None:
        await gate.wait()

    async with hub() as activities:
        spawned = await activities.spawn("t", work)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await waiting(spawned)
        assert spawned.activity.state is State.RUNNING
        gate.set()
        assert (await spawned.wait()).state is State.SUCCEEDED


async def test_who_gives_up_while_it_starts_leaves_an_activity_that_can_be_found() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        store.hold()
        spawning = asyncio.create_task(activities.spawn("t", add, 1, 2))
        await until(lambda: store.commits)
        spawning.cancel()
        await asyncio.gather(spawning, return_exceptions=True)
        uuid = store.commits[0][0].activity.uuid
        store.release()
        await until(lambda: activities.registry.known(uuid))
        assert (await activities.wait(uuid, DEADLINE, ended=True)).state is State.SUCCEEDED


# Our trouble


@pytest.mark.parametrize("function", [add, add_in_a_task])
@pytest.mark.parametrize("failure", [StorageFull(), Unavailable("away")])
async def test_what_cannot_be_recorded_is_not_begun(
    failure: Exception, function: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        store.failure = failure
        with pytest.raises(type(failure)):
            await activities.spawn("t", function, 1, 2)
        assert activities.list() == []
    assert caplog.records == []


async def test_a_start_refused_is_raised_and_not_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        store.failure = RuntimeError("a fault of the store")
        with pytest.raises(RuntimeError, match="a fault of the store"):
            await activities.spawn("t", add, 1, 2)
    assert caplog.records == []


async def test_a_rule_that_is_broken_is_said_at_once() -> None:
    async with hub() as activities:
        with pytest.raises(InvalidInput, match="type"):
            await activities.spawn("a b", add, 1, 2)
        with pytest.raises(TypeError, match="no option color"):
            await activities.spawn("t", add, 1, 2, color="red")  # type: ignore[call-overload]


async def test_a_limit_is_a_limit(activities_with_room_for_one: Hub) -> None:
    activities = activities_with_room_for_one
    spawned = await activities.spawn("t", forever)
    with pytest.raises(TooMany):
        await activities.spawn("t", forever)
    await spawned.cancel()
    await spawned.wait()


@pytest.fixture
async def activities_with_room_for_one() -> Any:
    async with hub(limits=Limits(live_per_owner=1)) as activities:
        yield activities


@pytest.mark.parametrize("function", [add, add_in_a_task])
async def test_a_fault_that_keeps_an_end_from_the_record_does_not_reach_the_job(
    function: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        store.failing = lambda write: write.activity.ended
        store.failure = RuntimeError("a fault of the store")
        spawned = await activities.spawn("t", function, 1, 2)
        assert await spawned.result() == 3
        assert spawned.activity.state is State.RUNNING
        store.failure = None
        await activities.finish(spawned.uuid, State.FAILED)
    assert [record.getMessage() for record in caplog.records] == [
        f"activity {spawned.uuid}: its end could not be recorded"
    ]


# From threads


async def test_a_thread_can_spawn_and_wait() -> None:
    async with hub() as activities:

        def elsewhere() -> tuple[int, State]:
            spawned = activities.call(activities.spawn, "t", add, 1, 2)
            return activities.call(spawned.result), activities.call(spawned.wait).state

        assert await asyncio.to_thread(elsewhere) == (3, State.SUCCEEDED)


async def test_children_are_spawned_below_and_their_parent_ends_after_them() -> None:
    gate = threading.Event()
    async with hub() as activities:

        async def parent() -> str:
            child = await current().spawn("child", gate.wait)
            return child.uuid

        spawned = await activities.spawn("t", parent, owner=7)
        await until(lambda: len(activities.list()) == 2)
        child = activities.list()[1]
        assert (child.parent, child.owner) == (spawned.uuid, 7)
        assert not spawned.activity.ended
        gate.set()
        assert await spawned.result() == child.uuid
        assert activities.now_is(child.uuid).revision < spawned.activity.revision


# At the end of its loop


def run_to_its_end(main: Callable[[Activities], Coroutine[Any, Any, Spawned[Any]]]) -> Spawned[Any]:
    """A program that does not close; its loop is at its end."""

    async def program() -> Spawned[Any]:
        spawned = await main(Activities())
        await asyncio.sleep(0.01)
        return spawned

    return asyncio.run(program())


@pytest.mark.parametrize("function", [until_cancelled, forever])
def test_the_end_of_its_loop_is_a_cancel(function: Callable[[], Any]) -> None:
    ended = run_to_its_end(lambda activities: activities.spawn("t", function)).activity
    assert ended.state is State.CANCELLED
    assert ended.cancel is not None and ended.cancel.reason == "task_cancelled"


def test_work_that_is_done_as_the_loop_ends_has_succeeded() -> None:
    def reluctant() -> None:
        while not current().cancel_requested:
            threading.Event().wait(0.001)

    assert run_to_its_end(lambda activities: activities.spawn("t", reluctant)).activity.state is State.SUCCEEDED


def test_a_thread_that_does_not_stop_holds_the_end_of_the_loop_up_no_longer_than_its_grace() -> None:
    gate = threading.Event()
    try:
        left = run_to_its_end(lambda activities: activities.spawn("t", gate.wait, grace=0.02)).activity
    finally:
        gate.set()
    assert left.state is State.CANCELLING  # it runs on, and is not said to have stopped


STONE = """
import asyncio, sys, time
from headway import Activities, liveness

liveness.SHUTDOWN_GRACE = 0.1

async def main():
    async with Activities("sqlite:" + sys.argv[1]) as activities:
        spawned = await activities.spawn("t", time.sleep, 3600)
        await spawned.cancel()
        print(spawned.uuid)

asyncio.run(main())
"""


async def test_a_thread_that_never_stops_ends_with_its_process(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    program = [sys.executable, "-c", STONE, str(folder)]
    result = await asyncio.to_thread(
        subprocess.run, program, capture_output=True, text=True, timeout=10 * DEADLINE, cwd=ROOT, check=True
    )
    assert result.stderr == ""
    async with hub(f"sqlite:{folder}") as activities:
        lost = await activities.get(result.stdout.strip())
        assert (lost.state, lost.error) == (State.LOST, "server_restart")
        assert lost.cancel is not None


def test_a_program_whose_loop_ended_under_a_thread_is_not_troubled_by_its_end(caplog: pytest.LogCaptureFixture) -> None:
    gate, over = threading.Event(), threading.Event()

    def late() -> None:
        gate.wait()
        over.set()

    run_to_its_end(lambda activities: activities.spawn("t", late, grace=0.0))
    gate.set()
    assert over.wait(DEADLINE)
    deadline = time.monotonic() + DEADLINE
    while any(thread.name == "headway t" for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.001)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
