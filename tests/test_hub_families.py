"""Parents and children: cancels go down, never up, and a parent ends after its children."""

import asyncio

import pytest

from headway import records
from headway.core import lifecycle
from headway.core.activity import Activity, State
from headway.core.errors import ChildrenRunning, NotFound, ParentEnding, Unavailable
from headway.core.lifecycle import Report
from headway.ports import Store, Write
from headway.stores.memory import MemoryStore
from tests.hubs import FaultyStore, Hub, hub, until


async def cancelling(activities: Hub, *uuids: str) -> None:
    await until(lambda: all(activities.now_is(uuid).state is State.CANCELLING for uuid in uuids))


def starts_of(store: FaultyStore, parent: Activity) -> list[Write]:
    writes = [write for commit in store.commits for write in commit]
    return [write for write in writes if write.expected is None and write.activity.parent == parent.uuid]


async def test_a_cancel_goes_down_to_everyone_below_and_not_up() -> None:
    async with hub() as activities:
        top = await activities.run()
        middle = await activities.run(parent=top.uuid)
        low = [await activities.run(parent=middle.uuid) for _ in range(3)]
        beside = await activities.run(parent=top.uuid)
        await activities.request_cancel(middle.uuid, by=5, reason="why")
        await cancelling(activities, *(child.uuid for child in low))
        assert {(c.by, c.reason) for c in (activities.now_is(a.uuid).cancel for a in low) if c} == {(5, "why")}
        assert activities.now_is(top.uuid).state is activities.now_is(beside.uuid).state is State.RUNNING


async def test_what_cannot_be_cancelled_is_waited_for() -> None:
    async with hub() as activities:
        parent = await activities.run()
        child = await activities.run(parent=parent.uuid, cancellable=False)
        await activities.request_cancel(parent.uuid)
        with pytest.raises(ChildrenRunning):
            await activities.finish(parent.uuid, State.CANCELLED)
        assert activities.now_is(child.uuid).state is State.RUNNING
        await activities.finish(child.uuid, State.SUCCEEDED)
        await activities.finish(parent.uuid, State.CANCELLED)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED])
async def test_a_parent_ends_after_its_children(state: State) -> None:
    async with hub() as activities:
        parent = await activities.run()
        children = [await activities.run(parent=parent.uuid) for _ in range(2)]
        for left in (2, 1):
            with pytest.raises(ChildrenRunning, match=f"{left} of its children"):
                await activities.finish(parent.uuid, state)
            await activities.finish(children.pop().uuid, State.FAILED)
        await activities.finish(parent.uuid, state)


async def test_a_lost_parent_does_not_wait_for_its_children() -> None:
    async with hub() as activities:
        parent = await activities.run()
        child = await activities.run(parent=parent.uuid)
        await activities.give_up(parent.uuid, "lease_expired")
        assert activities.now_is(child.uuid).state is State.RUNNING
        await activities.finish(child.uuid, State.SUCCEEDED)


async def test_who_is_being_cancelled_takes_no_more_children() -> None:
    async with hub() as activities:
        parent = await activities.run()
        await activities.request_cancel(parent.uuid)
        with pytest.raises(ParentEnding):
            await activities.run(parent=parent.uuid)


async def test_a_parent_that_has_ended_or_is_not_yours_is_not_there() -> None:
    async with hub() as activities:
        parent = await activities.run(owner=1)
        with pytest.raises(NotFound):
            await activities.run(owner=2, parent=parent.uuid)
        await activities.finish(parent.uuid, State.SUCCEEDED)
        for uuid in (parent.uuid, "no-such-activity"):
            with pytest.raises(NotFound):
                await activities.run(parent=uuid)


async def test_a_child_whose_start_was_on_its_way_is_cancelled_with_its_parent() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        store.hold()
        asking = asyncio.create_task(activities.request_cancel(parent.uuid))
        await until(lambda: len(store.commits) == 2)
        starting = asyncio.create_task(activities.run(parent=parent.uuid))
        await until(lambda: starts_of(store, parent))
        store.release()
        await asking
        await cancelling(activities, (await starting).uuid)


async def test_a_child_whose_start_comes_long_after_the_cancel_of_its_parent_is_cancelled_too() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        store.holding = lambda write: write.expected is None
        store.hold()
        starting = asyncio.create_task(activities.run(parent=parent.uuid))
        await until(lambda: starts_of(store, parent))
        await activities.request_cancel(parent.uuid)
        await until(lambda: not activities._cascade.busy)  # what could be reached has been reached
        store.release()
        await cancelling(activities, (await starting).uuid)


@pytest.mark.parametrize("patient", [True, False])
async def test_a_child_whose_start_is_on_its_way_counts_even_when_nobody_waits_for_it(patient: bool) -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        store.hold()
        starting = asyncio.create_task(activities.run(parent=parent.uuid))
        await until(lambda: starts_of(store, parent))
        if not patient:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        with pytest.raises(ChildrenRunning):
            await activities.finish(parent.uuid, State.SUCCEEDED)
        store.release()
        await until(lambda: len(activities.list()) == 2)
        with pytest.raises(ChildrenRunning):
            await activities.finish(parent.uuid, State.SUCCEEDED)


async def test_a_child_that_could_not_start_is_no_child() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        store.failure = Unavailable("no")
        with pytest.raises(Unavailable):
            await activities.run(parent=parent.uuid)
        store.failure = None
        await activities.finish(parent.uuid, State.SUCCEEDED)


async def test_waiting_for_children_ends_with_the_last_of_them() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        first = await activities.run(parent=parent.uuid)
        store.hold()
        second = asyncio.create_task(activities.run(parent=parent.uuid))
        await until(lambda: len(starts_of(store, parent)) == 2)
        waiting = asyncio.create_task(activities.registry.childless(parent.uuid))
        store.release()
        await activities.finish((await second).uuid, State.SUCCEEDED)
        assert not waiting.done()
        await activities.finish(first.uuid, State.SUCCEEDED)
        await waiting


async def test_a_cancel_that_the_store_could_not_take_goes_down_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RETRY", 0.001)
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        child = await activities.run(parent=parent.uuid)
        store.failure, store.failing = Unavailable("no"), lambda write: write.activity.uuid == child.uuid
        await activities.request_cancel(parent.uuid)
        await until(lambda: len(store.commits) > 5)
        store.failure = None
        await cancelling(activities, child.uuid)


# After a restart


async def left_behind(store: Store) -> tuple[Activity, Activity]:
    """A parent and its child as a server left them; the parent changed last."""
    async with hub(store) as activities:
        parent = await activities.run()
        child = await activities.run(parent=parent.uuid)
        activities.report(parent.uuid, Report(progress=1))
        await activities.settled()
        return parent, child


async def test_children_are_children_still_after_a_restart() -> None:
    store = MemoryStore()
    parent, child = await left_behind(store)
    async with hub(store) as activities:
        with pytest.raises(ChildrenRunning):
            await activities.finish(parent.uuid, State.SUCCEEDED)
        await activities.request_cancel(parent.uuid)
        await cancelling(activities, child.uuid)


async def test_a_cancel_cut_off_by_a_crash_goes_down_after_it() -> None:
    store = MemoryStore()
    parent, child = await left_behind(store)
    await store.open(lambda activities: None)
    asked = lifecycle.request_cancel(parent, 1.0)
    assert await store.commit([Write(asked, parent.fence)]) != [None]
    async with hub(store) as activities:
        assert activities.now_is(parent.uuid).state is State.CANCELLING
        await cancelling(activities, child.uuid)
