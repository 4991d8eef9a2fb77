"""Work that is handed to a worker elsewhere: it lives as long as its lease is renewed."""

import asyncio
from typing import Any

import pytest

from headway.core.activity import State
from headway.core.errors import InvalidInput, KeyReused
from headway.core.lifecycle import Report
from headway.operations.remote import LEASE
from tests.hubs import FaultyStore, hub


async def test_it_is_on_record_for_a_worker_to_report_on() -> None:
    async with hub() as activities:
        activity = await activities.delegate("report.render", owner=7, title="Sales", context={"key": "1"})
        assert (activity.owner, activity.title, activity.context) == (7, "Sales", {"key": "1"})
        assert (activity.lease, activity.node, activity.state) == (LEASE, None, State.RUNNING)
        assert activities.report(activity.uuid, Report(progress=40)).progress.percent == 40
        assert (await activities.finish(activity.uuid, State.SUCCEEDED)).state is State.SUCCEEDED


async def test_it_is_lost_when_its_worker_gives_no_sign_of_life() -> None:
    async with hub() as activities:
        activity = await activities.delegate("t", lease=60)
        await activities.pass_time(59)
        assert activities.now_is(activity.uuid).state is State.RUNNING
        await activities.pass_time(3)
        assert (activities.now_is(activity.uuid).state, activities.now_is(activity.uuid).error) == (
            State.LOST,
            "lease_expired",
        )


@pytest.mark.parametrize("lease", [0, 9.9, 86_401, -1, float("nan"), None, "30", True])
async def test_a_lease_is_a_number_of_seconds_within_its_bounds(lease: Any) -> None:
    async with hub() as activities:
        with pytest.raises(InvalidInput, match="lease: must be a number from 10 to 86400"):
            await activities.delegate("t", lease=lease)
        assert activities.list() == []


async def test_it_is_refused_what_every_start_is_refused() -> None:
    async with hub() as activities:
        with pytest.raises(InvalidInput, match="type"):
            await activities.delegate("a b")
        with pytest.raises(TypeError, match="no option color"):
            await activities.delegate("t", color="red")  # type: ignore[call-arg]


async def test_the_same_key_is_the_same_activity_also_for_starts_at_once() -> None:
    async with hub() as activities:
        first, second = await asyncio.gather(*(activities.delegate("t", key="order 7") for _ in range(2)))
        again = await activities.delegate("t", key="order 7")
        others = await activities.delegate("t", key="order 8"), await activities.delegate("t", key="order 7", owner=2)
        assert first.uuid == second.uuid == again.uuid
        assert len({first.uuid, *(other.uuid for other in others)}) == 3


async def test_a_key_of_a_request_over_http_is_another_request() -> None:
    async with hub() as activities:
        await activities.create("t", 1, key="order 7", fingerprint="body", cancellable=True, lease=30.0)
        with pytest.raises(KeyReused):
            await activities.delegate("t", key="order 7")


async def test_it_is_told_of_a_cancel_and_ends_lost_only_with_its_lease() -> None:
    async with hub() as activities:
        activity = await activities.delegate("t", lease=30, grace=5)
        await activities.request_cancel(activity.uuid)
        assert activities.report(activity.uuid, Report(progress=40)).state is State.CANCELLING
        await activities.pass_time(8)
        assert activities.now_is(activity.uuid).overdue
        await activities.pass_time(30)
        assert activities.now_is(activity.uuid).state is State.LOST


async def test_it_is_no_operation_of_this_process_and_outlives_it() -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        activity = await activities.delegate("t")
    async with hub(store) as activities:
        assert activities.now_is(activity.uuid).state is State.RUNNING
