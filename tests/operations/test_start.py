"""A block of a coroutine as an operation: its way out decides the end, and nothing of ours reaches the job."""

import asyncio
import logging
import uuid
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from headway import liveness, records
from headway.context import current
from headway.core.activity import Activity, State
from headway.core.errors import Cancelled, InvalidInput, StorageFull, Unavailable
from headway.core.lifecycle import Report
from headway.operations import task as task_module
from headway.operations.start import Start
from headway.reporter import Reporter
from headway.stores.memory import MemoryStore
from tests.hubs import DEADLINE, FaultyStore, Hub, hub, until


class Job:
    """A block that runs until it is let go, and the task it runs in."""

    def __init__(self, activity: Start) -> None:
        self.let_go = asyncio.Event()
        self.cancels = 0
        self.task = asyncio.create_task(self._run(activity))

    async def _run(self, activity: Start) -> None:
        async with activity as reporter:
            self.reporter = reporter
            await self.work()

    async def work(self) -> None:
        await self.let_go.wait()

    async def started(self) -> Activity:
        await until(lambda: hasattr(self, "reporter") or self.task.done())
        return self.reporter.activity


class Deaf(Job):
    """A block that swallows so many cancels."""

    deafness = 2

    async def work(self) -> None:
        while not self.let_go.is_set():
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                self.cancels += 1
                if self.cancels > self.deafness:
                    raise


async def outcome(job: Job) -> BaseException | None:
    (result,) = await asyncio.gather(job.task, return_exceptions=True)
    return result


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test would wait a second for the next try, it waits a moment."""
    monkeypatch.setattr(task_module, "RECANCEL", 0.01)
    monkeypatch.setattr(records, "RETRY", 0.001)
    monkeypatch.setattr(liveness, "SHUTDOWN_GRACE", 0.2)


# How it ends


async def test_a_block_that_is_left_normally_has_succeeded() -> None:
    async with hub() as activities:
        async with activities.start("library.scan", title="Films", subtitle="A", context={"key": "1"}, owner=7) as it:
            assert not it.activity.ended
            assert (it.activity.type, it.activity.title, it.activity.subtitle) == ("library.scan", "Films", "A")
            assert (it.activity.owner, it.activity.context, it.activity.cancellable) == (7, {"key": "1"}, True)
            assert (it.activity.node, it.activity.lease) == (activities.node, None)
            it.report(30)
        assert it.activity.state is State.SUCCEEDED
        assert it.activity.progress.percent == 100
        assert "succeeded 100%" in repr(it)


async def test_a_block_that_raises_has_failed_and_the_error_goes_on() -> None:
    async with hub() as activities:
        with pytest.raises(ZeroDivisionError):
            async with activities.start("t") as it:
                it.report(30)
                await asyncio.sleep(0)
                raise ZeroDivisionError("no \x1b[31mway\n" + "x" * 5000)
        assert (it.activity.state, it.activity.progress.percent) == (State.FAILED, 30)
        assert it.activity.error is not None
        assert it.activity.error.startswith("ZeroDivisionError: no \ufffd[31mway x")
        assert len(it.activity.error) == 2000


async def test_a_cancel_on_record_stops_the_block() -> None:
    async with hub() as activities:
        job = Job(activities.start("t"))
        activity = await job.started()
        await activities.request_cancel(activity.uuid, by=5)
        assert isinstance(await outcome(job), Cancelled)
        ended = job.reporter.activity
        assert ended.state is State.CANCELLED
        assert ended.cancel is not None and ended.cancel.by == 5
        assert job.reporter.cancel_requested


@pytest.mark.parametrize("cancellable", [True, False])
async def test_a_block_that_its_own_program_cancels_is_cancelled_whether_users_could_or_not(cancellable: bool) -> None:
    async with hub() as activities:
        job = Job(activities.start("t", cancellable=cancellable))
        await job.started()
        job.task.cancel()
        assert isinstance(await outcome(job), asyncio.CancelledError)
        ended = job.reporter.activity
        assert ended.state is State.CANCELLED
        assert ended.cancel is not None and (ended.cancel.by, ended.cancel.reason) == (None, "task_cancelled")


async def test_a_timeout_around_the_block_is_a_cancel() -> None:
    async with hub() as activities:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), activities.start("t") as it:
                await asyncio.Event().wait()
        assert it.activity.state is State.CANCELLED


async def test_work_that_finishes_anyway_has_succeeded() -> None:
    async with hub() as activities:
        job = Deaf(activities.start("t"))
        activity = await job.started()
        await activities.request_cancel(activity.uuid)
        await until(lambda: job.cancels == 1)
        job.let_go.set()
        assert await outcome(job) is None
        assert job.reporter.activity.state is State.SUCCEEDED
        assert job.reporter.activity.cancel is not None


async def test_an_error_on_the_way_out_is_a_failure() -> None:
    class Clumsy(Job):
        async def work(self) -> None:
            try:
                await super().work()
            except asyncio.CancelledError:
                raise OSError("cannot clean up") from None

    async with hub() as activities:
        job = Clumsy(activities.start("t"))
        activity = await job.started()
        await activities.request_cancel(activity.uuid)
        assert isinstance(await outcome(job), OSError)
        assert (job.reporter.activity.state, job.reporter.activity.error) == (
            State.FAILED,
            "OSError: cannot clean up",
        )


async def test_what_swallows_a_cancel_is_asked_again() -> None:
    async with hub() as activities:
        job = Deaf(activities.start("t"))
        activity = await job.started()
        await activities.request_cancel(activity.uuid)
        assert isinstance(await outcome(job), Cancelled)
        assert job.cancels == Deaf.deafness + 1
        assert job.reporter.activity.state is State.CANCELLED


async def test_it_is_asked_again_only_while_its_grace_lasts() -> None:
    class Stone(Deaf):
        deafness = 1_000_000

    async with hub() as activities:
        job = Stone(activities.start("t", grace=5 * 0.01))
        activity = await job.started()
        await activities.request_cancel(activity.uuid)
        await until(lambda: job.cancels == 5)
        await asyncio.sleep(0.05)
        assert job.cancels == 5
        assert job.reporter.activity.state is State.CANCELLING
        job.let_go.set()
        await job.task


async def test_what_follows_the_block_is_not_cancelled_any_more() -> None:
    async with hub() as activities:
        after = asyncio.Event()

        async def two_parts() -> str:
            try:
                async with activities.start("t") as it:
                    uuids.append(it.uuid)
                    await asyncio.Event().wait()
            except Cancelled:
                after.set()
                await asyncio.sleep(5 * task_module.RECANCEL)
            return "done"

        uuids: list[str] = []
        task = asyncio.create_task(two_parts())
        await until(lambda: uuids)
        await activities.request_cancel(uuids[0])
        await after.wait()
        assert await task == "done"


# Starting


async def test_a_start_refused_is_raised_to_the_caller() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        store.failure = StorageFull()
        with pytest.raises(StorageFull):
            async with activities.start("t"):
                raise AssertionError("not reached")
        assert activities.list() == []


@pytest.mark.parametrize("options", [{"type": "a b"}, {"context": {"a b": 1}}, {"context": {"key": None}}])
async def test_a_start_that_breaks_a_rule_says_which(options: dict[str, Any]) -> None:
    async with hub() as activities:
        with pytest.raises(InvalidInput):
            activities.start(**{"type": "t", **options})


async def test_text_of_a_subclass_becomes_plain_text() -> None:
    class Markup(str):
        __slots__ = ()

    async with hub() as activities, activities.start("t", title=Markup("plain"), subtitle=Markup("ümlaut")) as it:
        assert (type(it.activity.title), type(it.activity.subtitle)) == (str, str)


@pytest.mark.parametrize("cancellable", [True, False])
async def test_a_start_that_is_cancelled_on_its_way_is_ended(cancellable: bool) -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        store.hold()
        job = Job(activities.start("t", cancellable=cancellable))
        await until(lambda: store.commits)
        job.task.cancel()
        assert isinstance(await outcome(job), asyncio.CancelledError)
        store.release()
        await until(lambda: store.commits[-1][0].activity.ended)
        written = store.commits[0][0].activity.uuid
        await until(lambda: activities.now_is(written).state is State.CANCELLED)
        assert await activities.story(written) == ["started", "ended"]


async def test_a_start_cancelled_on_its_way_that_is_refused_leaves_nothing() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        store.hold()
        store.failure = Unavailable("no")
        job = Job(activities.start("t"))
        await until(lambda: store.commits)
        job.task.cancel()
        await outcome(job)
        store.release()
        await asyncio.sleep(0.01)
        assert activities.list() == []
        assert len(store.commits) == 1


async def test_it_can_only_be_entered_in_a_task() -> None:
    async with hub() as activities:
        entering = activities.start("t").__aenter__()
        errors: list[RuntimeError] = []

        def outside() -> None:
            try:
                entering.send(None)
            except RuntimeError as error:
                errors.append(error)

        asyncio.get_running_loop().call_soon(outside)
        await until(lambda: errors)
        assert "inside a task" in str(errors[0])


# Children


async def test_a_block_waits_for_its_children() -> None:
    async with hub() as activities:
        job = Job(activities.start("t"))
        parent = await job.started()
        child = await activities.run(parent=parent.uuid)
        job.let_go.set()
        await asyncio.sleep(0.01)
        assert not job.reporter.activity.ended
        await activities.finish(child.uuid, State.SUCCEEDED)
        assert await outcome(job) is None
        assert job.reporter.activity.state is State.SUCCEEDED


async def test_a_cancel_while_it_waits_for_its_children_is_recorded() -> None:
    async with hub() as activities:
        job = Job(activities.start("t"))
        parent = await job.started()
        child = await activities.run(parent=parent.uuid)
        job.let_go.set()
        await asyncio.sleep(0.01)
        await activities.request_cancel(parent.uuid)
        await until(lambda: activities.now_is(child.uuid).state is State.CANCELLING)
        await activities.finish(child.uuid, State.CANCELLED)
        assert isinstance(await outcome(job), Cancelled)
        assert job.reporter.activity.state is State.CANCELLED


@pytest.mark.parametrize(("error", "state"), [(OSError, State.FAILED), (asyncio.CancelledError, State.CANCELLED)])
async def test_a_block_that_breaks_off_ends_after_its_children(error: type[BaseException], state: State) -> None:
    class Breaking(Job):
        async def work(self) -> None:
            await super().work()
            raise error

    async with hub() as activities:
        job = Breaking(activities.start("t"))
        parent = await job.started()
        child = await activities.run(parent=parent.uuid)
        job.let_go.set()
        await asyncio.sleep(0.01)
        assert not activities.now_is(parent.uuid).ended
        await activities.finish(child.uuid, State.FAILED)
        assert isinstance(await outcome(job), error)
        assert job.reporter.activity.state is state


async def test_nested_blocks_are_cancelled_together_and_end_inside_out() -> None:
    async with hub() as activities:

        async def nested() -> None:
            async with activities.start("outer") as outer, activities.start("inner", parent=outer.uuid):
                await asyncio.Event().wait()

        task = asyncio.create_task(nested())
        await until(lambda: len(activities.list()) == 2)
        outer, inner = activities.list()
        await activities.request_cancel(outer.uuid)
        await asyncio.gather(task, return_exceptions=True)
        ended = [activities.now_is(uuid) for uuid in (inner.uuid, outer.uuid)]
        assert [activity.state for activity in ended] == [State.CANCELLED] * 2
        assert ended[0].revision < ended[1].revision


# Our trouble


async def held_up(activities: Hub, store: FaultyStore) -> Job:
    """One whose work is over, and whose end the store does not take."""
    job = Job(activities.start("t"))
    await job.started()
    store.failure = Unavailable("away")
    job.let_go.set()
    await until(lambda: len(store.commits) > 5)
    return job


async def test_an_end_is_recorded_as_soon_as_the_store_takes_it() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        job = await held_up(activities, store)
        assert not job.task.done()
        store.failure = None
        assert await outcome(job) is None
        assert job.reporter.activity.state is State.SUCCEEDED


async def test_a_job_is_let_go_by_another_cancel_while_its_end_waits_for_the_store() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        job = await held_up(activities, store)
        job.task.cancel()
        assert isinstance(await outcome(job), asyncio.CancelledError)
        store.failure = None
        await until(lambda: job.reporter.activity.state is State.SUCCEEDED)


async def test_an_activity_given_up_by_force_stops_its_job(caplog: pytest.LogCaptureFixture) -> None:
    async with hub() as activities:
        job = Job(activities.start("t", cancellable=False))
        activity = await job.started()
        await activities.abandon(activity.uuid)
        job.reporter.report(50)
        with caplog.at_level(logging.INFO, "headway"):
            assert isinstance(await outcome(job), Cancelled)
        assert job.reporter.activity.state is State.LOST
        assert "its end was not recorded" in caplog.text


async def test_closing_the_hub_stops_its_operations_and_waits_for_them() -> None:
    store = MemoryStore()
    async with hub(store) as activities:
        jobs = [Job(activities.start("t", cancellable=bool(n % 2))) for n in range(10)]
        for job in jobs:
            await job.started()
    outcomes = [await outcome(job) for job in jobs]
    assert all(isinstance(error, Cancelled) for error in outcomes)
    states = [(await ended(store, job)).state for job in jobs]
    assert states == [State.CANCELLED] * 10


async def ended(store: MemoryStore, job: Job) -> Activity:
    activity = await store.get(job.reporter.uuid)
    assert activity is not None
    return activity


async def test_closing_the_hub_holds_nobody_for_ever() -> None:
    class Stone(Deaf):
        deafness = 1_000_000

    store = MemoryStore()
    async with hub(store) as activities:
        stubborn = Stone(activities.start("t"))
        await stubborn.started()
        waiting = Job(activities.start("t"))
        parent = await waiting.started()
        await activities.run(parent=parent.uuid)  # never ends
        waiting.let_go.set()
    async with asyncio.timeout(DEADLINE):
        assert isinstance(await outcome(waiting), Cancelled)
        stubborn.let_go.set()
        assert await outcome(stubborn) is None
    async with hub(store):
        assert (await ended(store, stubborn)).error == "server_restart"
        assert (await ended(store, waiting)).error == "server_restart"


# Reporting


async def reported(*reports: dict[str, Any]) -> Activity:
    async with hub() as activities, activities.start("t") as it:
        for report in reports:
            it.report(**report)
            await activities.settled()
        return it.activity


@pytest.mark.parametrize(
    ("said", "percent"),
    [(40, 40), (40.6, 40), (-1, -1), (-7, -1), (250, 100), (True, 1), (Decimal("12.5"), 12), (Fraction(1, 3), 0)],
)
async def test_percent_is_clamped(said: Any, percent: int) -> None:
    assert (await reported({"progress": said})).progress.percent == percent


@pytest.mark.parametrize("nonsense", [float("nan"), "half", [], object(), 1j])
async def test_what_is_no_number_is_left_out(nonsense: Any) -> None:
    activity = await reported({"progress": 30}, {"progress": nonsense, "completed": nonsense, "title": "still here"})
    assert (activity.progress.percent, activity.progress.completed) == (30, None)
    assert activity.title == "still here"


async def test_what_raises_when_it_is_looked_at_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Tensor:
        def __float__(self) -> float:
            raise RuntimeError("a tensor with 2 elements is no scalar")

        def __str__(self) -> str:
            raise RuntimeError("nor a text")

    odd: Any = Tensor()
    async with hub() as activities, activities.start("t") as it, activities.start("t") as other:
        it.report(odd, subtitle="seen")
        await activities.settled()
        assert it.activity.subtitle == "seen"
        it.report(title=odd)
        other.report(50)
        await activities.settled()
        assert other.activity.progress.percent == 50
        it.report(60, title="better")
        await activities.settled()
        assert (it.activity.progress.percent, it.activity.title) == (60, "better")
    assert "nor a text" in caplog.text
    assert it.activity.state is State.SUCCEEDED


@pytest.mark.parametrize("huge", [10**400, float("inf"), Fraction(10**400)])
async def test_counts_are_clamped(huge: Any) -> None:
    progress = (await reported({"completed": huge, "total": -5})).progress
    assert progress.completed in (2.0**53, None)
    assert progress.total == 0


async def test_numbers_of_other_libraries_become_plain_ones() -> None:
    class Float64(float):
        pass

    activity = await reported({"progress": Float64(12.5), "completed": Float64(3), "total": Float64(24)})
    assert {type(value) for value in (activity.progress.completed, activity.progress.total)} == {float}
    assert activity.progress.percent == 12


async def test_text_is_cleaned_and_shortened() -> None:
    said: dict[str, Any] = {"title": "a\nb" + "x" * 300, "subtitle": 12, "unit": "f\x1biles" * 10}
    activity = await reported(said)
    assert activity.title.startswith("a bx") and len(activity.title) == 256
    assert activity.subtitle == "12"
    assert activity.progress.unit is not None and len(activity.progress.unit) == 32


async def test_numbers_of_other_libraries_are_plain_in_a_bag_too() -> None:
    class Float64(float):
        pass

    activity = await reported({"context": {"loss": Float64(0.5), "epoch": True}})
    assert activity.context == {"loss": 0.5, "epoch": True}
    assert type(activity.context["loss"]) is float


async def test_a_bag_that_cannot_be_shown_is_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    bad: list[Any] = [{"a b": 1}, {"key": [1]}, 5, {1: 2}]
    activity = await reported({"context": {"key": "1"}}, *({"context": bag, "response": bag} for bag in bad))
    assert (activity.context, activity.response) == ({"key": "1"}, None)
    assert caplog.text.count("not reported") == 1


async def test_a_context_cannot_grow_beyond_its_limit(caplog: pytest.LogCaptureFixture) -> None:
    activity = await reported(*({"context": {f"key{n}": str(n)}} for n in range(40)))
    assert activity.context == {f"key{n}": str(n) for n in range(32)}
    assert caplog.text.count("at most 32 members") == 1


async def test_reporting_after_the_end_is_nothing() -> None:
    async with hub() as activities:
        async with activities.start("t") as it:
            pass
        it.report(12, title="too late")
        await activities.settled()
        assert (it.activity.state, it.activity.title) == (State.SUCCEEDED, "")


async def test_a_reporter_of_something_forgotten_keeps_what_it_knew() -> None:
    async with hub() as activities:
        gone = Activity(uuid=str(uuid.uuid4()), type="t", owner=1, started_at=0.0, updated_at=0.0)
        reporter = Reporter(activities, gone)
        reporter.report(5)
        assert reporter.activity == gone


async def test_reports_made_through_the_hub_and_the_reporter_are_one_stream() -> None:
    async with hub() as activities, activities.start("t") as it:
        it.report(10, title="mine")
        await activities.settled()
        activities.report(it.uuid, Report(progress=20))
        await activities.settled()
        assert (it.activity.progress.percent, it.activity.title) == (20, "mine")
        it.report(subtitle="and nothing else")
        await activities.settled()
        assert (it.activity.progress.percent, it.activity.subtitle) == (20, "and nothing else")
        activities.report(it.uuid, Report(title="theirs"))
        await activities.settled()
        it.report(10)
        await activities.settled()
        assert (it.activity.progress.percent, it.activity.title) == (10, "theirs")


async def test_a_function_may_start_parts_of_itself_where_nobody_watches() -> None:
    async def work() -> str:
        async with current().start("part", title="Part") as part:
            part.report(50)
            with part.start("smaller") as smaller:
                return repr(smaller)

    assert await work() == "<Nowhere>"
