"""Streams that begin with a cursor or a snapshot: nothing is missed, nothing told twice, no gap is silent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from headway.core.view import View
from headway.hub import Activities
from headway.server.cursors import Cursors
from headway.server.service import StreamLimits
from tests.server.whole import Event, Events, Whole, both_ways, in_memory

GARBAGE = ["x", "A" * 22, "A" * 21 + "=", "!" * 22, "a b", "ü", "A" * 600, "0"]


@pytest.fixture
async def small() -> AsyncIterator[Whole]:
    async with in_memory(streams=StreamLimits(ping=0.02)) as whole:
        yield whole


async def cursor_of(whole: Whole, token: str = "alice") -> str:
    return (await whole.ask("GET", "/activities", token)).headers["x-headway-cursor"]


async def told(stream: Events, uuid: str, kind: str = "ended") -> list[tuple[str, str]]:
    return [event.told for event in await stream.until(uuid, kind)]


@both_ways
async def test_list_then_watch_misses_and_repeats_nothing(whole: Whole) -> None:
    old = (await whole.start())["uuid"]
    await whole.change(old, progress=10)
    cursor = await cursor_of(whole)
    new = (await whole.start())["uuid"]
    short = (await whole.start())["uuid"]
    await whole.change(short, state="failed", error="x")
    await whole.change(old, progress=20)
    for how in (f"?since={cursor}", f"?since={cursor}&snapshot=1"):
        async with whole.events("alice", how) as stream:
            opening = await stream.event()
            assert (opening.type, opening.id) == ("ping", cursor)
            assert await told(stream, old, "updated") == [
                ("started", new),
                ("started", short),
                ("ended", short),
                ("updated", old),
            ]


async def test_last_event_id_resumes_and_wins_over_the_query(whole: Whole) -> None:
    first = await cursor_of(whole)
    uuid = (await whole.start())["uuid"]
    second = await cursor_of(whole)
    await whole.change(uuid, state="succeeded")
    async with whole.events("alice", f"?since={first}", [("Last-Event-ID", second)]) as stream:
        assert await told(stream, uuid) == [("ended", uuid)]
    async with whole.events("alice", f"?since={first}", [("Last-Event-ID", "")]) as stream:
        assert await told(stream, uuid) == [("started", uuid), ("ended", uuid)]


async def test_an_eventsource_that_comes_back_repeats_its_url_and_still_misses_nothing(whole: Whole) -> None:
    async with whole.events("alice", "?snapshot=1") as stream:
        last = (await stream.next("snapshot")).id
    assert last is not None
    uuid = (await whole.start())["uuid"]
    await whole.change(uuid, state="succeeded")
    async with whole.events("alice", "?snapshot=1", [("Last-Event-ID", last)]) as stream:
        assert await told(stream, uuid) == [("started", uuid), ("ended", uuid)]


@both_ways
async def test_any_event_can_be_resumed_from(whole: Whole) -> None:
    cursor = await cursor_of(whole)
    uuids = [(await whole.start())["uuid"] for _ in range(4)]
    await whole.change(uuids[1], state="failed")
    await whole.change(uuids[0], progress=5)
    await whole.change(uuids[2], state="failed")
    async with whole.events("alice", f"?since={cursor}") as stream:
        events = await stream.until(uuids[2])
    lifecycle = [event.told for event in events if event.told[0] != "updated"]
    assert len(lifecycle) == 6
    for place, event in enumerate(events[:-1]):
        read = [before.told for before in events[: place + 1]]
        async with whole.events("alice", headers=[("Last-Event-ID", event.id or "")]) as stream:
            rest = await told(stream, uuids[2])
        assert [one for one in [*read, *rest] if one[0] != "updated"] == lifecycle


@both_ways
async def test_a_start_told_with_its_end_looks_like_a_start(whole: Whole) -> None:
    cursor = await cursor_of(whole)
    uuid = (await whole.start(title="a", cancellable=True))["uuid"]
    await whole.ask("DELETE", f"/activities/{uuid}", "alice")
    await whole.change(uuid, state="failed", title="b", progress=70, error="x", Response={"y": 1})
    async with whole.events("alice", f"?since={cursor}") as stream:
        started, ended = await stream.until(uuid)
    assert (started.row["title"], started.row["progress"], started.row["state"]) == ("b", 0, "running")
    assert {"error", "Response", "endedAt", "cancelRequested"} & set(started.row) == set()
    assert (ended.row["progress"], ended.row["state"], ended.row["error"]) == (70, "failed", "x")


@both_ways
async def test_a_snapshot_is_the_list_and_the_stream_goes_on_from_it(whole: Whole) -> None:
    uuid = (await whole.start(type="snap", title="here"))["uuid"]
    async with whole.events("alice", "?snapshot=1&type=snap") as stream:
        opening, snapshot = await stream.event(), await stream.event()
        assert (opening.type, snapshot.type) == ("ping", "snapshot")
        assert opening.id is None, "who got no further would resume behind a snapshot it has not seen"
        assert snapshot.data["MediaContainer"]["size"] == 1
        (row,) = snapshot.data["MediaContainer"]["Activity"]
        assert (row["uuid"], row["title"]) == (uuid, "here")
        await whole.change(uuid, state="succeeded")
        assert await told(stream, uuid) == [("ended", uuid)]
    async with whole.events("alice", f"?since={snapshot.id}&type=snap") as stream:
        assert await told(stream, uuid) == [("ended", uuid)]


@both_ways
async def test_nothing_is_replayed_unless_asked_for(whole: Whole) -> None:
    await whole.start()
    async with whole.events("alice") as stream:
        opening = await stream.event()
        assert opening.type == "ping"
        uuid = (await whole.start())["uuid"]
        assert await told(stream, uuid, "started") == [("started", uuid)]
    async with whole.events("alice", f"?since={opening.id}") as stream:
        assert await told(stream, uuid, "started") == [("started", uuid)]


# Gaps


async def resynced(stream: Events) -> tuple[Event, Event, Event]:
    """What a stream opens with whose cursor cannot be answered."""
    assert stream.status == 200
    opening, resync, snapshot = [await stream.event() for _ in range(3)]
    assert (opening.type, resync.type, snapshot.type) == ("ping", "resync", "snapshot")
    assert (opening.id, resync.id) == (None, None)
    return opening, resync, snapshot


@both_ways
@pytest.mark.parametrize("garbage", GARBAGE)
async def test_an_unknown_cursor_is_told_in_band(small: Whole, garbage: str) -> None:
    uuid = (await small.start())["uuid"]
    hows = [(f"?since={quote(garbage)}", ""), (f"?since={quote(garbage)}&snapshot=1", ""), ("", garbage)]
    for query, last in hows:
        async with small.events("alice", query, [("Last-Event-ID", last)] if last else []) as stream:
            _, resync, snapshot = await resynced(stream)
            assert resync.data == {"reason": "unknown"}
            assert [row["uuid"] for row in snapshot.data["MediaContainer"]["Activity"]] == [uuid]
        async with small.events("alice", f"?since={snapshot.id}") as stream:
            assert [(await stream.event()).type for _ in range(3)] == ["ping"] * 3


async def test_a_foreign_or_outdated_cursor_is_an_unknown_one(small: Whole) -> None:
    await small.start("bob")
    store = small.activities.epoch, small.activities.secret
    others = [
        await cursor_of(small, "bob"),
        await cursor_of(small, "admin"),
        Cursors("an older epoch", store[1]).seal(2, 0),
        Cursors(store[0], b"s" * 32).seal(2, 0),
        Cursors(*store).seal(2, 0, "history"),
    ]
    for cursor in others:
        async with small.events("alice", f"?since={cursor}") as stream:
            _, resync, snapshot = await resynced(stream)
            assert (resync.data, snapshot.data) == ({"reason": "unknown"}, {"MediaContainer": {"size": 0}})


@both_ways
async def test_a_forgotten_past_is_told_in_band(small: Whole) -> None:
    cursor = await cursor_of(small)
    uuid = (await small.start())["uuid"]
    await small.change(uuid, state="succeeded")
    live = (await small.start())["uuid"]
    forget(small.activities)
    async with small.events("alice", f"?since={cursor}") as stream:
        opening, resync, snapshot = [await stream.event() for _ in range(3)]
        assert (opening.id, resync.type, resync.data, resync.id) == (cursor, "resync", {"reason": "expired"}, None)
        assert [row["uuid"] for row in snapshot.data["MediaContainer"]["Activity"]] == [live]
        await small.change(live, state="succeeded")
        assert await told(stream, live) == [("ended", live)]


async def test_one_whose_past_is_forgotten_does_not_show_in_anothers_stream(small: Whole) -> None:
    cursor = await cursor_of(small)
    await small.change((await small.start("bob"))["uuid"], "bob", state="succeeded")
    uuid = (await small.start())["uuid"]
    forget(small.activities)
    async with small.events("alice", f"?since={cursor}") as stream:
        assert (await stream.event()).id == cursor
        assert (await stream.event()).told == ("started", uuid)


@both_ways
async def test_a_cursor_of_a_silent_stream_is_as_good(small: Whole) -> None:
    async with small.events("alice", "?filters=log") as silent:
        last = await silent.event()
        uuid = (await small.start())["uuid"]
        async with small.events("alice", f"?since={last.id}") as stream:
            assert await told(stream, uuid, "started") == [("started", uuid)]


def forget(activities: Activities) -> None:
    """Let the tombstones of every view lapse."""
    views: list[View] = [feed.view for feed in activities.registry.feeds()]
    for view in views:
        view.expire(float("inf"))
