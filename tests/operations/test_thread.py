"""Blocks of threads as operations, and functions that a coroutine waits for in a thread."""

import asyncio
import contextvars
import random
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from headway import current, records
from headway.core.activity import State
from headway.core.errors import Cancelled, Unavailable
from headway.core.lifecycle import Report
from headway.correlation import noticing
from headway.hub import Activities
from headway.operations import task as task_module
from headway.operations.thread import run_in_thread
from headway.reporter import Reporter
from tests.hubs import DEADLINE, FaultyStore, Hub, hub, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_module, "RECANCEL", 0.01)
    monkeypatch.setattr(records, "RETRY", 0.001)


def until_cancelled() -> None:
    while True:
        current().check_cancelled()
        threading.Event().wait(0.001)


class Worker:
    """A block in a thread that runs until it is told to stop or let go."""

    def __init__(self, activities: Activities, type: str = "t") -> None:
        self._start = activities.start(type)
        self.entered, self.let_go = threading.Event(), threading.Event()
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            with self._start as self.reporter:
                self.entered.set()
                while not self.let_go.wait(0.001):
                    self.reporter.check_cancelled()
        except (Exception, asyncio.CancelledError) as error:
            self.error = error

    async def started(self) -> Reporter:
        await until(self.entered.is_set)
        return self.reporter

    async def over(self) -> BaseException | None:
        await until(lambda: not self.thread.is_alive())
        return self.error


# Blocks


async def test_a_block_is_on_record_when_it_is_entered_and_when_it_is_left() -> None:
    async with hub() as activities:

        def work() -> Reporter:
            with activities.start("t", title="Films") as it:
                assert current() is it
                assert [activity.title for activity in activities.list()] == ["Films"]
            assert it.activity.state is State.SUCCEEDED
            assert not current()
            return it

        it = await asyncio.to_thread(work)
        assert await activities.story(it.uuid) == ["started", "ended"]


async def test_a_block_that_raises_has_failed_and_the_error_goes_on() -> None:
    async with hub() as activities:

        def work() -> None:
            with activities.start("t"):
                raise ZeroDivisionError("no way")

        with noticing() as started, pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(work)
        ended = activities.now_is(started[0].uuid)
        assert (ended.state, ended.error) == (State.FAILED, "ZeroDivisionError: no way")


async def test_a_cancel_comes_where_the_thread_asks_for_it() -> None:
    async with hub() as activities:
        worker = Worker(activities)
        it = await worker.started()
        await activities.request_cancel(it.uuid, by=5, reason="enough")
        error = await worker.over()
        assert isinstance(error, Cancelled) and "enough" in str(error)
        assert it.activity.state is State.CANCELLED


async def test_a_block_inside_one_that_is_to_stop_lets_the_cancel_through() -> None:
    caught: list[BaseException] = []

    def parts() -> None:
        while True:
            try:
                with current().start("part"):
                    until_cancelled()
            except Exception as error:  # as any job might do to go on with the next part
                caught.append(error)

    async with hub() as activities:
        spawned = await activities.spawn("t", parts)
        await until(lambda: len(activities.list()) == 2)
        part = activities.list()[1]
        await spawned.cancel()
        assert (await spawned.wait()).state is State.CANCELLED
        assert activities.now_is(part.uuid).state is State.CANCELLED
        assert caught == []


async def test_a_part_that_is_cancelled_alone_stops_alone() -> None:
    def parts() -> str:
        try:
            with current().start("part"):
                until_cancelled()
        except Cancelled:
            return "went on"
        return "not reached"

    async with hub() as activities:
        spawned = await activities.spawn("t", parts)
        await until(lambda: len(activities.list()) == 2)
        await activities.request_cancel(activities.list()[1].uuid)
        assert await spawned.result() == "went on"
        assert spawned.activity.state is State.SUCCEEDED


async def test_two_hundred_threads_at_once() -> None:
    everyone = threading.Barrier(200)
    states: list[State] = []

    async with hub() as activities:

        def work(number: int) -> None:
            with activities.start("t", title=str(number)) as it:
                everyone.wait(DEADLINE)  # all of them are inside
                for item in it.track(range(10)):
                    it.report(subtitle=str(item))
            states.append(it.activity.state)

        with ThreadPoolExecutor(200) as pool:
            running = [asyncio.wrap_future(pool.submit(work, number)) for number in range(200)]
            await asyncio.gather(*running)
    assert states == [State.SUCCEEDED] * 200


async def test_a_block_cannot_be_entered_where_a_loop_runs() -> None:
    async with hub() as activities:
        with pytest.raises(RuntimeError, match="async with"), activities.start("t"):
            raise AssertionError("not reached")
        assert activities.list() == []


async def test_an_end_waits_for_the_store_and_not_for_the_next_activity() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        worker = Worker(activities)
        it = await worker.started()
        store.failure = Unavailable("away")
        worker.let_go.set()
        await until(lambda: len(store.commits) > 5)
        assert worker.thread.is_alive()
        store.failure = None
        assert await worker.over() is None
        assert it.activity.state is State.SUCCEEDED


def test_a_block_that_outlives_its_loop_is_left_in_peace() -> None:
    inside, over = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    async def main() -> Activities:
        activities = Hub()
        await activities.open()

        def work() -> None:
            try:
                with activities.start("t"):
                    inside.set()
                    over.wait()
            except (Exception, asyncio.CancelledError) as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        threads.append(thread)
        await until(inside.is_set)
        return activities

    threads: list[threading.Thread] = []
    asyncio.run(main())
    over.set()
    threads[0].join(DEADLINE)
    assert not threads[0].is_alive()
    assert errors == []


def test_a_block_that_outlives_its_hub_does_not_bind_it_to_another_loop() -> None:
    inside, over = threading.Event(), threading.Event()
    activities = Hub()

    def work() -> None:
        with activities.start("t"):
            inside.set()
            over.wait()

    thread = threading.Thread(target=work)

    async def main() -> None:
        async with activities:
            thread.start()
            await until(inside.is_set)
            await activities.give_up(activities.list()[0].uuid, "abandoned")

    async def again() -> str:
        async with activities, activities.start("t") as it:
            return it.uuid

    asyncio.run(main())
    over.set()
    thread.join(DEADLINE)
    assert asyncio.run(again())


async def test_a_start_is_for_one_block() -> None:
    async with hub() as activities:
        start = activities.start("t")

        def work() -> None:
            with start:
                pass
            with pytest.raises(RuntimeError, match="one block"), start:
                raise AssertionError("not reached")

        await asyncio.to_thread(work)
        with pytest.raises(RuntimeError, match="one block"):
            async with start:
                raise AssertionError("not reached")
        assert activities.list() == []


# Functions in a thread


async def test_a_function_is_called_in_a_copy_of_the_context() -> None:
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(1)

    def work() -> int:
        variable.set(variable.get() + 1)
        return variable.get()

    assert await run_in_thread(work, name="n") == 2
    assert variable.get() == 1


@pytest.mark.parametrize("error", [ZeroDivisionError, OSError, asyncio.CancelledError, KeyError])
async def test_what_it_raises_is_raised(error: type[BaseException]) -> None:
    def work() -> None:
        raise error("so")

    with pytest.raises(error, match="so"):
        await run_in_thread(work, name="n")


async def test_what_ends_without_a_result_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def work() -> None:
        raise KeyboardInterrupt

    with pytest.raises(RuntimeError, match="without a result"):
        await run_in_thread(work, name="left by an interrupt")
    await until(lambda: "left by an interrupt" not in [thread.name for thread in threading.enumerate()])


async def test_a_coroutine_waits_for_its_thread_when_it_is_cancelled() -> None:
    stopped: list[str] = []

    def work() -> None:
        try:
            until_cancelled()
        finally:
            stopped.append("thread")

    async def parent() -> None:
        try:
            await current().to_thread(work)
        finally:
            stopped.append("task")

    async with hub() as activities:
        spawned = await activities.spawn("t", parent)
        await asyncio.sleep(0.01)
        await spawned.cancel()
        assert (await spawned.wait()).state is State.CANCELLED
    assert stopped == ["thread", "task"]


@pytest.mark.parametrize("inside", [True, False])
async def test_a_timeout_reaches_a_function_in_a_thread_and_stays_a_timeout(inside: bool) -> None:
    def work() -> None:
        with current().start("part"):
            until_cancelled()

    async with hub() as activities:
        with pytest.raises(TimeoutError):
            if inside:
                async with activities.start("t") as it, asyncio.timeout(0.01):
                    await it.to_thread(work)
            else:
                async with asyncio.timeout(0.01), activities.start("t") as it:
                    await it.to_thread(work)
        assert it.activity.state is (State.FAILED if inside else State.CANCELLED)


async def test_after_a_timeout_the_activity_goes_on_and_is_not_to_stop() -> None:
    async with hub() as activities, activities.start("t") as it:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await it.to_thread(until_cancelled)
        assert not it.cancel_requested
        assert await it.to_thread(lambda: current().cancel_requested) is False
    assert it.activity.state is State.SUCCEEDED


async def test_what_a_thread_spawns_is_not_stopped_with_it() -> None:
    gate = threading.Event()

    async with hub() as activities:

        def starter() -> object:
            spawned = activities.call(activities.spawn, "t", gate.wait)
            others.append(spawned)
            until_cancelled()
            return None

        others: list[object] = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), activities.start("starter") as it:
                await it.to_thread(starter)
        (other,) = activities.list()
        gate.set()
        assert (await activities.wait(other.uuid, DEADLINE, ended=True)).cancel is None


async def test_a_function_that_returns_all_the_same_has_still_been_cancelled() -> None:
    def work() -> int:
        while not current().cancel_requested:
            threading.Event().wait(0.001)
        return 1

    async with hub() as activities, activities.start("t") as it:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await it.to_thread(work)


@pytest.mark.parametrize("where", ["to_thread", "thread of its own"])
async def test_the_activity_is_known_in_threads_that_take_the_context(where: str) -> None:
    places: dict[str, Callable[[], object]] = {"to_thread": lambda: current().uuid}
    async with hub() as activities, activities.start("t") as it:
        if where == "to_thread":
            assert await asyncio.to_thread(places["to_thread"]) == it.uuid
        else:
            assert await it.to_thread(places["to_thread"]) == it.uuid


# Reports


class Hostile:
    """Raises wherever it is looked at."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no attribute")

    def __float__(self) -> float:
        raise RuntimeError("no number")

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __repr__(self) -> str:
        raise RuntimeError("no text either")

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("cannot be compared")

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __iter__(self) -> Any:
        raise RuntimeError("no items")

    __hash__ = None  # type: ignore[assignment]


class HostileMapping(dict[Any, Any]):
    """Raises as it is gone through."""

    def __iter__(self) -> Any:
        raise RuntimeError("no items")

    def __getitem__(self, key: object) -> Any:
        raise RuntimeError("no such item")


ANYTHING: list[Any] = [
    *(0, 1, -1, 40.5, 10**400, -(10**400), float("nan"), float("inf"), True, 1j, None),
    *("", "half", "\ud800", "x" * 10_000, b"bytes", bytearray(b"more"), "50"),
    *([], {}, (), {"a": 1}, {"a": Hostile()}, {1: 2}, {"a b": 1}, {"key": {}}, {"key": "x" * 100_000}, {None: None}),
    *(Hostile(), HostileMapping(a=1), object(), Hostile, len, iter([1]), ZeroDivisionError("so")),
]


async def test_no_report_raises_whatever_is_said_by_eight_threads_at_once() -> None:
    together = threading.Barrier(8)

    def talk(it: Reporter, seed: int) -> None:
        chance = random.Random(seed)
        names = ["progress", "completed", "total", "unit", "title", "subtitle", "context", "response"]
        together.wait(DEADLINE)
        for _ in range(2_000):
            it.report(**{name: chance.choice(ANYTHING) for name in chance.sample(names, 3)})

    async with hub() as activities, activities.start("t") as it:
        await asyncio.gather(*(it.to_thread(talk, it, seed) for seed in range(8)))
        it.report(50, title="still here")
        await activities.settled()
        assert it.activity.title == "still here"
    assert it.activity.state is State.SUCCEEDED


async def test_what_eight_threads_say_of_its_context_at_once_is_all_there() -> None:
    together = threading.Barrier(8)
    interval = sys.getswitchinterval()

    def talk(it: Reporter, thread: int) -> None:
        together.wait(DEADLINE)
        for number in range(4):
            it.report(context={f"key{thread}_{number}": number})

    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            async with hub() as activities, activities.start("t") as it:
                await asyncio.gather(*(it.to_thread(talk, it, thread) for thread in range(8)))
                await activities.settled()
                assert len(it.activity.context or {}) == 32
    finally:
        sys.setswitchinterval(interval)


async def test_a_context_that_others_have_changed_is_not_changed_back_by_a_report_of_something_else() -> None:
    async with hub() as activities, activities.start("t") as it:
        it.report(context={"key": "ours"})
        await activities.settled()
        activities.report(it.uuid, Report(context={"key": "theirs"}))
        it.report(50)
        await activities.settled()
        assert it.activity.context == {"key": "theirs"}
