"""From reports to revisions: nothing lost, nothing twice, and no more often than every 50 ms."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from headway.core.activity import Activity, State
from headway.core.errors import HeadwayError, NotCancellable, Unavailable
from headway.core.lifecycle import Report
from headway.ports import Write
from headway.stores.alone import PACE
from tests.hubs import DEADLINE, FaultyStore, Hub, hub, until


def flushes(store: FaultyStore) -> list[list[float]]:
    """The progress, in percent, of each commit of nothing but reports."""
    volatile = [commit for commit in store.commits if not any(write.durable for write in commit)]
    return [[write.activity.progress.percent for write in commit] for commit in volatile]


async def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run it in so many threads at once."""
    ready = threading.Barrier(count)

    def begin(number: int) -> None:
        ready.wait(DEADLINE)
        work(number)

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(count) as threads:
        await asyncio.gather(*(loop.run_in_executor(threads, begin, number) for number in range(count)))


async def test_a_report_after_a_quiet_moment_is_seen_at_once() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        activities.report(activity.uuid, Report(progress=10))
        for _ in range(10):  # turns of the loop, which take no time of the clock
            await asyncio.sleep(0)
        assert flushes(store) == [[10]]


async def test_a_change_carries_the_time_of_its_report_not_of_the_flush() -> None:
    async with hub() as activities, activities.start("t") as it:
        remote = await activities.run()
        activities.time.advance(10)
        reported = activities.clock.now()
        activities.report(remote.uuid, Report(progress=10))
        it.report(10)
        activities.time.advance(3)  # others keep the flush busy
        await activities.settled()
        seen = await activities.get(remote.uuid)
        assert seen.updated_at == seen.reported_at == it.activity.updated_at == reported


async def test_flushes_keep_their_distance_and_conflate() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for percent in range(101):
            activities.report(activity.uuid, Report(progress=percent))
            await asyncio.sleep(0.002)
        await activities.settled()
        passed = loop.time() - begun
        assert flushes(store)[-1] == [100]
        assert len(flushes(store)) <= passed / PACE + 2  # the first comes at once, the last may be on its way


async def test_one_flush_carries_everyones_reports() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        started = [await activities.run() for _ in range(100)]
        for activity in started:
            for percent in range(5):
                activities.report(activity.uuid, Report(progress=percent))
        await activities.settled()
        assert flushes(store) == [[4] * 100]


async def test_reports_from_eight_threads_lose_nothing() -> None:
    async with hub() as activities:
        started = [await activities.run() for _ in range(4)]

        def work(thread: int) -> None:
            for count in range(500):
                for activity in started:
                    activities.report(activity.uuid, Report(context={f"thread{thread}": count}))

        await in_threads(8, work)
        await activities.settled()
        for activity in started:
            assert activities.now_is(activity.uuid).context == {f"thread{number}": 499 for number in range(8)}


async def test_first_reports_from_eight_threads_at_once_make_no_second_flush_beside_the_first() -> None:
    class Counting(FaultyStore):
        running = most = 0

        async def commit(self, writes: Sequence[Write]) -> list[int | None]:
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                await asyncio.sleep(2 * PACE)
                return await super().commit(writes)
            finally:
                self.running -= 1

    store = Counting()
    async with hub(store) as activities:
        started = [await activities.run() for _ in range(8)]

        def work(thread: int) -> None:
            for count in range(20):
                activities.report(started[thread].uuid, Report(progress=count))
                time.sleep(PACE / 10)

        await in_threads(8, work)
        await activities.settled()
        assert store.most == 1


@pytest.mark.parametrize("failure", [None, Unavailable("away")], ids=["succeeds", "fails"])
async def test_a_report_during_a_commit_is_not_lost_whether_that(failure: Exception | None) -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        store.hold()
        activities.report(activity.uuid, Report(progress=10, title="old"))
        await until(lambda: flushes(store) == [[10]])
        activities.report(activity.uuid, Report(progress=20))
        store.failure = failure
        store.release()
        await until(lambda: len(flushes(store)) == 2)
        store.failure = None
        await until(lambda: activities.now_is(activity.uuid).progress.percent == 20)
        assert activities.now_is(activity.uuid).title == "old"


async def test_settled_waits_for_the_flush_that_is_on_its_way() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        store.hold()
        activities.report(activity.uuid, Report(progress=10))
        await until(lambda: flushes(store) == [[10]])
        settling = asyncio.create_task(activities.settled())
        await asyncio.sleep(3 * PACE)
        assert not settling.done()
        store.release()
        await settling
        assert activities.now_is(activity.uuid).progress.percent == 10


@pytest.mark.parametrize("change", ["cancel", "end", "lose"])
async def test_a_lifecycle_change_takes_the_reports_along(change: str) -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        activities.report(activity.uuid, Report(progress=33, response={"n": 1}))
        changed = await made(activities, activity, change)
        assert (changed.progress.percent, changed.response) == (33, {"n": 1})
        assert flushes(store) == []


async def made(activities: Hub, activity: Activity, change: str) -> Activity:
    if change == "cancel":
        return await activities.request_cancel(activity.uuid)
    if change == "end":
        return await activities.finish(activity.uuid, State.FAILED)
    return await activities.give_up(activity.uuid, "lease_expired")


async def test_last_news_comes_after_what_was_said_before() -> None:
    async with hub() as activities:
        activity = await activities.run()
        activities.report(activity.uuid, Report(title="old", subtitle="said"))
        ended = await activities.finish(activity.uuid, State.SUCCEEDED, news=Report(title="new"))
        assert (ended.title, ended.subtitle) == ("new", "said")


async def test_what_a_refused_change_has_taken_along_comes_back() -> None:
    async with hub() as activities:
        activity = await activities.run(cancellable=False)
        activities.report(activity.uuid, Report(progress=10, title="old"))
        refused = asyncio.create_task(activities.request_cancel(activity.uuid))
        activities.report(activity.uuid, Report(progress=20))
        with pytest.raises(NotCancellable):
            await refused
        await activities.settled()
        seen = activities.now_is(activity.uuid)
        assert (seen.progress.percent, seen.title) == (20, "old")


async def test_a_refused_change_without_reports_makes_no_flush() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run(cancellable=False)
        with pytest.raises(NotCancellable):
            await activities.request_cancel(activity.uuid)
        await asyncio.sleep(2 * PACE)
        assert flushes(store) == []


@pytest.mark.parametrize("failure", [Unavailable("away"), RuntimeError("broken")])
async def test_reports_wait_for_a_store_that_fails(failure: Exception) -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        store.failure = failure
        activities.report(activity.uuid, Report(progress=10, title="old"))
        await until(lambda: len(flushes(store)) >= 2)
        activities.report(activity.uuid, Report(progress=20))
        store.failure = None
        await until(lambda: activities.now_is(activity.uuid).progress.percent == 20)
        assert activities.now_is(activity.uuid).title == "old"


async def test_reading_does_not_wait_for_a_store_that_fails() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        store.failure = Unavailable("away")
        activities.report(activity.uuid, Report(progress=10))
        await activities.settled()
        assert activities.list() == [activity]


async def test_settled_waits_for_a_change_that_has_taken_the_reports_along() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        store.hold()
        activities.report(activity.uuid, Report(progress=10))
        asking = asyncio.create_task(activities.request_cancel(activity.uuid))
        await until(lambda: len(store.commits) == 2)
        settling = asyncio.create_task(activities.settled())
        await asyncio.sleep(3 * PACE)
        assert not settling.done()
        store.release()
        await settling
        assert activities.now_is(activity.uuid).progress.percent == 10
        await asking


async def test_settled_waits_for_nobody_elses_reports() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run(owner=1)
        store.hold()
        activities.report(activity.uuid, Report(progress=10))
        await activities.settled(2)
        store.release()
        await activities.settled(1)
        assert activities.now_is(activity.uuid).progress.percent == 10


async def test_settled_holds_while_others_go_on_reporting() -> None:
    async with hub() as activities:
        first, *others = [await activities.run() for _ in range(20)]
        stop = threading.Event()

        def chatter() -> None:
            while not stop.is_set():
                for other in others:
                    activities.report(other.uuid, Report(progress=1))

        talking = asyncio.create_task(asyncio.to_thread(chatter))
        try:
            for percent in range(10):
                activities.report(first.uuid, Report(progress=percent))
                await activities.settled()
                assert activities.now_is(first.uuid).progress.percent == percent
        finally:
            stop.set()
            await talking


async def test_the_last_reports_are_written_at_the_close() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.run()
        activities.report(activity.uuid, Report(progress=77))
    async with hub(store) as activities:
        assert activities.now_is(activity.uuid).progress.percent == 77


async def test_reporting_is_safe_from_any_thread_while_it_ends() -> None:
    failures: list[BaseException] = []
    async with hub() as activities:
        for _ in range(30):
            activity = await activities.run()
            done = threading.Event()

            def work(uuid: str = activity.uuid, done: threading.Event = done) -> None:
                try:
                    while not done.is_set():
                        activities.report(uuid, Report(progress=1))
                except HeadwayError as error:
                    failures.append(error)

            thread = asyncio.create_task(asyncio.to_thread(work))
            await asyncio.sleep(0.001)
            await activities.finish(activity.uuid, State.SUCCEEDED)
            done.set()
            await thread
            assert activities.now_is(activity.uuid).progress.percent == 100
    assert {type(failure).__name__ for failure in failures} <= {"AlreadyEnded", "NotFound"}


async def test_a_report_after_the_loop_has_gone_raises_nothing() -> None:
    activities, uuid = await asyncio.to_thread(lambda: asyncio.run(abandoned()))
    assert activities.report(uuid, Report(progress=5)).progress.percent == 5


async def abandoned() -> tuple[Hub, str]:
    """A hub whose loop ends without closing it."""
    activities = Hub()
    await activities.open()
    return activities, (await activities.run()).uuid
