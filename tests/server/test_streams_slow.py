"""Floods of reports, and readers that do not keep up."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, cast

import pytest

from headway.admission import Limits
from headway.core.activity import State
from headway.core.lifecycle import Report
from headway.hub import Activities
from headway.server.protocols import Limits as ConnectionLimits
from headway.server.service import StreamLimits
from headway.stores.alone import PACE
from tests.server.harness import DEADLINE, Client, connected
from tests.server.whole import EVENTS, Events, Whole, both_ways, eventually, head, in_memory

MANY = 4_000
"""Activities of 4 kB each: as one snapshot, more than the buffers between two processes take."""


def large() -> Activities:
    return Activities(limits=Limits(live_per_owner=2 * MANY))


def resume_reading(client: Client) -> None:
    cast(asyncio.Transport, client.writer.transport).resume_reading()


async def fill(activities: Activities) -> None:
    for _ in range(MANY):
        await activities.create("test.large", 2, report=Report(context={"text": "x" * 4_000}))


@pytest.fixture(scope="module")
async def full(way: str) -> AsyncIterator[Whole]:
    async with in_memory(large()) as whole:
        await fill(whole.activities)
        yield whole


@both_ways
async def test_a_flood_of_reports_is_conflated_and_lifecycle_is_not(full: Whole) -> None:
    loop, activities = asyncio.get_running_loop(), full.activities
    async with full.events("alice", "?type=test.flood") as stream:
        await stream.event()
        uuid = (await full.start(type="test.flood"))["uuid"]
        begun = loop.time()
        for number in range(20_000):
            activities.report(uuid, Report(progress=number / 200, subtitle=f"{number}"))
            if number % 50 == 0:
                await asyncio.sleep(0)
        events = [await stream.next()]
        while events[-1].row["subtitle"] != "19999":
            events.append(await stream.next())
        elapsed = loop.time() - begun
        await activities.finish(uuid, State.SUCCEEDED)
        events += await stream.until(uuid)
    kinds = [event.told[0] for event in events]
    assert kinds == ["started", *["updated"] * (len(events) - 2), "ended"]
    assert len(events) - 2 <= elapsed / PACE + 2
    numbers = [int(event.row["subtitle"]) for event in events[1:]]
    assert numbers == sorted(numbers)
    assert numbers[-2:] == [19_999, 19_999], "the last report is seen, whether or not anything follows"
    assert events[-1].row["progress"] == 100


@both_ways
async def test_a_stalled_reader_is_skipped_catches_up_and_harms_nobody(full: Whole) -> None:
    activities = full.activities
    slow_uuid = (await full.start(type="test.slow"))["uuid"]
    async with full.events("alice", "?snapshot=1") as slow, full.socket("alice", "?type=test.slow") as quick:
        slow.client.pause_reading()
        await full.change(slow_uuid, progress=1)
        for number in range(2, 60):
            assert (await quick.next())["Activity"]["progress"] == number - 1
            await full.change(slow_uuid, progress=number)
        lives = [(await activities.create("test.slow", 2))[0].uuid for _ in range(50)]
        for uuid in lives:
            await activities.finish(uuid, State.FAILED)
        await full.change(slow_uuid, state="succeeded")
        while (told := await quick.next())["uuid"] != slow_uuid or told["event"] != "ended":
            pass

        resume_reading(slow.client)
        assert len((await slow.next("snapshot")).data["MediaContainer"]["Activity"]) == MANY + 1
        events = await slow.until(slow_uuid)
    lifecycle = Counter(event.told for event in events if event.told[0] != "updated")
    assert lifecycle == Counter(
        [*(("started", uuid) for uuid in lives), *(("ended", uuid) for uuid in lives), ("ended", slow_uuid)]
    )
    # What was already on its way when it stalled, and perhaps one more.
    assert len([event for event in events if event.told[0] == "updated"]) <= 3


async def rest(stream: Events) -> list[Any]:
    """The events up to a connection that is cut off."""
    events = []
    try:
        while (event := await stream.event()).type:
            events.append(event)
    except (asyncio.IncompleteReadError, ConnectionError):
        return events
    raise AssertionError("the stream ended as if nothing was missing")


async def resumed(whole: Whole, cursor: str | None, uuid: str) -> list[Any]:
    """The events behind the cursor up to the end of the activity; one that reads slowly may be cut off again."""
    events: list[Any] = []
    while not (events and events[-1].type == "activity" and events[-1].told == ("ended", uuid)):
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            async with whole.events("alice", headers=[("Last-Event-ID", cursor or "")]) as again:
                while (event := await again.event()).type:
                    events.append(event)
                    cursor = event.id or cursor
                    if event.type == "activity" and event.told == ("ended", uuid):
                        break
    return events


@both_ways
@pytest.mark.parametrize("by", ["connection", "stream"])
async def test_one_that_stays_stalled_is_cut_off_and_resumes_without_loss(by: str, caplog: Any) -> None:
    streams = StreamLimits(stall=0.2 if by == "stream" else DEADLINE)
    limits = ConnectionLimits(stall=0.2 if by == "connection" else DEADLINE)
    async with in_memory(large(), streams=streams, limits=limits) as whole:
        uuid = (await whole.start(type="test.slow"))["uuid"]
        async with whole.events("alice", "?type=test.slow") as first:
            cursor = (await first.event()).id
        await fill(whole.activities)
        async with connected(whole.port) as client:
            client.send(whole.request("GET", f"{EVENTS}?since={cursor}", "alice"))
            stalled = Events(client, *(await head(client)))
            client.pause_reading()
            await whole.change(uuid, progress=50)
            await eventually(lambda: len(whole.service.places) == 0)
            await whole.change(uuid, state="succeeded")
            resume_reading(client)
            before = await rest(stalled)
        after = await resumed(whole, before[-1].id if before else cursor, uuid)
        lifecycle = Counter(event.told for event in [*before, *after] if event.type == "activity")
        assert {event: times for event, times in lifecycle.items() if event[0] != "updated" and times > 1} == {}
        assert len([1 for event in lifecycle if event[0] == "started"]) == MANY
        assert ("ended", uuid) in lifecycle
    assert [record for record in caplog.records if record.exc_info] == []


@both_ways
async def test_a_stalled_websocket_is_cut_off_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with in_memory(large(), streams=StreamLimits(stall=0.2)) as whole:
        await fill(whole.activities)
        async with whole.socket("alice", "?snapshot=1") as socket:
            socket.client.pause_reading()
            await eventually(lambda: len(whole.service.channels) == 1)
            uuid = (await whole.start())["uuid"]
            await eventually(lambda: len(whole.service.places) == 0)
        async with whole.socket("alice") as other:
            await whole.change(uuid, state="succeeded")
            assert (await other.next())["event"] == "ended"
    assert [record for record in caplog.records if record.exc_info] == []
