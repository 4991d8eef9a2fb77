"""Functions whose calls are operations."""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from headway import current
from headway.core.activity import Activity, State
from headway.core.errors import Cancelled, InvalidInput
from headway.correlation import noticing
from headway.hub import Activities
from tests.hubs import Hub, hub, until


@pytest.fixture
async def activities() -> AsyncIterator[Hub]:
    async with hub() as opened:
        yield opened


async def test_a_call_of_a_coroutine_function_is_an_activity(activities: Hub) -> None:
    @activities.activity("library.scan", title="Films")
    async def scan(folder: str, *, deep: bool = False) -> tuple[str, bool, Activity]:
        """Look for files."""
        return folder, deep, current().activity

    folder, deep, activity = await scan("/films", deep=True)
    assert (folder, deep, activity.title, activity.type) == ("/films", True, "Films", "library.scan")
    assert activities.now_is(activity.uuid).state is State.SUCCEEDED
    assert inspect.iscoroutinefunction(scan)
    assert (scan.__name__, scan.__doc__) == ("scan", "Look for files.")


async def test_a_call_of_a_function_is_an_activity_in_its_thread(activities: Hub) -> None:
    @activities.activity("library.scan")
    def scan(folder: str) -> tuple[str, str]:
        return folder, current().uuid

    folder, uuid = await asyncio.to_thread(scan, "/films")
    assert folder == "/films"
    assert activities.now_is(uuid).state is State.SUCCEEDED


async def test_each_call_is_an_activity_of_its_own_also_at_once(activities: Hub) -> None:
    @activities.activity("t")
    async def scan() -> str:
        await until(lambda: len(activities.list()) == 10)
        return current().uuid

    assert len(set(await asyncio.gather(*(scan() for _ in range(10))))) == 10


async def test_options_that_are_called_are_called_with_the_arguments(activities: Hub) -> None:
    @activities.activity(
        "t",
        title=lambda folder, **_: f"Scanning {folder}",
        context=lambda folder, section: {"librarySectionID": section},
        owner=lambda *_, **__: 7,
    )
    async def scan(folder: str, section: str) -> Activity:
        return current().activity

    activity = await scan("/films", section="3")
    assert (activity.title, activity.context, activity.owner) == ("Scanning /films", {"librarySectionID": "3"}, 7)


async def test_an_option_that_raises_raises_to_the_caller_and_nothing_starts(activities: Hub) -> None:
    @activities.activity("t", title=lambda: 1 // 0)
    async def scan() -> None:
        raise AssertionError("not reached")

    with noticing() as started, pytest.raises(ZeroDivisionError):
        await scan()
    assert started == []


async def test_an_option_that_gives_what_a_rule_forbids_is_said_at_the_call(activities: Hub) -> None:
    @activities.activity("t", owner=lambda: "nobody")
    async def scan() -> None:
        raise AssertionError("not reached")

    with pytest.raises(InvalidInput, match="owner"):
        await scan()


@pytest.mark.parametrize(
    ("type", "options", "error"),
    [
        ("a b", {}, InvalidInput),
        ("t", {"color": "red"}, TypeError),
        ("t", {"owner": "7"}, InvalidInput),
        ("t", {"grace": -1}, InvalidInput),
        ("t", {"color": lambda: "red"}, TypeError),
    ],
)
def test_bad_options_are_said_at_the_decoration(type: str, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Activities().activity(type, **options)


async def test_what_it_raises_is_raised_and_on_record(activities: Hub) -> None:
    @activities.activity("t")
    async def scan() -> None:
        raise OSError("so")

    with noticing() as started, pytest.raises(OSError, match="so"):
        await scan()
    assert activities.now_is(started[0].uuid).error == "OSError: so"


async def test_a_cancel_stops_the_call_as_cancelled(activities: Hub) -> None:
    @activities.activity("t")
    async def scan() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(scan())
    await until(activities.list)
    await activities.request_cancel(activities.list()[0].uuid)
    with pytest.raises(Cancelled):
        await task


async def test_methods_can_be_activities(activities: Hub) -> None:
    class Library:
        name = "Films"

        @activities.activity("t", title=lambda self: self.name)
        async def scan(self) -> str:
            return current().activity.title

        @staticmethod
        @activities.activity("t")
        def check() -> bool:
            return bool(current())

    assert await Library().scan() == "Films"
    assert await asyncio.to_thread(Library.check)


async def test_calls_within_calls_are_activities_side_by_side_unless_said(activities: Hub) -> None:
    @activities.activity("part", parent=lambda: current())
    async def part() -> Activity:
        return current().activity

    @activities.activity("t")
    async def whole() -> tuple[Activity, str]:
        return await part(), current().uuid

    child, uuid = await whole()
    assert child.parent == uuid
    assert (await part()).parent is None


async def test_a_plain_function_cannot_be_called_where_a_loop_runs(activities: Hub) -> None:
    @activities.activity("t")
    def scan() -> None:
        raise AssertionError("not reached")

    with pytest.raises(RuntimeError, match="async with"):
        scan()


async def test_a_decorated_function_can_be_spawned(activities: Hub) -> None:
    @activities.activity("inner")
    def scan() -> str:
        return current().activity.type

    spawned = await activities.spawn("outer", scan)
    assert await spawned.result() == "inner"


def test_a_generator_is_refused_whose_call_does_no_work() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def letters() -> AsyncIterator[str]:
        yield "a"

    for function in (numbers, letters):
        with pytest.raises(TypeError, match="no generator"):
            Activities().activity("t")(function)


async def test_a_function_that_hides_a_coroutine_has_failed(activities: Hub) -> None:
    async def work() -> None:
        raise AssertionError("not reached")

    @activities.activity("t")
    @lambda function: functools.wraps(function)(lambda: function())
    async def hidden() -> None:
        await work()

    def call() -> None:
        hidden()

    with noticing() as started, pytest.raises(TypeError, match="returned a coroutine"):
        await asyncio.to_thread(call)
    assert activities.now_is(started[0].uuid).state is State.FAILED


def test_a_program_without_a_loop_can_call_it() -> None:
    activities = Activities()

    @activities.activity("t")
    def scan() -> str:
        return current().uuid

    with activities:
        assert activities.call(activities.get, scan()).state is State.SUCCEEDED
