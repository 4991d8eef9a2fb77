"""Who still lives: leases, graces, boots; on a clock that obeys, so that no second is waited for."""

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from headway import current
from headway.admission import Limits
from headway.client import Client
from headway.core.activity import Activity, State
from headway.core.errors import Cancelled, LeaseLost, Unavailable
from headway.core.lifecycle import Report
from headway.core.policy import EVERYTHING
from headway.core.view import TOMBSTONE_AGE, Event, Kind, Resync
from headway.ports import HistoryQuery
from headway.stores.memory import MemoryStore
from tests.e2e.serving import Serving
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


def test_a_server_that_stood_still_loses_nobody(tmp_path: Path) -> None:
    """The real one, stopped for longer than the lease."""
    with Serving(tmp_path / "data") as serving, ThreadPoolExecutor(1) as threads:
        process, over = serving._process, threading.Event()
        token = (serving.data / "admin.token").read_text().strip()
        assert process is not None
        with Client(serving.url, token, timeout=60) as client:
            beating, silent = [client.activities.create("t", lease=10).uuid for _ in range(2)]

            def heartbeats() -> None:
                while not over.wait(2):
                    client.activities.report(beating)

            heart = threads.submit(heartbeats)
            try:
                process.send_signal(signal.SIGSTOP)
                time.sleep(13)
                process.send_signal(signal.SIGCONT)
                assert client.activities.wait(silent, 3).state == "running"  # rounds enough to lose it
                assert client.activities.get(beating).state == "running"
            finally:
                over.set()
            heart.result()


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


# Stalled: it lives, and has long said nothing of its work

LASTING = 86_400.0
"""Seconds: a lease that no test outlives."""


async def spoken(activities: Hub, **attributes: Any) -> Activity:
    """A live activity that has said something of its work."""
    activity = await activities.run(**{"lease": LASTING, "stall": 60.0, **attributes})
    await say(activities, activity)
    return activities.now_is(activity.uuid)


async def say(activities: Hub, activity: Activity, **news: Any) -> None:
    activities.report(activity.uuid, Report(**news))
    await activities.settled()


def stalled(activities: Hub, *which: Activity) -> list[bool]:
    return [activities.now_is(activity.uuid).stalled for activity in which]


async def test_one_that_has_spoken_and_falls_silent_is_shown_as_stalled(activities: Hub) -> None:
    quick, slow = await spoken(activities, stall=20.0), await spoken(activities, stall=60.0)
    await activities.pass_time(20)
    assert stalled(activities, quick, slow) == [False, False]
    await activities.pass_time(1)
    assert stalled(activities, quick, slow) == [True, False]
    await activities.pass_time(40)
    assert stalled(activities, quick, slow) == [True, True]
    assert activities.now_is(quick.uuid).state is State.RUNNING


async def test_five_minutes_of_silence_are_long_unless_said_otherwise(activities: Hub) -> None:
    activity = await activities.run(lease=LASTING)
    await say(activities, activity, progress=5)
    await activities.pass_time(300)
    assert stalled(activities, activity) == [False]
    await activities.pass_time(1)
    assert stalled(activities, activity) == [True]


async def test_how_it_is_with_one_that_never_spoke_nobody_can_tell(activities: Hub) -> None:
    activity = await activities.run(lease=LASTING, stall=20.0, report=Report(progress=5, title="at its start"))
    await activities.pass_time(100)
    assert activities.now_is(activity.uuid) == activity


async def test_one_without_a_limit_never_stalls(activities: Hub) -> None:
    activity = await spoken(activities, stall=None)
    await activities.pass_time(1_000)
    assert stalled(activities, activity) == [False]


async def test_heartbeats_do_not_say_that_the_work_goes_on(activities: Hub) -> None:
    activity = await spoken(activities)
    for _ in range(7):
        await activities.pass_time(10)
        activities.sign_of_life(activity.uuid)
    assert stalled(activities, activity) == [True]
    activities.sign_of_life(activity.uuid)
    await activities.pass_time(5)
    assert stalled(activities, activity) == [True]


@pytest.mark.parametrize("news", [{}, {"progress": 5}, {"subtitle": "on with it"}], ids=["nothing", "same", "other"])
async def test_any_word_takes_the_mark_away_and_the_silence_begins_anew(activities: Hub, news: dict[str, Any]) -> None:
    activity = await spoken(activities)
    await activities.pass_time(61)
    await say(activities, activity, **news)
    assert stalled(activities, activity) == [False]
    await activities.pass_time(60)
    assert stalled(activities, activity) == [False]
    await activities.pass_time(1)
    assert stalled(activities, activity) == [True]


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.LOST])
async def test_what_has_ended_is_not_stalled(activities: Hub, state: State) -> None:
    activity = await spoken(activities)
    await activities.pass_time(61)
    assert not (await activities.finish(activity.uuid, state)).stalled
    await activities.pass_time(100)
    assert stalled(activities, activity) == [False]


async def test_what_is_asked_to_stop_is_not_found_stalled(activities: Hub) -> None:
    activity = await spoken(activities, grace=300.0)
    await activities.request_cancel(activity.uuid)
    await activities.pass_time(100)
    assert stalled(activities, activity) == [False]


async def test_watchers_are_told_once_of_a_stall_and_once_of_its_end(activities: Hub) -> None:
    activity = await spoken(activities)
    seen = activities.feed(EVERYTHING).view.revision
    await activities.pass_time(120)
    assert await activities.story(activity.uuid, seen) == ["updated"]
    assert activities.feed(EVERYTHING).view.revision == seen + 1


async def test_operations_of_this_process_stall_too(activities: Hub) -> None:
    async with activities.start("t", stall=60) as it:
        it.report(5)
        await activities.settled()
        await activities.pass_time(61)
        assert it.activity.stalled
        it.report(subtitle="on with it")
        await activities.settled()
        assert not it.activity.stalled


async def test_who_speaks_while_it_is_being_marked_is_not_marked() -> None:
    async with hub() as activities:
        activity = await spoken(activities)
        await activities.pass_time(60)
        live = activities.registry.live[activity.uuid]
        await live.lock.acquire()  # some other change is on its way
        marking = asyncio.create_task(activities.pass_time(1))
        await until(lambda: live.lock._waiters)
        activities.report(activity.uuid, Report(progress=50))
        live.lock.release()
        await marking
        await activities.settled()
        assert stalled(activities, activity) == [False]


async def test_a_parent_is_not_stalled_while_a_child_speaks(activities: Hub) -> None:
    root = await spoken(activities)
    middle = await spoken(activities, parent=root.uuid)
    leaf = await spoken(activities, parent=middle.uuid)
    for second in range(10):
        await activities.pass_time(20)
        await say(activities, leaf, subtitle=f"no further, but on with it: {second}")
    assert stalled(activities, root, middle, leaf) == [False] * 3
    await activities.pass_time(61)
    assert stalled(activities, root, middle, leaf) == [True] * 3


@pytest.mark.parametrize("news", [{"progress": 5}, {"subtitle": "no further, but on with it"}])
async def test_a_child_that_speaks_again_takes_the_mark_from_all_above_it(
    activities: Hub, news: dict[str, Any]
) -> None:
    root = await spoken(activities)
    middle = await spoken(activities, parent=root.uuid)
    leaf = await spoken(activities, parent=middle.uuid)
    await activities.pass_time(61)
    await say(activities, leaf, **news)
    assert stalled(activities, root, middle, leaf) == [False] * 3


async def test_the_end_of_a_child_is_a_word(activities: Hub) -> None:
    parent = await activities.run(lease=LASTING, stall=60.0)
    child = await activities.run(lease=LASTING, parent=parent.uuid)
    await activities.pass_time(50)
    await activities.finish(child.uuid, State.SUCCEEDED)
    await activities.settled()
    assert activities.now_is(parent.uuid).reported_at == activities.time.now()
    await activities.pass_time(60)
    assert stalled(activities, parent) == [False]
    await activities.pass_time(1)
    assert stalled(activities, parent) == [True]


async def test_that_a_child_has_begun_says_nothing_of_the_work(activities: Hub) -> None:
    parent = await activities.run(lease=LASTING, stall=60.0)
    for progress in (None, -1.0):
        await activities.run(lease=LASTING, stall=60.0, parent=parent.uuid, report=Report(progress=progress))
    await activities.settled()
    assert activities.now_is(parent.uuid).reported_at is None
    await activities.pass_time(100)  # its children work in silence, and it with them
    assert stalled(activities, parent) == [False]


async def test_a_pause_of_our_own_is_nobodys_silence(activities: Hub) -> None:
    activity = await spoken(activities)
    await activities.pass_time(59)
    await activities.stand_still(3600)
    await activities.pass_time(60)
    assert stalled(activities, activity) == [False]
    await activities.pass_time(1)
    assert stalled(activities, activity) == [True]


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0, 1e9])
async def test_nobody_stalls_by_a_wall_clock_that_is_set(activities: Hub, jump: float) -> None:
    activity = await spoken(activities)
    await activities.pass_time(30)
    activities.time.jump(jump)
    await activities.pass_time(30)
    assert stalled(activities, activity) == [False]
    await activities.pass_time(1)
    assert stalled(activities, activity) == [True]


async def test_a_restart_is_nobodys_silence_and_forgets_no_mark() -> None:
    store = MemoryStore()
    async with hub(store) as before:
        silent, other = await spoken(before), await spoken(before, stall=100.0)
        await before.pass_time(90)
    async with hub(store) as activities:
        assert stalled(activities, silent, other) == [True, False]
        await activities.pass_time(100)
        assert stalled(activities, silent, other) == [True, False]
        await activities.pass_time(1)
        assert stalled(activities, silent, other) == [True, True]
        await say(activities, silent)
        assert stalled(activities, silent) == [False]


# Timeouts


async def asked_by_the_clock(activities: Hub, *which: Activity) -> None:
    await until(lambda: all(activities.now_is(each.uuid).state is State.CANCELLING for each in which))
    for each in which:
        request = activities.now_is(each.uuid).cancel
        assert request is not None and (request.by, request.reason) == (None, "timeout")


@pytest.mark.parametrize("cancellable", [True, False])
@pytest.mark.parametrize("timeout", [0.5, 20.0, 300.0])
async def test_what_takes_too_long_is_asked_to_stop_whether_or_not_users_may(
    activities: Hub, timeout: float, cancellable: bool
) -> None:
    activity = await activities.run(timeout=timeout, cancellable=cancellable, lease=LASTING, grace=5.0)
    await activities.pass_time(timeout)
    assert activities.now_is(activity.uuid) == activity
    await activities.pass_time(1)
    await asked_by_the_clock(activities, activity)
    await activities.pass_time(6)
    assert activities.now_is(activity.uuid).overdue
    assert (await activities.finish(activity.uuid, State.CANCELLED)).state is State.CANCELLED


async def test_what_is_in_time_is_not_asked(activities: Hub) -> None:
    activity = await activities.run(timeout=20.0)
    await activities.pass_time(15)
    ended = await activities.finish(activity.uuid, State.SUCCEEDED)
    await activities.pass_time(20)
    assert activities.now_is(activity.uuid) == ended and ended.cancel is None


async def test_signs_of_life_and_reports_buy_no_time(activities: Hub) -> None:
    activity = await activities.run(timeout=20.0)
    for second in range(21):
        activities.sign_of_life(activity.uuid)
        await say(activities, activity, progress=second)
        await activities.pass_time(1)
    await asked_by_the_clock(activities, activity)


async def test_who_was_asked_before_is_not_asked_again(activities: Hub) -> None:
    activity = await activities.run(timeout=20.0, grace=300.0)
    await activities.request_cancel(activity.uuid, by=5, reason="enough")
    await activities.pass_time(25)
    request = activities.now_is(activity.uuid).cancel
    assert request is not None and (request.by, request.reason) == (5, "enough")


async def test_a_timeout_goes_down_to_all_below_and_not_up(activities: Hub) -> None:
    root = await activities.run(lease=LASTING)
    middle = await activities.run(lease=LASTING, parent=root.uuid, timeout=20.0, cancellable=False)
    leaf = await activities.run(lease=LASTING, parent=middle.uuid, cancellable=False)
    await activities.pass_time(21)
    await asked_by_the_clock(activities, middle, leaf)
    assert activities.now_is(root.uuid).state is State.RUNNING


async def test_a_block_that_takes_too_long_is_left_as_cancelled(activities: Hub) -> None:
    async def endless() -> None:
        async with activities.start("t", timeout=20, cancellable=False):
            await asyncio.Event().wait()

    running = asyncio.create_task(endless())
    await until(activities.list)
    (activity,) = activities.list()
    await activities.pass_time(21)
    with pytest.raises(Cancelled, match=r"^the activity was cancelled: timeout$"):
        await running
    ended = activities.now_is(activity.uuid)
    assert (ended.state, ended.cancel and ended.cancel.reason) == (State.CANCELLED, "timeout")


async def test_a_thread_that_takes_too_long_is_told(activities: Hub) -> None:
    def work() -> None:
        while True:
            current().check_cancelled()
            time.sleep(0.001)

    spawned = await activities.spawn("t", work, timeout=20)
    await activities.pass_time(21)
    with pytest.raises(Cancelled):
        await spawned.result()
    assert spawned.activity.state is State.CANCELLED


async def test_a_timeout_waits_for_the_store() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run(timeout=20.0, lease=LASTING)
        store.failure = Unavailable("away")
        await activities.pass_time(30)
        assert activities.now_is(activity.uuid) == activity
        store.failure = None
        await activities.pass_time(1)
        await asked_by_the_clock(activities, activity)


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0, 1e9])
async def test_nobody_is_too_late_by_a_wall_clock_that_is_set(activities: Hub, jump: float) -> None:
    activity = await activities.run(timeout=20.0)
    await activities.pass_time(10)
    activities.time.jump(jump)
    await activities.pass_time(10)
    assert activities.now_is(activity.uuid).state is State.RUNNING
    await activities.pass_time(1)
    await asked_by_the_clock(activities, activity)


@pytest.mark.parametrize("away", [0.0, 10.0, 3600.0])
async def test_time_is_counted_from_the_start_also_across_a_restart(away: float) -> None:
    store = MemoryStore()
    async with hub(store) as before:
        activity = await before.run(timeout=60.0, lease=LASTING)
        await before.pass_time(30)
        wall = before.time.now()
    async with AsyncExitStack() as rest:
        activities = Hub(store)
        activities.time.jump(wall + away - activities.time.now())
        await rest.enter_async_context(activities)
        left = max(0.0, 30 - away)
        await activities.pass_time(left)
        assert activities.now_is(activity.uuid).state is State.RUNNING
        await activities.pass_time(1)
        await asked_by_the_clock(activities, activity)


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
