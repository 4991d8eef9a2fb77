"""The start of an activity: once for each key, under a parent that takes it, with nothing left behind when it fails."""

import asyncio
import gc
import math
from typing import Any

import pytest

from headway.core.activity import State
from headway.core.errors import InvalidInput, KeyReused, NotFound, Unavailable
from headway.core.lifecycle import Report
from tests.hubs import FaultyStore, hub, until


async def test_what_is_asked_for_at_the_start_is_in_the_record() -> None:
    async with hub() as activities:
        parent = await activities.run()
        child = await activities.run(
            parent=parent.uuid, weight=2.5, timeout=90.0, stall=20.0, report=Report(progress=5, title="T")
        )
        assert (child.weight, child.timeout, child.stall, child.parent) == (2.5, 90.0, 20.0, parent.uuid)
        assert (child.progress.percent, child.title, child.reported_at) == (5, "T", None)


@pytest.mark.parametrize("name", ["lease", "grace", "weight", "timeout", "stall"])
@pytest.mark.parametrize("number", [math.nan, math.inf, -1.0, 1e300])
async def test_a_number_beyond_its_bounds_is_refused_and_nothing_is_started(name: str, number: float) -> None:
    attributes: dict[str, Any] = {name: number}
    async with hub() as activities:
        with pytest.raises(InvalidInput, match=f"^{name}: must be a number from "):
            await activities.run(**attributes)
        assert activities.list() == []


@pytest.mark.parametrize("name", ["lease", "timeout", "stall"])
async def test_what_there_may_be_none_of_may_be_none(name: str) -> None:
    attributes: dict[str, Any] = {name: None}
    async with hub() as activities:
        assert getattr(await activities.run(**attributes), name) is None


async def test_a_child_that_begins_with_progress_shows_in_its_parent() -> None:
    async with hub() as activities:
        parent = await activities.run()
        await activities.run(parent=parent.uuid, report=Report(progress=40))
        await activities.settled()
        assert activities.now_is(parent.uuid).progress.percent == 40


async def test_a_repeated_start_under_a_parent_that_has_ended_is_still_the_same() -> None:
    async with hub() as activities:
        parent = await activities.run()
        child, new = await activities.create("t", 1, key="k", parent=parent.uuid, lease=30.0)
        await activities.finish(child.uuid, State.SUCCEEDED)
        await activities.finish(parent.uuid, State.SUCCEEDED)
        again, anew = await activities.create("t", 1, key="k", parent=parent.uuid, lease=30.0)
        assert (new, anew, again.uuid, again.ended) == (True, False, child.uuid, True)


async def test_of_many_starts_with_one_key_at_once_there_is_one_child() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        store.hold()
        starting = [
            asyncio.create_task(activities.create("t", 1, key="k", parent=parent.uuid, lease=30.0)) for _ in range(5)
        ]
        await until(lambda: len(store.commits) == 6)
        store.release()
        made = await asyncio.gather(*starting)
        assert [new for _, new in made].count(True) == 1
        (uuid,) = {activity.uuid for activity, _ in made}
        assert activities.registry.live[parent.uuid].children == {uuid}
        await activities.finish(uuid, State.SUCCEEDED)
        await activities.finish(parent.uuid, State.SUCCEEDED)


async def test_a_key_means_one_thing() -> None:
    async with hub() as activities:
        await activities.create("t", 1, key="k", fingerprint="a", lease=30.0)
        with pytest.raises(KeyReused):
            await activities.create("t", 1, key="k", fingerprint="b", lease=30.0)


async def test_a_start_that_the_store_refuses_leaves_no_child_and_no_share() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        store.failure = Unavailable("away")
        with pytest.raises(Unavailable):
            await activities.run(parent=parent.uuid, weight=1_000.0)
        store.failure = None
        live = activities.registry.live[parent.uuid]
        assert (live.children, live.shares.children) == (set(), None)


@pytest.mark.parametrize("owner", [1, 2])
async def test_a_parent_is_a_live_activity_of_the_same_user(owner: int) -> None:
    async with hub() as activities:
        parent = await activities.run(owner=3 - owner)
        with pytest.raises(NotFound, match=r"^parentUUID: there is no such running activity$"):
            await activities.run(owner=owner, parent=parent.uuid)


async def test_a_start_that_was_given_up_and_then_failed_troubles_nobody(caplog: pytest.LogCaptureFixture) -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        store.hold()
        starting = asyncio.create_task(activities.run(parent=parent.uuid))
        await until(lambda: len(store.commits) == 2)
        starting.cancel()
        await asyncio.wait({starting})
        store.failure = Unavailable("away")
        store.release()
        await until(lambda: not activities.registry.live[parent.uuid].children)
        gc.collect()
        await asyncio.sleep(0)
    assert "never retrieved" not in caplog.text
