"""Code learns which activities it has started, however deep inside it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from headway.correlation import noticing
from headway.hub import Activities


@pytest.fixture
async def activities() -> AsyncIterator[Activities]:
    async with Activities() as opened:
        yield opened


async def scan(activities: Activities) -> str:
    async with activities.start("library.scan") as activity:
        return activity.uuid


async def test_what_a_block_starts_is_noticed_in_order(activities: Activities) -> None:
    with noticing() as started:
        first = await scan(activities)
        second = await scan(activities)
    assert [activity.uuid for activity in started] == [first, second]


async def test_what_its_tasks_start_is_noticed(activities: Activities) -> None:
    with noticing() as started:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(scan(activities))
    assert [activity.uuid for activity in started] == [task.result()]


async def test_what_others_start_is_not(activities: Activities) -> None:
    elsewhere = asyncio.create_task(scan(activities))
    with noticing() as started:
        await elsewhere
    await scan(activities)
    assert started == []


async def test_an_inner_block_keeps_what_it_starts(activities: Activities) -> None:
    with noticing() as outer:
        with noticing() as inner:
            mine = await scan(activities)
        other = await scan(activities)
    assert ([each.uuid for each in inner], [each.uuid for each in outer]) == ([mine], [other])


async def test_a_start_that_was_there_already_is_not_noticed(activities: Activities) -> None:
    await activities.create("library.scan", 1, key="k")
    with noticing() as started:
        await activities.create("library.scan", 1, key="k")
    assert started == []
