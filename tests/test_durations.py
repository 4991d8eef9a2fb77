"""What an operation can be expected to take follows from what its like have taken the same user."""

import pytest

from headway.core.activity import Activity, State
from headway.core.errors import Unavailable
from headway.durations import RUNS
from headway.ports import HistoryQuery
from tests.hubs import FaultyStore, Hub, hub


async def ran(
    activities: Hub, seconds: float, state: State = State.SUCCEEDED, *, owner: int = 1, type: str = "t"
) -> None:
    activity, _ = await activities.create(type, owner, cancellable=True)
    activities.time.advance(seconds)
    if state is State.CANCELLED:
        await activities.request_cancel(activity.uuid)
    await activities.finish(activity.uuid, state)


async def expected(activities: Hub) -> float | None:
    """Seconds that the next one takes at the longest, by what is known."""
    activity: Activity = await activities.run()
    return None if activity.expected is None else activity.expected.quantiles[-1]


async def test_the_past_tells_once_there_is_enough_of_it() -> None:
    async with hub() as activities:
        for seconds in range(1, 5):
            await ran(activities, seconds)
        assert await expected(activities) is None
        await ran(activities, 5)
        assert await expected(activities) == 5


async def test_it_is_shown_as_time_left() -> None:
    async with hub() as activities:
        for _ in range(10):
            await ran(activities, 60)
        estimate = (await activities.run()).estimate
        assert estimate is not None and estimate.left == pytest.approx(60)


async def test_only_success_of_the_same_type_and_owner_tells() -> None:
    async with hub() as activities:
        for _ in range(10):
            await ran(activities, 1, type="other")
            await ran(activities, 2, owner=8)
            await ran(activities, 3, State.FAILED)
            await ran(activities, 4, State.CANCELLED)
        assert await expected(activities) is None


async def test_only_the_latest_runs_tell() -> None:
    async with hub() as activities:
        await ran(activities, 1_000)
        for _ in range(RUNS):
            await ran(activities, 1)
        assert await expected(activities) == 1


async def test_history_from_before_a_restart_tells() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        for _ in range(5):
            await ran(activities, 7)
    async with hub(store) as activities:
        assert await expected(activities) == 7


async def test_a_store_that_cannot_be_read_now_keeps_nothing_from_starting() -> None:
    class Forgetful(FaultyStore):
        async def history(self, query: HistoryQuery) -> list[Activity]:
            raise Unavailable("away")

    async with hub(Forgetful()) as activities:
        assert await expected(activities) is None
