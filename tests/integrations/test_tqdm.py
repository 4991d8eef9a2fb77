"""A program's own bars tell its activity how far it is."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tqdm import tqdm as plain

from headway.core.activity import State
from headway.core.errors import Cancelled
from headway.hub import Activities
from headway.integrations.tqdm import tqdm, trange
from headway.reporter import Reporter

HOW = [{"file": io.StringIO()}, {"disable": True}]
"""With a bar and without: the activity hears the same."""


@pytest.fixture
async def activities() -> AsyncIterator[Activities]:
    async with Activities() as opened:
        yield opened


async def seen(activities: Activities, activity: Reporter) -> tuple[float | None, float | None, str | None, str]:
    await activities.settled()
    record = await activities.get(activity.uuid)
    return record.progress.completed, record.progress.total, record.progress.unit, record.subtitle


@pytest.mark.parametrize("how", HOW)
async def test_going_through_items_is_reported(activities: Activities, how: dict[str, Any]) -> None:
    async with activities.start("t") as activity:
        for number in tqdm(list(range(10)), desc="Files", unit="files", **how):
            if number == 4:
                assert await seen(activities, activity) == (4, 10, "files", "Files")
        assert await seen(activities, activity) == (10, 10, "files", "Files")


@pytest.mark.parametrize("how", HOW)
async def test_updates_by_hand_are_reported(activities: Activities, how: dict[str, Any]) -> None:
    async with activities.start("t") as activity:
        with tqdm(total=1000, unit="B", initial=100, **how) as bar:
            bar.update(250)
            bar.set_description("Second half")
            assert await seen(activities, activity) == (350, 1000, "B", "Second half")
            bar.reset(total=50)
            assert (await seen(activities, activity))[:2] == (0, 50)


@pytest.mark.parametrize("how", HOW)
async def test_items_that_come_asynchronously_are_reported(activities: Activities, how: dict[str, Any]) -> None:
    async def items() -> AsyncIterator[int]:
        for number in range(5):
            await asyncio.sleep(0)
            yield number

    async with activities.start("t") as activity:
        assert [number async for number in tqdm(items(), total=5, **how)] == [0, 1, 2, 3, 4]
        assert (await seen(activities, activity))[:2] == (5, 5)


async def test_of_bars_within_bars_the_outermost_reports(activities: Activities) -> None:
    async with activities.start("t") as activity:
        for _ in trange(3, disable=True):
            for _ in trange(100, disable=True):
                pass
            assert (await seen(activities, activity))[1] == 3
        for _ in trange(7, disable=True):  # the next of that level
            pass
        assert (await seen(activities, activity))[:2] == (7, 7)


async def test_a_bar_that_is_left_early_lets_the_next_report(activities: Activities) -> None:
    async with activities.start("t") as activity:
        for number in trange(100, disable=True):
            if number == 5:
                break
        with tqdm(total=8, disable=True) as bar:
            bar.update(2)
        assert (await seen(activities, activity))[:2] == (2, 8)


async def test_it_stops_at_an_item_when_asked_to(activities: Activities) -> None:
    def work() -> None:
        for _ in trange(10**9, disable=True):
            pass

    spawned = await activities.spawn("t", work)
    await spawned.cancel()
    with pytest.raises(Cancelled):
        await spawned.result()
    assert spawned.activity.state is State.CANCELLED


async def test_outside_of_an_activity_it_is_tqdm(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = io.StringIO(), io.StringIO()
    for bar, screen in ((tqdm, ours), (plain, theirs)):
        assert list(bar(range(3), file=screen, bar_format="{desc}{n_fmt}/{total_fmt}", desc="x")) == [0, 1, 2]
    assert ours.getvalue() == theirs.getvalue() != ""
