"""One change of one activity: what was reported goes along, and whoever comes second decides anew."""

import asyncio

import pytest

from headway.core import lifecycle
from headway.core.activity import Activity, State
from headway.core.errors import AlreadyEnded, NotFound, Unavailable
from headway.core.lifecycle import Report
from headway.core.progress import Children
from headway.ports import Write
from headway.stores.memory import MemoryStore
from tests.hubs import FaultyStore, hub, until


async def test_what_has_changed_in_between_is_decided_on_anew() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        store.hold()
        asking = asyncio.create_task(activities.request_cancel(activity.uuid, by=1))
        await until(lambda: len(store.commits) == 2)
        theirs = lifecycle.request_cancel(activity, 5.0, by=2)  # another node is first
        assert await store.inner.commit([Write(theirs, activity.fence)]) != [None]
        store.release()
        request = (await asking).cancel
        assert request is not None and request.by == 2


async def test_what_somebody_has_deleted_is_not_tried_for_ever() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        assert isinstance(store.inner, MemoryStore)
        record = store.inner._records.pop(activity.uuid)
        with pytest.raises(Unavailable, match="another version"):
            await activities.request_cancel(activity.uuid)
        assert len(store.commits) == 2
        store.inner._records[activity.uuid] = record


async def test_what_has_ended_in_between_cannot_be_changed() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        child = await activities.run(parent=parent.uuid)
        activities.report(child.uuid, Report(progress=10))
        store.hold()
        ending = asyncio.create_task(activities.finish(child.uuid, State.SUCCEEDED))
        await until(lambda: len(store.commits) == 3)
        theirs = lifecycle.finish(child, State.FAILED, 5.0)
        assert await store.inner.commit([Write(theirs, child.fence)]) != [None]
        store.release()
        with pytest.raises(AlreadyEnded):
            await ending
        await activities.settled()
        assert activities.registry.live[parent.uuid].shares.children == Children(1.0, 1.0, 1.0, 4)


async def test_a_change_of_a_parent_takes_what_its_children_have_done_along() -> None:
    async with hub() as activities:
        parent = await activities.run()
        child = await activities.run(parent=parent.uuid)
        activities.report(child.uuid, Report(progress=10))
        await activities.finish(child.uuid, State.FAILED)
        ended = await activities.finish(parent.uuid, State.FAILED)
        assert ended.progress.children is not None
        assert (ended.progress.children.weight, ended.progress.children.ended) == (1.0, 1.0)


async def test_a_refused_change_gives_back_what_children_add_up_to() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        child = await activities.run(parent=parent.uuid)
        store.failure = Unavailable("away")
        activities.report(child.uuid, Report(progress=40))
        await activities.settled()
        with pytest.raises(Unavailable):
            await activities.request_cancel(parent.uuid)
        store.failure = None
        await until(lambda: activities.now_is(parent.uuid).progress.percent == 40)


async def test_a_decision_to_change_nothing_writes_nothing() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        first = await activities.request_cancel(activity.uuid)
        store.commits.clear()
        assert await activities.request_cancel(activity.uuid) == first
        assert store.commits == []


async def test_what_was_never_there_is_not_found() -> None:
    def decide(activity: Activity, now: float) -> Activity:
        raise AssertionError("there is nothing to decide on")

    async with hub() as activities:
        with pytest.raises(NotFound):
            await activities._changes.make("no-such-activity", decide)


async def test_what_is_known_to_the_store_alone_promises_nothing_while_it_lives() -> None:
    async with hub() as activities:
        foreign = lifecycle.stamped(lifecycle.start("b", "t", 1, 0.0), 1)
        activities.store._records["b"] = foreign  # type: ignore[attr-defined]
        with pytest.raises(Unavailable, match="only just known here"):
            await activities.finish("b", State.SUCCEEDED)
