"""Going through items: how many are done is reported, a cancel stops between two, and the items stay what they are."""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from headway import current
from headway.core.activity import State
from headway.core.errors import Cancelled
from headway.core.progress import Progress
from headway.reporter import Reporter
from tests.hubs import Hub, hub, until


@pytest.fixture
async def activities() -> AsyncIterator[Hub]:
    async with hub() as opened:
        yield opened


@pytest.fixture
async def it(activities: Hub) -> AsyncIterator[Reporter]:
    async with activities.start("t") as reporter:
        yield reporter


async def counted(activities: Hub, it: Reporter) -> Progress:
    await activities.settled()
    return it.activity.progress


async def letters(count: int = 3) -> AsyncIterator[str]:
    for letter in "abcdefgh"[:count]:
        await asyncio.sleep(0)
        yield letter


async def test_items_of_known_number_are_counted_to_it(activities: Hub, it: Reporter) -> None:
    seen = []
    for item in it.track(["a", "b", "c"], unit="files"):
        progress = await counted(activities, it)
        seen.append((item, progress.completed, progress.total, progress.unit))
    assert seen == [("a", 0, 3, "files"), ("b", 1, 3, "files"), ("c", 2, 3, "files")]
    assert (await counted(activities, it)).completed == 3


async def test_items_of_unknown_number_are_counted_all_the_same(activities: Hub, it: Reporter) -> None:
    assert list(it.track(letter for letter in "abc")) == ["a", "b", "c"]
    progress = await counted(activities, it)
    assert (progress.completed, progress.total) == (3, None)


async def test_a_number_that_is_said_stands_for_what_the_items_know(activities: Hub, it: Reporter) -> None:
    assert len(list(it.track(iter([1, 2]), total=8))) == 2
    progress = await counted(activities, it)
    assert (progress.completed, progress.total, progress.percent) == (2, 8, 25)


async def test_what_knows_how_much_is_left_is_believed(activities: Hub, it: Reporter) -> None:
    list(it.track(iter(range(4))))
    assert (await counted(activities, it)).total == 4


async def test_items_that_come_by_async_for_are_counted(activities: Hub, it: Reporter) -> None:
    assert [letter async for letter in it.track(letters(), total=3)] == ["a", "b", "c"]
    progress = await counted(activities, it)
    assert (progress.completed, progress.total) == (3, 3)


async def test_no_items_are_none(activities: Hub, it: Reporter) -> None:
    assert list(it.track([])) == []
    progress = await counted(activities, it)
    assert (progress.completed, progress.total) == (0, 0)


async def test_who_breaks_off_has_not_done_the_item_he_is_at(activities: Hub, it: Reporter) -> None:
    for item in it.track(range(10)):
        if item == 4:
            break
    assert (await counted(activities, it)).completed == 4


async def test_who_breaks_off_an_async_one_leaves_the_rest(activities: Hub, it: Reporter) -> None:
    source = letters()
    async for letter in it.track(source):
        if letter == "b":
            break
    assert (await counted(activities, it)).completed == 1


async def test_an_error_of_the_items_is_theirs(activities: Hub, it: Reporter) -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise OSError("so")

    async def failing_too() -> AsyncIterator[int]:
        yield 1
        raise OSError("so")

    with pytest.raises(OSError, match="so"):
        list(it.track(failing()))
    with pytest.raises(OSError, match="so"):
        _ = [item async for item in it.track(failing_too())]
    assert (await counted(activities, it)).completed == 1


async def test_an_error_in_the_loop_closes_a_generator_at_once(it: Reporter) -> None:
    closed: list[bool] = []

    def items() -> Generator[int]:
        try:
            yield from range(3)
        finally:
            closed.append(True)

    source = items()
    with pytest.raises(OSError, match="so"):
        for _ in it.track(source):
            raise OSError("so")
    source.close()
    assert closed == [True]


class Odd:
    """Items whose length is trouble."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __len__(self) -> int:
        raise self._error

    def __iter__(self) -> Iterator[int]:
        return iter([1, 2])


@pytest.mark.parametrize("error", [TypeError("unsized"), RuntimeError("not here"), OverflowError("too many")])
async def test_items_that_cannot_say_their_number_are_gone_through(
    activities: Hub, it: Reporter, error: Exception
) -> None:
    assert list(it.track(Odd(error))) == [1, 2]
    assert (await counted(activities, it)).total is None


class NegativeHint:
    """Items that say nonsense of what is left."""

    def __length_hint__(self) -> int:
        return -5

    def __iter__(self) -> Iterator[int]:
        return iter([1, 2])


async def test_items_that_say_nonsense_of_their_number_are_gone_through(it: Reporter) -> None:
    assert list(it.track(NegativeHint())) == [1, 2]


async def test_items_that_are_got_by_number_are_gone_through(it: Reporter) -> None:
    class Dataset:
        def __getitem__(self, index: int) -> int:
            return [10, 20][index]

    items: Any = Dataset()
    assert list(it.track(items)) == [10, 20]


async def test_the_wrong_kind_of_for_says_which_is_right(it: Reporter) -> None:
    with pytest.raises(TypeError, match="`async for`"):
        list(it.track(letters()))
    with pytest.raises(TypeError, match="plain `for`"):
        _ = [item async for item in it.track([1])]
    nonsense: Any = 5
    with pytest.raises(TypeError, match="not iterable"):
        list(it.track(nonsense))


async def test_a_sequence_can_be_gone_through_again(activities: Hub, it: Reporter) -> None:
    tracked = it.track([1, 2])
    assert [list(tracked), list(tracked)] == [[1, 2], [1, 2]]


# Cancels


async def test_a_cancel_stops_a_loop_in_a_thread_between_two_items(activities: Hub) -> None:
    done: list[int] = []
    asked = threading.Event()

    def work() -> None:
        for item in current().track(itertools.count()):
            if item == 2:
                started.set()
                asked.wait()
            done.append(item)

    started = threading.Event()
    spawned = await activities.spawn("t", work)
    await until(started.is_set)
    await spawned.cancel()
    asked.set()
    ended = await spawned.wait()
    assert done == [0, 1, 2]
    assert (ended.state, ended.progress.completed) == (State.CANCELLED, 3)


async def test_a_cancel_stops_a_loop_without_awaits_in_a_task(activities: Hub) -> None:
    with pytest.raises(Cancelled):
        async with activities.start("t") as it:
            items = it.track(itertools.count())
            for _ in items:
                if it.activity.cancel is None:
                    asking = asyncio.create_task(activities.request_cancel(it.uuid))
                    while not asking.done():
                        try:
                            await asyncio.sleep(0)
                        except asyncio.CancelledError:
                            break
    assert it.activity.state is State.CANCELLED


async def test_a_cancel_stops_an_async_loop(activities: Hub) -> None:
    async def forever() -> AsyncIterator[int]:
        for number in itertools.count():
            await asyncio.sleep(0)
            yield number

    async def work() -> None:
        async for _ in current().track(forever()):
            pass

    spawned = await activities.spawn("t", work)
    await spawned.cancel()
    assert (await spawned.wait()).state is State.CANCELLED


async def test_a_cancel_before_the_first_item_comes_before_it(activities: Hub) -> None:
    seen: list[int] = []
    gate = threading.Event()

    def work() -> None:
        gate.wait()
        seen.extend(current().track([1, 2]))

    spawned = await activities.spawn("t", work)
    await spawned.cancel()
    gate.set()
    assert (await spawned.wait()).state is State.CANCELLED
    assert seen == []


async def test_a_part_is_stopped_between_items_with_its_whole(activities: Hub) -> None:
    def work() -> None:
        with current().start("part") as part:
            for _ in part.track(itertools.count()):
                started.set()

    started = threading.Event()
    spawned = await activities.spawn("t", work)
    await until(started.is_set)
    await spawned.cancel()
    assert (await spawned.wait()).state is State.CANCELLED
