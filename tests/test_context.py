"""The activity that a piece of code is part of, wherever the code goes."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from headway import current
from headway.context import Nowhere, within
from headway.reporter import Reporter
from tests.hubs import Hub, hub, until


@pytest.fixture
async def activities() -> AsyncIterator[Hub]:
    async with hub() as opened:
        yield opened


# Nowhere


def test_outside_of_any_activity_it_is_one_that_goes_nowhere() -> None:
    nowhere = current()
    assert not nowhere
    assert repr(nowhere) == "<Nowhere>"
    assert nowhere.uuid == ""
    assert nowhere.cancel_requested is False
    assert nowhere.request is None


def test_code_that_reports_works_where_nobody_watches() -> None:
    nowhere = current()
    nowhere.report(40)
    nowhere.report(completed=1, total=2, unit="files", title="a", subtitle="b", context={"a": 1}, response={"b": 2})
    nowhere.check_cancelled()
    assert list(nowhere.track([1, 2, 3], unit="files")) == [1, 2, 3]


async def test_it_works_in_threads_and_loops_where_nobody_watches() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1

    assert await current().to_thread(bool, 1)
    assert [number async for number in current().track(numbers())] == [1]


async def test_a_timeout_reaches_a_thread_where_nobody_watches() -> None:
    def until_cancelled() -> None:
        while True:
            current().check_cancelled()
            threading.Event().wait(0.001)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await current().to_thread(until_cancelled)


def test_there_is_no_record_of_it() -> None:
    with pytest.raises(LookupError, match="does not run in an activity"):
        _ = current().activity


async def test_parts_and_groups_work_where_nobody_watches() -> None:
    async def part() -> int:
        assert not current()
        return 1

    with current().start("part", title="Films") as it:
        assert not it
    async with current().start("part"), current().task_group() as group:
        task = group.create_task(part(), "part", title="Films", weight=2)
    assert task.result() == 1


# Somewhere


async def test_in_a_block_it_is_its_reporter_and_after_it_the_one_around(activities: Hub) -> None:
    async with activities.start("t") as outer:
        assert current() is outer
        async with activities.start("t") as inner:
            assert current() is inner
        assert current() is outer
    assert not current()


async def test_an_activity_is_true(activities: Hub) -> None:
    async with activities.start("t") as it:
        assert it
    assert it


async def test_it_goes_along_to_tasks_threads_and_callbacks(activities: Hub) -> None:
    loop = asyncio.get_running_loop()
    called: list[Reporter] = []

    async def where() -> Reporter:
        await asyncio.sleep(0)
        return current()

    async with activities.start("t") as it:
        loop.call_soon(lambda: called.append(current()))
        loop.call_later(0.001, lambda: called.append(current()))
        task = asyncio.create_task(where())
        task.add_done_callback(lambda _: called.append(current()))
        async with asyncio.TaskGroup() as group:
            grouped = group.create_task(where())
        (gathered,) = await asyncio.gather(where())
        places = [await task, grouped.result(), gathered, await asyncio.to_thread(current), await it.to_thread(current)]
        await until(lambda: len(called) == 3)
    assert all(place is it for place in places + called)


async def test_a_thread_that_takes_no_context_is_nowhere(activities: Hub) -> None:
    async with activities.start("t"):
        with ThreadPoolExecutor(1) as pool:
            assert not await asyncio.get_running_loop().run_in_executor(pool, current)


async def test_a_task_that_was_begun_before_is_not_inside(activities: Hub) -> None:
    async def where() -> Reporter:
        await gate.wait()
        return current()

    gate = asyncio.Event()
    before = asyncio.create_task(where())
    await asyncio.sleep(0)
    async with activities.start("t"):
        gate.set()
        assert not await before


async def test_a_generator_that_is_left_in_another_context_puts_back_what_was(activities: Hub) -> None:
    async def numbers() -> AsyncIterator[int]:
        async with activities.start("t"):
            yield 1

    generator = numbers()
    await asyncio.create_task(anext(generator))  # type: ignore[arg-type]
    assert not current()
    with pytest.raises(StopAsyncIteration):
        await asyncio.create_task(anext(generator))  # type: ignore[arg-type]
    assert not current()


def test_an_error_in_the_block_puts_back_what_was() -> None:
    with pytest.raises(OSError, match="so"), within(Nowhere()):
        raise OSError("so")
    assert not current()
    assert current() is current()
