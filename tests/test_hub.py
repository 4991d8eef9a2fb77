"""The hub: one activity's journey, starting, cancelling, waiting, watching."""

import asyncio
from collections import Counter
from itertools import pairwise

import pytest

from headway import liveness
from headway.admission import Limits
from headway.core.activity import Activity, State
from headway.core.errors import (
    AlreadyEnded,
    HeadwayError,
    IllegalTransition,
    KeyReused,
    LeaseLost,
    NotCancellable,
    NotFound,
    TooMany,
    Unavailable,
)
from headway.core.lifecycle import Report
from headway.core.policy import EVERYTHING, SYSTEM_USER
from headway.core.view import Event, Kind, Resync
from headway.hub import Activities
from headway.ports import HistoryQuery
from headway.stores import StoreError
from headway.stores.memory import MemoryStore
from tests.hubs import DEADLINE, FaultyStore, hub, until


async def test_the_journey_of_an_activity() -> None:
    async with hub() as activities:
        first, new = await activities.create("library.scan", 7, cancellable=True, report=Report(title="Scanning"))
        assert new and first.state is State.RUNNING
        assert (first.started_at, first.title, first.revision) == (activities.time.now(), "Scanning", 1)
        assert activities.list() == activities.list(7) == [first]
        assert activities.list(8) == []

        activities.time.advance(5.0)
        preview = activities.report(first.uuid, Report(progress=40, subtitle="Alien"))
        assert (preview.progress.percent, preview.subtitle) == (40, "Alien")
        await activities.settled(7)
        assert activities.now_is(first.uuid).progress.percent == 40
        assert activities.now_is(first.uuid).reported_at == activities.time.now()

        asked = await activities.request_cancel(first.uuid, 7, by=7, reason="bored")
        assert asked.state is State.CANCELLING
        assert asked.cancel is not None and (asked.cancel.by, asked.cancel.reason) == (7, "bored")

        activities.time.advance(1.0)
        ended = await activities.finish(first.uuid, State.CANCELLED)
        assert (ended.state, ended.ended_at) == (State.CANCELLED, activities.time.now())
        assert activities.list() == []
        assert await activities.get(first.uuid, 7) == ended
        assert await activities.history(HistoryQuery(7)) == [ended]
        assert [event.kind for event in await activities.told() if isinstance(event, Event)] == ["started", "ended"]


async def test_foreign_and_unknown_are_the_same() -> None:
    async with hub() as activities:
        activity = await activities.run(owner=7)
        for uuid in (activity.uuid, "no-such-activity"):
            for attempt in (activities.get(uuid, 8), activities.request_cancel(uuid, 8), activities.wait(uuid, 0, 8)):
                with pytest.raises(NotFound) as caught:
                    await attempt
                assert caught.value.message == NotFound().message
        assert activities.now_is(activity.uuid) == activity


async def test_a_cancel_is_200_400_or_404() -> None:
    async with hub() as activities:
        stubborn = await activities.run(cancellable=False)
        with pytest.raises(NotCancellable):
            await activities.request_cancel(stubborn.uuid)
        await activities.finish(stubborn.uuid, State.SUCCEEDED)
        with pytest.raises(NotFound):
            await activities.request_cancel(stubborn.uuid)

        asked = await activities.run()
        first = await activities.request_cancel(asked.uuid, by=1)
        assert await activities.request_cancel(asked.uuid, by=2) == first
        ended = await activities.finish(asked.uuid, State.SUCCEEDED)
        assert await activities.request_cancel(asked.uuid, by=3) == ended


async def test_who_insists_is_not_refused() -> None:
    async with hub() as activities:
        stubborn = await activities.run(owner=7, cancellable=False)
        with pytest.raises(NotFound):
            await activities.abandon(stubborn.uuid, 8)
        gone = await activities.abandon(stubborn.uuid, by=1)
        assert (gone.state, gone.error, gone.epoch) == (State.LOST, "abandoned", 1)
        assert gone.cancel is not None and gone.cancel.by == 1
        assert await activities.abandon(stubborn.uuid, by=2) == gone
        with pytest.raises(LeaseLost):
            activities.report(stubborn.uuid, Report(progress=1))


async def test_many_cancels_at_once_make_one_record() -> None:
    async with hub() as activities:
        activity = await activities.run()
        answers = await asyncio.gather(*(activities.request_cancel(activity.uuid, by=n) for n in range(50)))
        assert len({answer.revision for answer in answers}) == 1


async def test_what_has_ended_says_so() -> None:
    async with hub() as activities:
        done, lost = await activities.run(), await activities.run()
        await activities.finish(done.uuid, State.SUCCEEDED)
        await activities.give_up(lost.uuid, "lease_expired")
        for uuid, error in ((done.uuid, AlreadyEnded), (lost.uuid, LeaseLost)):
            with pytest.raises(error):
                await activities.finish(uuid, State.FAILED)
            with pytest.raises(error):
                activities.report(uuid, Report(progress=1))
        with pytest.raises(NotFound):
            activities.report("no-such-activity", Report(progress=1))


async def test_an_illegal_end_changes_nothing() -> None:
    async with hub() as activities:
        activity = await activities.run()
        activities.report(activity.uuid, Report(progress=10))
        with pytest.raises(IllegalTransition):
            await activities.finish(activity.uuid, State.CANCELLED)
        await activities.settled()
        assert activities.now_is(activity.uuid).progress.percent == 10  # what was said on the way is not lost
        assert activities.now_is(activity.uuid).state is State.RUNNING


async def test_ten_thousand_races_of_end_and_cancel_have_one_end_each() -> None:
    async with hub(limits=Limits(live_per_owner=20_000)) as activities:
        started = [await activities.run() for _ in range(10_000)]

        async def race(number: int, activity: Activity) -> None:
            finish = activities.finish(activity.uuid, State.SUCCEEDED if number % 3 else State.FAILED)
            cancel = activities.request_cancel(activity.uuid)
            await asyncio.gather(*((finish, cancel) if number % 2 else (cancel, finish)), return_exceptions=True)

        await asyncio.gather(*(race(number, activity) for number, activity in enumerate(started)))
        assert activities.list() == []
        told = [event for event in await activities.told() if isinstance(event, Event)]
        assert Counter(event.kind for event in told) == {Kind.STARTED: 10_000, Kind.ENDED: 10_000}
        assert all(before.revision < after.revision for before, after in pairwise(told))
        ends = [event.activity for event in told if event.kind is Kind.ENDED]
        assert {end.state for end in ends} == {State.SUCCEEDED, State.FAILED}
        assert {end.cancel is None for end in ends} == {True, False}


# Starting with a key


async def test_the_same_key_is_the_same_activity_also_after_its_end() -> None:
    async with hub() as activities:
        first, new = await activities.create("t", 1, key="k", fingerprint="f")
        again, newer = await activities.create("t", 1, key="k", fingerprint="f")
        assert (again, new, newer) == (first, True, False)
        ended = await activities.finish(first.uuid, State.SUCCEEDED)
        assert await activities.create("t", 1, key="k", fingerprint="f") == (ended, False)


async def test_a_key_is_refused_for_anything_else() -> None:
    async with hub() as activities:
        await activities.create("t", 1, key="k", fingerprint="f")
        with pytest.raises(KeyReused):
            await activities.create("t", 1, key="k", fingerprint="other")


async def test_keys_of_two_users_do_not_meet() -> None:
    async with hub() as activities:
        mine, _ = await activities.create("t", 1, key="k", fingerprint="f")
        yours, new = await activities.create("t", 2, key="k", fingerprint="other")
        assert new and mine.uuid != yours.uuid


async def test_parallel_starts_with_one_key_are_one_start() -> None:
    async with hub() as activities:
        answers = await asyncio.gather(*(activities.create("t", 1, key="k", fingerprint="f") for _ in range(50)))
        assert Counter(new for _, new in answers) == {True: 1, False: 49}
        assert len({activity.uuid for activity, _ in answers}) == 1
        assert len(activities.list()) == 1


async def test_a_key_outlives_a_restart_and_tells_nothing_without_the_secret() -> None:
    store = MemoryStore()
    async with hub(store) as activities:
        first, _ = await activities.create("t", 1, key="k", fingerprint="f")
    async with hub(store) as activities:
        again, new = await activities.create("t", 1, key="k", fingerprint="f")
        assert (again.uuid, new) == (first.uuid, False)
    async with hub() as elsewhere:
        other, _ = await elsewhere.create("t", 1, key="k", fingerprint="f")
        assert other.uuid != first.uuid


# Limits


async def test_one_user_can_only_have_so_many_alive() -> None:
    async with hub(limits=Limits(live_per_owner=2)) as activities:
        first, _ = await activities.run(owner=1), await activities.run(owner=1)
        with pytest.raises(TooMany):
            await activities.run(owner=1)
        await activities.run(owner=2)
        await activities.finish(first.uuid, State.SUCCEEDED)
        await activities.run(owner=1)


async def test_all_together_can_only_have_so_many_alive() -> None:
    async with hub(limits=Limits(live=2)) as activities:
        await activities.run(owner=1), await activities.run(owner=2)
        with pytest.raises(Unavailable):
            await activities.run(owner=3)


async def test_a_known_key_is_answered_at_the_limit() -> None:
    async with hub(limits=Limits(live_per_owner=1)) as activities:
        first, _ = await activities.create("t", 1, key="k", fingerprint="f")
        assert await activities.create("t", 1, key="k", fingerprint="f") == (first, False)


@pytest.mark.parametrize("patient", [True, False])
async def test_starts_on_their_way_count_even_when_nobody_waits_for_them(patient: bool) -> None:
    store = FaultyStore()
    async with hub(store, limits=Limits(live_per_owner=2)) as activities:
        store.hold()
        starts = [asyncio.create_task(activities.run()) for _ in range(2)]
        await until(lambda: len(store.commits) == 2)
        if not patient:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
        with pytest.raises(TooMany):
            await activities.run()
        store.release()
        await until(lambda: len(activities.list()) == 2)
        with pytest.raises(TooMany):
            await activities.run()


async def test_a_start_that_failed_leaves_its_room_to_others() -> None:
    store = FaultyStore()
    async with hub(store, limits=Limits(live_per_owner=1)) as activities:
        store.failure = Unavailable("no")
        with pytest.raises(Unavailable):
            await activities.run()
        store.failure = None
        await activities.run()


# Waiting


async def test_waiting_ends_with_the_next_change_of_state() -> None:
    async with hub() as activities:
        activity = await activities.run()
        waiting = asyncio.create_task(activities.wait(activity.uuid, DEADLINE))
        await asyncio.sleep(0)
        activities.report(activity.uuid, Report(progress=50))
        await activities.settled()
        assert not waiting.done()
        await activities.request_cancel(activity.uuid)
        assert (await waiting).state is State.CANCELLING


async def test_waiting_for_the_end_is_not_content_with_less() -> None:
    async with hub() as activities:
        activity = await activities.run()
        waiting = asyncio.create_task(activities.wait(activity.uuid, DEADLINE, ended=True))
        await asyncio.sleep(0)
        await activities.request_cancel(activity.uuid)
        await asyncio.sleep(0)
        assert not waiting.done()
        await activities.finish(activity.uuid, State.CANCELLED)
        assert (await waiting).state is State.CANCELLED


async def test_waiting_is_over_at_once_when_there_is_nothing_to_wait_for() -> None:
    async with hub() as activities:
        activity = await activities.run()
        assert (await activities.wait(activity.uuid, DEADLINE, known=State.CANCELLING)).state is State.RUNNING
        assert (await activities.wait(activity.uuid, 0)).state is State.RUNNING
        ended = await activities.finish(activity.uuid, State.SUCCEEDED)
        assert await activities.wait(activity.uuid, DEADLINE) == ended
        assert await activities.wait(activity.uuid, DEADLINE, ended=True) == ended


async def test_waiting_tells_how_it_stands_when_time_is_up() -> None:
    async with hub() as activities:
        activity = await activities.run()
        assert (await activities.wait(activity.uuid, 0.01)).state is State.RUNNING


# Watching


async def test_a_watcher_is_told_from_now_on() -> None:
    async with hub() as activities:
        await activities.run(owner=1)
        watching = activities.watch(1)
        told = asyncio.ensure_future(anext(watching))
        await asyncio.sleep(0)
        second = await activities.run(owner=1)
        event = await told
        assert isinstance(event, Event)
        assert (event.kind, event.activity) == (Kind.STARTED, second)


async def test_a_watcher_is_told_of_nobody_else() -> None:
    async with hub() as activities:
        watching = activities.watch(2, since=0)
        told = asyncio.ensure_future(anext(watching))
        for _ in range(10):
            await activities.run(owner=1)
        assert not told.done()
        mine = await activities.run(owner=2)
        event = await told
        assert isinstance(event, Event) and event.activity.uuid == mine.uuid


async def test_a_watcher_is_told_all_there_is_before_it_waits() -> None:
    async with hub() as activities:
        activity = await activities.run()
        activities.report(activity.uuid, Report(progress=50))
        await activities.settled()
        watching = activities.watch(since=0)
        told = [await anext(watching), await anext(watching)]
        assert [event.revision for event in told if isinstance(event, Event)] == [1, 2]


async def test_a_watcher_that_missed_something_is_told_so_and_goes_on() -> None:
    async with hub() as activities:
        watching = activities.watch(since=99)
        assert isinstance(await anext(watching), Resync)
        activity = await activities.run()
        event = await anext(watching)
        assert isinstance(event, Event) and event.activity == activity


async def test_watching_ends_with_the_hub_after_the_last_event() -> None:
    async with hub() as activities:
        activity = await activities.run()
        watching = activities.watch(since=0)
        assert isinstance(await anext(watching), Event)

        async def rest() -> list[str]:
            return [event.kind.value async for event in watching if isinstance(event, Event)]

        waiting = asyncio.create_task(rest())
        await asyncio.sleep(0)
        await activities.finish(activity.uuid, State.SUCCEEDED)
    async with asyncio.timeout(DEADLINE):
        assert await waiting == ["ended"]


async def test_a_watcher_leaves_nothing_in_the_hub() -> None:
    async with hub() as activities:
        await activities.run()

        def sizes() -> list[int]:
            kept = (activities, activities.registry, activities.feed(EVERYTHING), activities.feed(EVERYTHING).view)
            return [len(value) for thing in kept for value in vars(thing).values() if hasattr(value, "__len__")]

        before = sizes()
        watchers = [activities.watch(since=0) for _ in range(1000)]
        for watching in watchers:
            assert isinstance(await anext(watching), Event)
        assert sizes() == before


# What the server does for itself


async def test_nobody_sees_what_the_server_does_for_itself() -> None:
    store = MemoryStore()
    async with hub(store) as activities:
        seen = await activities.run(owner=1)
        cursor = activities.feed(EVERYTHING).view.revision
        own = await activities.run(owner=SYSTEM_USER)
        await activities.finish(own.uuid, State.SUCCEEDED)
        assert activities.list() == [seen]
        assert await activities.told(since=cursor) == []
        with pytest.raises(NotFound):
            await activities.get(own.uuid)
        assert await store.prune(before=activities.time.now() + 1, keep=0) == 1
    async with hub(store) as activities:
        assert await activities.told(since=cursor) == []  # what is forgotten of it is no gap for anyone


# Opening and closing


async def test_a_hub_is_opened_by_its_first_start() -> None:
    activities = Activities()
    try:
        activity, _ = await activities.create("t", 1)
        assert activities.list() == [activity]
    finally:
        await activities.close()


async def test_nothing_starts_in_a_closed_hub_until_it_is_opened_again() -> None:
    activities = Activities()
    await activities.open()
    await activities.close()
    with pytest.raises(Unavailable):
        await activities.create("t", 1)
    await activities.open()
    await activities.create("t", 1)
    await activities.close()
    await activities.close()


async def test_a_store_is_let_go_when_opening_fails_half_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "SHUTDOWN_GRACE", 0.01)
    store = FaultyStore()
    async with hub(store) as activities:
        await activities.create("t", 1, operation=Idle())
        store.failure = Unavailable("no")
    with pytest.raises(Unavailable):
        await Activities(store).open()
    with pytest.raises(Unavailable, match="closed"):
        await store.inner.commit([])


async def test_a_store_is_let_go_when_the_last_reports_cannot_be_written() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        store.failure = RuntimeError("broken")
        activities.report(activity.uuid, Report(progress=1))
    with pytest.raises(Unavailable, match="closed"):
        await store.inner.commit([])


class Idle:
    """An operation that is asked to stop and does not care."""

    def request_stop(self, activity: Activity) -> None:
        pass


async def test_a_store_that_cannot_be_opened_says_why() -> None:
    with pytest.raises(StoreError, match="no store is known by the scheme 'file'"):
        Activities("file:x")


# A store that fails


async def test_a_failing_store_fails_the_change_and_nothing_else() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        activities.report(activity.uuid, Report(progress=30))
        store.failure = Unavailable("the disk is on fire")
        for attempt in (activities.request_cancel(activity.uuid), activities.finish(activity.uuid, State.SUCCEEDED)):
            with pytest.raises(Unavailable, match="on fire"):
                await attempt
        assert activities.list() == [activity]
        store.failure = None
        ended = await activities.finish(activity.uuid, State.FAILED)
        assert ended.progress.percent == 30


async def test_a_caller_that_goes_away_leaves_one_change_or_none() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        activities.report(activity.uuid, Report(progress=30))
        store.hold()
        asking = asyncio.create_task(activities.request_cancel(activity.uuid))
        await until(lambda: any(write.activity.cancel for commit in store.commits for write in commit))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        store.release()
        ended = await activities.finish(activity.uuid, State.SUCCEEDED)
        assert ended.progress.percent == 100
        assert await activities.story(activity.uuid) == ["started", "ended"]


async def test_an_activity_that_is_not_known_yet_is_not_promised_anything() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        del activities.registry.live[activity.uuid]  # as if another node had only just started it
        with pytest.raises(HeadwayError) as caught:
            await activities.request_cancel(activity.uuid)
        assert isinstance(caught.value, Unavailable)
