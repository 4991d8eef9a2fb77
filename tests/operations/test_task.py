"""The task a block runs in: our cancels are for the block alone, and those of others stay theirs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import anyio
import pytest

from headway import current, records
from headway.core.activity import Activity, State
from headway.core.errors import Cancelled
from headway.hub import Activities
from headway.operations import task as task_module
from headway.reporter import Reporter
from tests.hubs import DEADLINE, FaultyStore, Hub, hub, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_module, "RECANCEL", 0.01)
    monkeypatch.setattr(records, "RETRY", 0.001)


@pytest.fixture(params=["memory", "sqlite"])
async def activities(request: pytest.FixtureRequest, tmp_path: object) -> AsyncIterator[Hub]:
    """The one commits at once, the other in a thread of its own: a cancel comes at another moment."""
    async with hub("memory:" if request.param == "memory" else f"sqlite:{tmp_path}") as opened:
        yield opened


def cancels() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def settle() -> None:
    """Let whatever is pending come: a cancel left in the task would come here."""
    for _ in range(5):
        await asyncio.sleep(task_module.RECANCEL)


async def cancel_soon(activities: Activities, uuid: str) -> asyncio.Task[Activity]:
    return asyncio.create_task(activities.request_cancel(uuid))


# Nothing is left in the task


async def test_a_block_cancelled_leaves_no_cancel_in_its_task(activities: Hub) -> None:
    with pytest.raises(Cancelled):
        async with activities.start("t") as it:
            asking = await cancel_soon(activities, it.uuid)
            await asyncio.Event().wait()
    assert cancels() == 0
    await settle()
    assert (await asking).cancel is not None
    assert it.activity.state is State.CANCELLED


async def test_a_block_that_cancels_itself_is_cancelled(activities: Hub) -> None:
    with pytest.raises(Cancelled):
        async with activities.start("t") as it:
            await activities.request_cancel(it.uuid, by=1, reason="enough")
            await asyncio.Event().wait()
    assert cancels() == 0
    await settle()
    assert it.activity.state is State.CANCELLED
    assert it.activity.cancel is not None and it.activity.cancel.reason == "enough"


async def test_a_block_that_cancels_itself_and_ends_well_has_succeeded_and_nothing_follows() -> None:
    async with hub() as activities:
        async with activities.start("t") as it:
            it_task = asyncio.current_task()
            assert it_task is not None
            asking = asyncio.create_task(activities.request_cancel(it.uuid))
            while it.activity.cancel is None and not asking.done():
                await swallowing(asyncio.sleep(0))
        assert cancels() == 0
        await settle()
        assert it.activity.state is State.SUCCEEDED
        assert it.activity.cancel is not None


async def swallowing(waiting: Awaitable[object]) -> None:
    with suppress(asyncio.CancelledError):
        await waiting


async def test_a_cancel_that_comes_as_the_block_ends_well_cancels_nothing_later() -> None:
    """Its delivery and the end of the block fall together: the end wins, and the request stands on record."""
    async with hub() as activities:
        async with activities.start("t") as it:
            # The last step of the block: the request is taken in this very step of the task.
            operation = activities.registry.live[it.uuid].operation
            assert operation is not None
            operation.request_stop(it.activity)
            assert cancels() == 1
        assert cancels() == 0
        await settle()
        assert it.activity.state is State.SUCCEEDED


async def test_a_cancel_while_the_end_is_on_its_way_is_too_late_and_cancels_nothing() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        uuids: list[str] = []

        async def job() -> str:
            async with activities.start("t") as it:
                uuids.append(it.uuid)
                store.hold()
            await settle()
            return it.activity.state.value

        running = asyncio.create_task(job())
        await until(lambda: len(store.commits) == 2)
        asking = await cancel_soon(activities, uuids[0])
        await asyncio.sleep(0)
        store.release()
        assert await running == "succeeded"
        await asyncio.gather(asking, return_exceptions=True)


# Outer scopes


Scope = Callable[[], AbstractAsyncContextManager[object]]


@asynccontextmanager
async def anyio_group() -> AsyncIterator[object]:
    async with anyio.create_task_group() as group:
        yield group


@asynccontextmanager
async def anyio_timeout() -> AsyncIterator[object]:
    with anyio.fail_after(DEADLINE) as scope:
        yield scope


SCOPES: dict[str, Scope] = {
    "timeout": lambda: asyncio.timeout(DEADLINE),
    "task group": asyncio.TaskGroup,
    "anyio task group": anyio_group,
    "anyio timeout": anyio_timeout,
}


@pytest.mark.parametrize("scope", SCOPES)
async def test_our_cancel_stops_the_block_and_nothing_around_it(scope: str) -> None:
    async with hub() as activities:
        after = False
        async with SCOPES[scope]():
            with pytest.raises(Cancelled):
                async with activities.start("t") as it:
                    await cancel_soon(activities, it.uuid)
                    await asyncio.Event().wait()
            assert cancels() == 0
            await settle()
            after = True
        assert after
        await settle()


@pytest.mark.parametrize("inside", [asyncio.timeout, anyio.fail_after])
async def test_a_timeout_inside_the_block_is_no_cancel_of_it(inside: Callable[[float], object]) -> None:
    async with hub() as activities:
        async with activities.start("t") as it:
            with pytest.raises(TimeoutError):
                scope = inside(0.01)
                if isinstance(scope, asyncio.Timeout):
                    async with scope:
                        await asyncio.Event().wait()
                else:
                    with anyio.fail_after(0.01):
                        await asyncio.Event().wait()
            await settle()
        assert it.activity.state is State.SUCCEEDED
        assert it.activity.cancel is None


async def test_a_timeout_and_our_cancel_at_once_are_a_timeout(activities: Hub) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as timeout, activities.start("t") as it:
            timeout.reschedule(asyncio.get_running_loop().time())
            await swallow_one()  # the timeout, which still stands
            await swallowing(activities.request_cancel(it.uuid))
            await asyncio.Event().wait()
    assert cancels() == 0
    await settle()
    assert it.activity.state is State.CANCELLED


async def swallow_one() -> None:
    await swallowing(asyncio.Event().wait())


async def test_our_cancel_and_that_of_the_task_in_one_step_are_the_tasks() -> None:
    async with hub() as activities:

        async def job() -> None:
            async with activities.start("t") as it:
                its.append(it)
                await asyncio.Event().wait()

        its: list[Reporter] = []
        task = asyncio.create_task(job())
        await until(lambda: its)
        operation = activities.registry.live[its[0].uuid].operation
        assert operation is not None
        await activities.request_cancel(its[0].uuid)  # has cancelled the task, which has not run since
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert its[0].activity.state is State.CANCELLED


async def test_a_task_group_around_blocks_cancels_them_all_when_one_fails() -> None:
    async with hub() as activities:
        its: list[Reporter] = []

        async def job() -> None:
            async with activities.start("t") as it:
                its.append(it)
                await asyncio.Event().wait()

        async def failing() -> None:
            async with activities.start("t") as it:
                its.append(it)
                await until(lambda: len(its) == 3)
                raise OSError("so")

        with pytest.raises(ExceptionGroup) as failed:
            async with asyncio.TaskGroup() as group:
                group.create_task(job())
                group.create_task(job())
                group.create_task(failing())
        assert [type(error) for error in failed.value.exceptions] == [OSError]
        assert sorted(it.activity.state.value for it in its) == ["cancelled", "cancelled", "failed"]


async def test_a_block_left_under_a_cancelled_anyio_scope_is_recorded() -> None:
    """There each await is cancelled again, the one for the end too."""
    async with hub() as activities:
        with anyio.CancelScope() as scope:
            async with activities.start("t") as it:
                scope.cancel()
                await asyncio.Event().wait()
        assert scope.cancelled_caught
        assert cancels() == 0
        await until(lambda: it.activity.ended)
        assert it.activity.state is State.CANCELLED


async def test_our_cancel_under_a_cancelled_anyio_scope_leaves_nothing() -> None:
    async with hub() as activities:
        with anyio.CancelScope() as scope:
            async with activities.start("t") as it:
                scope.cancel()
                await swallow_one()
                await swallowing(activities.request_cancel(it.uuid))
                await asyncio.Event().wait()
        assert cancels() == 0
        await settle()
        await until(lambda: it.activity.ended)


async def test_a_block_begun_while_its_task_is_being_cancelled_is_cancelled_alone() -> None:
    """As one that cleans up."""
    async with hub() as activities:

        async def job() -> str:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                with pytest.raises(Cancelled):
                    async with activities.start("cleaning") as it:
                        await cancel_soon(activities, it.uuid)
                        await asyncio.Event().wait()
                assert cancels() == 1
                await settle()
                return "cleaned up"
            return "not reached"

        task = asyncio.create_task(job())
        await asyncio.sleep(0)
        task.cancel()
        assert await task == "cleaned up"


async def test_one_block_after_the_other_in_one_task() -> None:
    async with hub() as activities:
        for _ in range(20):
            with pytest.raises(Cancelled):
                async with activities.start("t") as it:
                    await cancel_soon(activities, it.uuid)
                    await asyncio.Event().wait()
        assert cancels() == 0


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_of_nested_blocks_the_one_that_was_asked_and_those_inside_are_cancelled(which: int) -> None:
    async with hub() as activities:
        its: list[Reporter] = []
        with pytest.raises(Cancelled):
            await nest(activities, its, which)
        assert cancels() == 0
        await settle()
        states = [it.activity.state for it in its]
        assert states[which:] == [State.CANCELLED] * (3 - which)
        assert all(state is State.FAILED for state in states[:which])


async def nest(activities: Hub, its: list[Reporter], which: int) -> None:
    parent = current()
    start = parent.start("t") if parent else activities.start("t")
    async with start as it:
        its.append(it)
        if len(its) < 3:
            await nest(activities, its, which)
        else:
            await cancel_soon(activities, its[which].uuid)
            await asyncio.Event().wait()


async def test_parts_say_who_asked_for_the_whole(activities: Hub) -> None:
    its: list[Reporter] = []

    async def job() -> None:
        async with activities.start("t") as it, it.start("part") as part, part.start("part") as smallest:
            its.extend([it, part, smallest])
            await asyncio.Event().wait()

    task = asyncio.create_task(job())
    await until(lambda: len(its) == 3)
    await activities.request_cancel(its[0].uuid, by=5, reason="enough")
    await asyncio.gather(task, return_exceptions=True)
    requests = [it.activity.cancel for it in its]
    assert [(request.by, request.reason) for request in requests if request] == [(5, "enough")] * 3


async def test_a_block_is_asked_on_the_loop_that_it_runs_on_also_when_that_has_ended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> task_module.TaskOperation:
        task = asyncio.current_task()
        assert task is not None
        return task_module.TaskOperation(task)

    operation = await asyncio.to_thread(asyncio.run, main())
    async with hub() as activities:
        activity = await activities.run()
        operation.request_stop(activity)
    assert caplog.records == []
