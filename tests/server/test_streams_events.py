"""``/:/eventsource/notifications``: the form of an event stream, and what is in it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from headway.server.service import StreamLimits
from tests.server.harness import connected
from tests.server.whole import EVENTS, JSON, UNKNOWN, XML, Whole, both_ways, eventually, head, in_memory

CURSOR = rb"[A-Za-z0-9_-]{22}"
OCTETS = ("Accept", "application/octet-stream")


@pytest.fixture
async def quick() -> AsyncIterator[Whole]:
    """A server that gives signs of life often."""
    async with in_memory(streams=StreamLimits(ping=0.02, per_user=3, total=5)) as whole:
        yield whole


async def test_the_head_of_a_stream(whole: Whole) -> None:
    for accept in ([], [("Accept", "text/event-stream")], [("Accept", "*/*")], [JSON], [XML]):
        async with whole.events("alice", headers=accept) as stream:
            assert stream.status == 200
            assert stream.headers["content-type"] == "text/event-stream"
            assert stream.headers["cache-control"] == "no-cache, no-store, no-transform"
            assert stream.headers["x-accel-buffering"] == "no"
            assert "content-encoding" not in stream.headers


async def test_the_generated_clients_get_octets_with_the_same_body(whole: Whole) -> None:
    for headers in ([OCTETS], [OCTETS, ("accepts", "application/xml"), ("Accept-Encoding", "gzip, deflate, br")]):
        async with whole.events("alice", headers=headers) as stream:
            assert stream.headers["content-type"] == "application/octet-stream"
            assert (await stream.event()).type == "ping"
    both = [("Accept", "application/octet-stream, text/event-stream")]
    async with whole.events("alice", headers=both) as stream:
        assert stream.headers["content-type"] == "text/event-stream"


@both_ways
async def test_a_ping_opens_the_stream_and_comes_again(quick: Whole) -> None:
    async with quick.events("alice") as stream:
        for _ in range(5):
            assert re.fullmatch(rb"event: ping\ndata: \{\}\nid: %b" % CURSOR, await stream.block())


@both_ways
async def test_events_have_plexs_shape_to_the_byte(whole: Whole) -> None:
    async with whole.events("alice") as stream:
        await stream.event()
        uuid = (await whole.start(title="Films", cancellable=True, Context={"key": "/library/1"}))["uuid"]
        started = await stream.block()
        listed = await whole.ask("GET", "/activities?Context.key=/library/1", "alice", [JSON])
        row = listed.body.removeprefix(b'{"MediaContainer":{"size":1,"Activity":[').removesuffix(b"]}}")
        notification = b'{"ActivityNotification":{"event":"started","uuid":"%b","Activity":%b}}' % (uuid.encode(), row)
        assert re.fullmatch(rb"event: activity\ndata: %b\nid: %b" % (re.escape(notification), CURSOR), started), started
        await whole.change(uuid, state="succeeded")


@both_ways
async def test_the_life_of_an_activity(whole: Whole) -> None:
    async with whole.events("alice") as stream:
        await stream.event()
        uuid = (await whole.start(cancellable=True))["uuid"]
        assert (await stream.next()).told == ("started", uuid)
        await whole.change(uuid, progress=33, subtitle="half way")
        updated = await stream.next()
        assert (updated.told[0], updated.row["progress"], updated.row["subtitle"]) == ("updated", 33, "half way")
        await whole.ask("DELETE", f"/activities/{uuid}", "alice")
        cancelling = await stream.next()
        assert (cancelling.told[0], cancelling.row["state"]) == ("updated", "cancelling")
        await whole.change(uuid, state="cancelled")
        ended = await stream.next()
        assert (ended.told[0], ended.row["state"], ended.row["progress"]) == ("ended", "cancelled", 33)


async def test_a_success_ends_with_100(whole: Whole) -> None:
    async with whole.events("alice") as stream:
        await stream.event()
        uuid = (await whole.start(progress=-1))["uuid"]
        await whole.change(uuid, state="succeeded")
        ended = (await stream.until(uuid))[-1]
        assert (ended.row["progress"], ended.row["state"]) == (100, "succeeded")


@both_ways
async def test_users_hear_of_their_own_and_admins_of_all(whole: Whole) -> None:
    async with whole.events("alice") as hers, whole.events("bob") as his, whole.events("admin") as all:
        for stream in (hers, his, all):
            await stream.event()
        uuids = {user: (await whole.start(user))["uuid"] for user in ("alice", "bob", "alice")}
        mark = {user: (await whole.start(user))["uuid"] for user in ("alice", "bob")}
        assert (await hers.until(mark["alice"], "started"))[-2].told == ("started", uuids["alice"])
        assert (await his.until(mark["bob"], "started"))[-2].told == ("started", uuids["bob"])
        assert [event.told[1] for event in await all.until(mark["bob"], "started")][-3:-1] == [
            uuids["alice"],
            mark["alice"],
        ]


@both_ways
@pytest.mark.parametrize(
    ("query", "heard"),
    [
        ("", True),
        ("?filters=activity", True),
        ("?filters=log,activity", True),
        ("?filters=-log", True),
        ("?filters=", True),
        ("?filter=log&filter=activity", True),
        ("?filters=log%2Cactivity", True),
        ("?filters=log", False),
        ("?filters=-activity", False),
        ("?filters=-log,activity", False),
        ("?filter=playing", False),
    ],
)
async def test_filters_hide_activities_but_never_pings(quick: Whole, query: str, heard: bool) -> None:
    async with quick.events("alice", query) as stream, quick.events("alice") as other:
        assert (await stream.event()).type == "ping"
        uuid = (await quick.start())["uuid"]
        await other.until(uuid, "started")
        events = [await stream.event() for _ in range(4)]
        assert [event.told for event in events if event.type == "activity"] == [("started", uuid)] * heard
        assert "ping" in {event.type for event in events}


@pytest.mark.parametrize(
    "narrowing", ["type=a.b", "uuid={uuid}", "uuid={upper}", "Context.key=1", "type=a.b&Context.key=1&uuid={uuid}"]
)
async def test_a_stream_can_be_narrowed(whole: Whole, narrowing: str) -> None:
    wanted = (await whole.start(type="a.b", Context={"key": "1"}))["uuid"]
    other = (await whole.start(type="a.c", Context={"key": "2"}))["uuid"]
    async with whole.events("alice", "?" + narrowing.format(uuid=wanted, upper=wanted.upper())) as stream:
        await stream.event()
        for uuid in (other, wanted):
            await whole.change(uuid, state="succeeded")
        assert [event.told for event in await stream.until(wanted)] == [("ended", wanted)]


@both_ways
async def test_a_stream_narrowed_to_unknown_or_foreign_is_silent_alike(quick: Whole) -> None:
    foreign = (await quick.start("bob"))["uuid"]
    for uuid in (foreign, UNKNOWN):
        async with quick.events("alice", f"?uuid={uuid}&snapshot=1") as stream, quick.events("bob") as his:
            await his.event()
            await quick.change(foreign, "bob", progress=50)
            await his.next()
            events = [await stream.event() for _ in range(4)]
            assert [event.type for event in events] == ["ping", "snapshot", "ping", "ping"]
            assert events[1].data == {"MediaContainer": {"size": 0}}


@pytest.mark.parametrize("query", ["snapshot=2", "type=%20", "uuid=x", "Context.1=1", "snapshot=1&snapshot=1"])
async def test_a_bad_argument_is_400(whole: Whole, query: str) -> None:
    answer = await whole.ask("GET", f"{EVENTS}?{query}", "alice", [JSON])
    assert answer.error == (400, "invalid_input")
    assert answer.message.startswith(query.partition("=")[0].partition(".1")[0])


@pytest.mark.parametrize("token", [None, "wrong"])
async def test_a_bad_token_is_401(whole: Whole, token: str | None) -> None:
    assert (await whole.ask("GET", EVENTS, token, [JSON])).error == (401, "not_authenticated")
    assert (await whole.ask("GET", f"{EVENTS}?X-Plex-Token=wrong", None, [OCTETS])).status == 401


async def test_the_token_may_be_in_the_query(whole: Whole) -> None:
    async with connected(whole.port) as client:
        client.send(whole.request("GET", f"{EVENTS}?X-Plex-Token={whole.tokens['alice']}"))
        assert (await head(client))[0] == 200


async def test_head_answers_and_ends(quick: Whole) -> None:
    async with connected(quick.port) as client:
        for _ in range(10):  # more than there are places
            client.send(quick.request("HEAD", EVENTS, "alice"))
            status, headers = await head(client)
            assert (status, headers["content-type"]) == (200, "text/event-stream")
    assert len(quick.service.places) == 0


@both_ways
async def test_more_streams_than_a_user_or_the_server_may_have_are_refused(quick: Whole) -> None:
    async with quick.events("alice"), quick.events("alice"), quick.events("alice") as last:
        await last.event()
        refused = await quick.ask("GET", EVENTS, "alice", [JSON])
        assert (refused.error, refused.headers["retry-after"]) == ((429, "too_many"), "2")
        async with quick.events("bob"), quick.events("bob") as stream:
            await stream.event()
            full = await quick.ask("GET", EVENTS, "bob", [JSON])
            assert (full.error, full.headers["retry-after"]) == ((503, "unavailable"), "2")
    await eventually(lambda: len(quick.service.places) == 0)
    async with quick.events("alice") as stream:
        assert stream.status == 200
    await eventually(lambda: (len(quick.service.places), len(quick.service.channels)) == (0, 0))
