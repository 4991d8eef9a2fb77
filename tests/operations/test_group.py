"""Task groups whose tasks are activities below one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from headway import EVERYTHING, Spawned, current
from headway.admission import Limits
from headway.core.activity import Activity, State
from headway.core.errors import Cancelled, InvalidInput, StorageFull, TooMany
from headway.reporter import Reporter
from tests.hubs import FaultyStore, Hub, hub, until


@pytest.fixture
async def activities() -> AsyncIterator[Hub]:
    async with hub() as opened:
        yield opened


async def forever() -> None:
    await asyncio.Event().wait()


async def nothing() -> None:
    """Done at once."""


def ended(activities: Hub, title: str) -> Activity:
    """The one with that title."""
    news = activities.feed(EVERYTHING).view.since(0)
    assert isinstance(news, list | tuple)
    return next(event.activity for event in reversed(news) if event.activity.title == title)


async def test_each_task_is_an_activity_below_its_parent(activities: Hub) -> None:
    async def part() -> Activity:
        await until(lambda: len(activities.list()) == 3)
        return current().activity

    async with activities.start("t", owner=7) as it:
        async with it.task_group() as group:
            tasks = [group.create_task(part(), "part", title=str(n), weight=n + 1) for n in range(2)]
        parts = [task.result() for task in tasks]
        assert [(part.parent, part.owner, part.weight) for part in parts] == [(it.uuid, 7, 1), (it.uuid, 7, 2)]
        assert [activities.now_is(part.uuid).state for part in parts] == [State.SUCCEEDED] * 2
        assert current() is it


async def test_one_that_fails_cancels_the_others_on_record(activities: Hub) -> None:
    async def failing() -> None:
        await until(lambda: len(activities.list()) == 4)
        raise OSError("so")

    with pytest.raises(ExceptionGroup) as failed:
        async with activities.start("t", title="whole") as it, it.task_group() as group:
            for number in range(2):
                group.create_task(forever(), "part", title=str(number))
            group.create_task(failing(), "part", title="failing")
    assert [repr(error) for error in failed.value.exceptions] == ["OSError('so')"]
    assert [ended(activities, title).state for title in ("0", "1")] == [State.CANCELLED] * 2
    assert ended(activities, "failing").error == "OSError: so"
    assert ended(activities, "whole").state is State.FAILED


async def test_a_child_that_a_user_cancels_stops_alone(activities: Hub) -> None:
    async with activities.start("t") as it, it.task_group() as group:
        gate = asyncio.Event()
        cancelled = group.create_task(forever(), "part", title="cancelled")
        group.create_task(gate.wait(), "part", title="other")
        await until(lambda: len(activities.list()) == 3)
        child = next(activity for activity in activities.list() if activity.title == "cancelled")
        await activities.request_cancel(child.uuid, by=5)
        await until(cancelled.done)
        assert cancelled.cancelled()
        assert len(activities.list()) == 2
        gate.set()
    assert activities.now_is(child.uuid).state is State.CANCELLED
    assert it.activity.state is State.SUCCEEDED


async def test_and_so_does_one_that_is_cancelled_as_it_begins(activities: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    create = activities.create

    async def cancelled_at_once(type: str, *args: Any, **options: Any) -> Any:
        made = await create(type, *args, **options)
        if type == "part":
            await activities.request_cancel(made[0].uuid, by=5)
            await until(cancelled.done)
        return made

    monkeypatch.setattr(activities, "create", cancelled_at_once)
    async with activities.start("t") as it, it.task_group() as group:
        cancelled = group.create_task(forever(), "part", title="cancelled")
        await until(cancelled.done)
        assert cancelled.cancelled()
    assert ended(activities, "cancelled").state is State.CANCELLED
    assert it.activity.state is State.SUCCEEDED


async def test_a_cancel_of_the_whole_stops_all_of_it(activities: Hub) -> None:
    async def whole() -> None:
        async with current().task_group() as group:
            for _ in range(3):
                group.create_task(deeper(), "part")

    async def deeper() -> None:
        async with current().task_group() as group:
            group.create_task(forever(), "leaf")
            await forever()

    spawned = await activities.spawn("t", whole)
    await until(lambda: len(activities.list()) == 7)
    uuids = [activity.uuid for activity in activities.list()]
    await spawned.cancel(by=5)
    assert (await spawned.wait()).state is State.CANCELLED
    assert [activities.now_is(uuid).state for uuid in uuids] == [State.CANCELLED] * 7
    with pytest.raises(Cancelled):
        await spawned.result()


async def test_a_child_that_waits_for_something_cancelled_has_failed_and_says_so(activities: Hub) -> None:
    """Its own cancel is quiet; that of something else is an error as any other."""

    async def waiting(other: Spawned[None]) -> None:
        await other.result()

    other = await activities.spawn("other", forever)
    with pytest.raises(ExceptionGroup) as failed:
        async with activities.start("t") as it, it.task_group() as group:
            group.create_task(waiting(other), "part", title="waiting")
            group.create_task(forever(), "part", title="sibling")
            await until(lambda: len(activities.list()) == 4)
            await other.cancel()
    assert [type(error) for error in failed.value.exceptions] == [Cancelled]
    assert ended(activities, "waiting").state is State.FAILED
    assert ended(activities, "sibling").state is State.CANCELLED


async def test_the_activity_in_each_task_is_its_own(activities: Hub) -> None:
    async def part(depth: int) -> str:
        mine = current().uuid
        if depth:
            async with current().task_group() as group:
                below = group.create_task(part(depth - 1), "part")
            assert below.result() != mine
        assert current().uuid == mine
        return mine

    async with activities.start("t") as it:
        async with it.task_group() as group:
            tasks = [group.create_task(part(3), "part") for _ in range(5)]
        assert len({task.result() for task in tasks}) == 5


async def test_a_coroutine_whose_start_is_refused_is_closed(activities: Hub) -> None:
    """Never awaited, it would be warned of, which fails a test."""
    async with activities.start("t") as it, it.task_group() as group:
        with pytest.raises(InvalidInput):
            group.create_task(nothing(), "a b")
        with pytest.raises(TypeError):
            group.create_task(nothing(), "part", color="red")  # type: ignore[call-arg]


async def test_a_group_that_is_over_or_not_entered_takes_no_tasks_and_warns_of_none(activities: Hub) -> None:
    async with activities.start("t") as it:
        group = it.task_group()
        with pytest.raises(RuntimeError):
            group.create_task(nothing(), "part")
        async with group:
            pass
        with pytest.raises(RuntimeError):
            group.create_task(nothing(), "part")


async def test_a_task_cancelled_before_its_first_step_leaves_nothing(activities: Hub) -> None:
    async with activities.start("t") as it:
        async with it.task_group() as group:
            task = group.create_task(nothing(), "part")
            task.cancel()
        assert task.cancelled()
        assert len(activities.list()) == 1


@pytest.mark.parametrize("failure", [StorageFull(), OSError("a fault of the store")])
async def test_a_child_that_cannot_be_recorded_fails_the_group(failure: Exception) -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        with pytest.raises(ExceptionGroup) as failed:
            async with activities.start("t") as it, it.task_group() as group:
                store.failing = lambda write: write.expected is None
                store.failure = failure
                group.create_task(nothing(), "part")
        assert failed.value.exceptions == (failure,)
        assert it.activity.state is State.FAILED


async def test_limits_of_a_tree_are_told_by_the_group() -> None:
    async with hub(limits=Limits(children=2)) as activities:
        with pytest.raises(ExceptionGroup) as failed:
            async with activities.start("t") as it, it.task_group() as group:
                for _ in range(3):
                    group.create_task(forever(), "part")
        assert [type(error) for error in failed.value.exceptions] == [TooMany]


async def test_a_hundred_children_weigh_on_the_whole(activities: Hub) -> None:
    seen: list[int] = []

    async def part(it: Reporter) -> None:
        for item in current().track(range(4)):
            await asyncio.sleep(0.001 * item)
        seen.append(it.activity.progress.percent)

    async with activities.start("t") as it:
        async with it.task_group() as group:
            for _ in range(100):
                group.create_task(part(it), "part")
        await activities.settled()
        assert it.activity.progress.percent == 99  # the whole is not over yet
    assert it.activity.progress.percent == 100
    assert seen == sorted(seen)


async def test_a_body_that_fails_cancels_the_children(activities: Hub) -> None:
    with pytest.raises(ExceptionGroup):
        async with activities.start("t", title="whole") as it, it.task_group() as group:
            group.create_task(forever(), "part", title="part")
            await until(lambda: len(activities.list()) == 2)
            raise OSError("so")
    assert ended(activities, "part").state is State.CANCELLED
    assert ended(activities, "part").revision < ended(activities, "whole").revision
