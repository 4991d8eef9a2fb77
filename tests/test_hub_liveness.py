"""Who still lives: leases, graces, boots; on a clock that obeys, so that no second is waited for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from headway.admission import Limits
from headway.core.activity import Activity, State
from headway.core.errors import LeaseLost, Unavailable
from headway.core.lifecycle import Report
from headway.core.policy import EVERYTHING
from headway.core.view import TOMBSTONE_AGE, Event, Kind, Resync
from headway.ports import HistoryQuery
from headway.stores.memory import MemoryStore
from tests.hubs import FaultyStore, Hub, hub, until


@pytest.fixture
async def activities() -> AsyncIterator[Hub]:
    async with hub() as activities:
        yield activities


# Leases


@pytest.mark.parametrize("lease", [10.0, 30.0, 300.0])
async def test_a_dead_worker_is_lost_within_its_lease_and_two_seconds(activities: Hub, lease: float) -> None:
    activity = await activities.run(lease=lease)
    await activities.pass_time(lease)
    assert activities.now_is(activity.uuid) == activity
    await activities.pass_time(2)
    lost = activities.now_is(activity.uuid)
    assert (lost.state, lost.error, lost.epoch) == (State.LOST, "lease_expired", 1)
    with pytest.raises(LeaseLost):
        activities.report(activity.uuid, Report(progress=1))
    assert await activities.story(activity.uuid) == ["started", "ended"]


@pytest.mark.parametrize(
    "sign",
    [
        lambda activities, uuid: activities.sign_of_life(uuid),
        lambda activities, uuid: activities.report(uuid, Report(progress=1)),
    ],
    ids=["heartbeat", "report"],
)
async def test_a_worker_that_gives_signs_of_life_lives(activities: Hub, sign: Callable[[Hub, str], object]) -> None:
    activity = await activities.run(lease=30.0)
    for _ in range(20):
        await activities.pass_time(29)
        sign(activities, activity.uuid)
    assert activities.now_is(activity.uuid).state is State.RUNNING
    await activities.pass_time(32)
    assert activities.now_is(activity.uuid).state is State.LOST


async def test_a_heartbeat_is_no_news_of_the_work(activities: Hub) -> None:
    activity = await activities.run()
    activities.report(activity.uuid, Report(progress=1))
    await activities.settled()
    said = activities.time.now()
    await activities.pass_time(5)
    activities.sign_of_life(activity.uuid)
    activities.sign_of_life("no-such-activity")
    await activities.settled()
    assert activities.now_is(activity.uuid).reported_at == said


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0, 1e9])
async def test_nobody_is_lost_by_a_wall_clock_that_is_set(activities: Hub, jump: float) -> None:
    activity = await activities.run(lease=30.0)
    await activities.pass_time(10)
    activities.time.jump(jump)
    await activities.pass_time(20)
    assert activities.now_is(activity.uuid) == activity
    await activities.pass_time(2)
    assert activities.now_is(activity.uuid).state is State.LOST


async def test_nobody_is_lost_by_a_pause_of_our_own(activities: Hub) -> None:
    activity = await activities.run(lease=30.0)
    await activities.pass_time(29)
    await activities.stand_still(3600)
    assert activities.now_is(activity.uuid) == activity
    await activities.pass_time(30)
    assert activities.now_is(activity.uuid) == activity
    await activities.pass_time(2)
    assert activities.now_is(activity.uuid).state is State.LOST


async def test_what_runs_in_this_process_needs_no_sign_of_life(activities: Hub) -> None:
    async with activities.start("t") as it:
        await activities.pass_time(1000)
        assert it.activity.state is State.RUNNING


async def test_a_thousand_dead_workers_are_lost_in_one_round(activities: Hub) -> None:
    for _ in range(1000):
        await activities.run(lease=30.0)
    await activities.pass_time(31)
    assert activities.list() == []


async def test_a_round_does_not_wait_for_one_change_to_make_the_next() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        for _ in range(50):
            await activities.run(lease=30.0)
        await activities.pass_time(30)
        store.hold()
        losing = asyncio.create_task(activities.pass_time(1))
        await until(lambda: len(store.commits) == 100)  # all are on their way before the first has come back
        store.release()
        await losing


async def test_a_store_that_fails_loses_nobody_and_forgets_nobody() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run(lease=30.0)
        store.failure = Unavailable("away")
        await activities.pass_time(40)
        assert activities.now_is(activity.uuid) == activity
        store.failure = None
        await activities.pass_time(1)
        assert activities.now_is(activity.uuid).state is State.LOST


# Graces


@pytest.mark.parametrize("grace", [0.0, 3.0, 10.0, 300.0])
async def test_what_does_not_stop_in_its_grace_is_shown_as_overdue(activities: Hub, grace: float) -> None:
    activity = await activities.run(grace=grace, lease=1000.0)
    await activities.pass_time(50)
    await activities.request_cancel(activity.uuid)
    await activities.pass_time(grace)
    assert not activities.now_is(activity.uuid).overdue
    await activities.pass_time(2)
    late = activities.now_is(activity.uuid)
    assert (late.state, late.overdue) == (State.CANCELLING, True)
    await activities.pass_time(50)
    assert activities.now_is(activity.uuid) == late  # said once
    ended = await activities.finish(activity.uuid, State.CANCELLED)
    assert not ended.overdue


async def test_what_stops_in_time_is_not_overdue(activities: Hub) -> None:
    activity = await activities.run()
    await activities.request_cancel(activity.uuid)
    await activities.pass_time(9)
    await activities.finish(activity.uuid, State.CANCELLED)
    await activities.pass_time(20)
    assert await activities.story(activity.uuid) == ["started", "ended"]


async def test_a_worker_that_was_asked_to_stop_and_died_is_lost(activities: Hub) -> None:
    activity = await activities.run(lease=30.0, grace=60.0)
    await activities.request_cancel(activity.uuid)
    await activities.pass_time(32)
    lost = activities.now_is(activity.uuid)
    assert lost.state is State.LOST
    assert lost.cancel is not None


async def test_a_grace_begins_again_with_the_server() -> None:
    store = MemoryStore()
    async with hub(store) as activities:
        activity = await activities.run(grace=10.0, lease=1000.0)
        await activities.request_cancel(activity.uuid)
        await activities.pass_time(8)
    async with hub(store) as activities:
        await activities.pass_time(8)
        assert not activities.now_is(activity.uuid).overdue
        await activities.pass_time(4)
        assert activities.now_is(activity.uuid).overdue


# Boots


@asynccontextmanager
async def crashing() -> AsyncIterator[Hub]:
    """A hub that dies at the end of the block: what it has committed is all that is left of it."""
    activities = await Hub(MemoryStore()).open()
    yield activities
    await activities.die()


class Running:
    """An operation that nobody can stop."""

    def request_stop(self, activity: Activity) -> None:
        raise AssertionError("asked to stop")


def ends(told: list[Event | Resync]) -> list[str]:
    return [event.activity.uuid for event in told if isinstance(event, Event) and event.kind is Kind.ENDED]


async def test_what_ran_in_a_server_that_died_is_lost_once_and_remote_work_goes_on() -> None:
    async with crashing() as died:
        dead = [(await died.create("t", 1, operation=Running()))[0] for _ in range(20)]
        remote = await died.run()
        died.report(dead[0].uuid, Report(progress=40))
        await died.settled()
    for _ in range(3):
        async with hub(died.store) as activities:
            assert activities.list() == [remote]
            for activity in dead:
                lost = activities.now_is(activity.uuid)
                assert (lost.state, lost.error) == (State.LOST, "server_restart")
            assert sorted(ends(await activities.told())) == sorted(activity.uuid for activity in dead)


async def test_who_watched_before_the_crash_is_told_of_each_loss_once() -> None:
    async with crashing() as died:
        dead = [(await died.create("t", 1, operation=Running()))[0] for _ in range(3)]
        cursor = died.feed(EVERYTHING).view.revision
    for _ in range(2):
        async with hub(died.store) as activities:
            told = await activities.told(since=cursor)
            assert [event.kind for event in told if isinstance(event, Event)] == [Kind.ENDED] * 3
            assert set(ends(told)) == {activity.uuid for activity in dead}


async def test_children_are_lost_before_their_parents() -> None:
    async with crashing() as died:
        parent, _ = await died.create("t", 1, operation=Running())
        child, _ = await died.create("t", 1, operation=Running(), parent=parent.uuid)
        died.report(parent.uuid, Report(progress=1))
        await died.settled()
    async with hub(died.store) as activities:
        assert ends(await activities.told()) == [child.uuid, parent.uuid]


async def test_a_boot_that_is_killed_half_way_is_finished_by_the_next() -> None:
    async with crashing() as died:
        dead = [(await died.create("t", 1, operation=Running()))[0] for _ in range(20)]
    half = {activity.uuid for activity in dead[::2]}
    store = FaultyStore(died.store)
    store.failure, store.failing = Unavailable("killed"), lambda write: write.activity.uuid in half
    with pytest.raises(Unavailable, match="killed"):
        await Hub(store).open()
    left = await died.store.open(lambda activities: None)
    assert {activity.uuid for activity in left.activities if not activity.ended} == half
    for _ in range(2):
        async with hub(died.store) as activities:
            assert sorted(ends(await activities.told())) == sorted(activity.uuid for activity in dead)


async def test_leases_are_whole_again_when_the_server_is_back() -> None:
    async with crashing() as died:
        activity = await died.run(lease=30.0)
        await died.create("t", 1, operation=Running())
    store = FaultyStore(died.store)
    store.hold()
    activities = Hub(store)
    opening = asyncio.create_task(activities.open())
    await until(lambda: store.commits)
    activities.time.advance(1000)  # the boot itself takes its time, and nobody can reach us meanwhile
    store.release()
    await opening
    await activities.pass_time(30)
    assert activities.now_is(activity.uuid).state is State.RUNNING
    await activities.pass_time(2)
    assert activities.now_is(activity.uuid).state is State.LOST
    await activities.close()


async def test_an_operation_that_cannot_be_asked_to_stop_keeps_no_news_from_others(
    activities: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    activity, _ = await activities.create("t", 1, cancellable=True, operation=Running())
    assert (await activities.request_cancel(activity.uuid)).state is State.CANCELLING
    assert "cannot be asked to stop" in caplog.text
    await activities.finish(activity.uuid, State.CANCELLED)


# What is remembered


async def test_the_ended_are_forgotten_by_views_after_a_day_and_by_history_after_a_week() -> None:
    async with hub(limits=Limits(retention=7 * 86_400.0)) as activities:
        activity = await activities.run()
        await activities.finish(activity.uuid, State.SUCCEEDED)
        await activities.pass_time(1)
        assert activities.feed(EVERYTHING).view.floor == 0
        await activities.stand_still(TOMBSTONE_AGE + 1)
        await until(lambda: activities.feed(EVERYTHING).view.floor > 0)
        assert isinstance((await activities.told())[0], Resync)
        assert (await activities.get(activity.uuid)).ended
        await activities.stand_still(7 * 86_400.0)
        async with asyncio.timeout(10):
            while await activities.history(HistoryQuery(EVERYTHING)):
                await asyncio.sleep(0.001)


async def test_history_keeps_only_so_many() -> None:
    async with hub(limits=Limits(history=3)) as activities:
        for _ in range(5):
            await activities.finish((await activities.run()).uuid, State.SUCCEEDED)
        await activities.stand_still(1000)
        async with asyncio.timeout(10):
            while len(await activities.history(HistoryQuery(EVERYTHING))) != 3:
                await asyncio.sleep(0.001)


async def test_a_slow_pruning_does_not_look_like_a_pause_of_our_own() -> None:
    class Slow(FaultyStore):
        asked = 0

        async def prune(self, before: float, keep: int) -> int:
            self.asked += 1
            await asyncio.Event().wait()
            return 0

    store = Slow()
    async with hub(store) as activities:
        activity = await activities.run(lease=30.0)
        async with asyncio.timeout(10):
            await activities.pass_time(32)
        assert activities.now_is(activity.uuid).state is State.LOST
        await until(lambda: store.asked == 1)
