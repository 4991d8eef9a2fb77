"""``/:/websockets/notifications``: frames, and how a WebSocket opens and closes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from headway.server.service import StreamLimits
from tests.server.harness import BINARY, PING, PONG, TEXT, connected
from tests.server.whole import JSON, SOCKETS, Answer, Whole, both_ways, eventually, in_memory, read_answer

PATHS = ["/:/websockets/notifications", "/:/websocket/notifications"]
HANDSHAKE = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
]


@pytest.fixture
async def small() -> AsyncIterator[Whole]:
    async with in_memory(streams=StreamLimits(per_user=2, total=3, farewell=60, farewell_each=60)) as whole:
        yield whole


async def refused(whole: Whole, path: str, token: str | None, *headers: tuple[str, str]) -> Answer:
    """The answer to a handshake that fails."""
    async with connected(whole.port) as client:
        client.send(whole.request("GET", path, token, [*HANDSHAKE, *headers]))
        return await read_answer(client)


@both_ways
@pytest.mark.parametrize("path", PATHS)
async def test_both_paths_tell_the_life_of_an_activity(whole: Whole, path: str) -> None:
    async with whole.socket("alice", path=path) as socket:
        uuid = (await whole.start(cancellable=True))["uuid"]
        assert (await socket.next())["event"] == "started"
        await whole.change(uuid, progress=33)
        assert (await socket.next())["Activity"]["progress"] == 33
        await whole.ask("DELETE", f"/activities/{uuid}", "alice")
        assert (await socket.next())["Activity"]["state"] == "cancelling"
        await whole.change(uuid, state="succeeded")
        last = await socket.next()
        assert (last["event"], last["uuid"], last["Activity"]["progress"]) == ("ended", uuid, 100)


@both_ways
async def test_a_frame_has_plexs_shape_to_the_byte(whole: Whole) -> None:
    async with whole.socket("alice") as socket:
        uuid = (await whole.start(title="Films", Context={"key": "a frame"}))["uuid"]
        listed = await whole.ask("GET", "/activities?Context.key=a%20frame", "alice", [JSON])
        row = listed.body.removeprefix(b'{"MediaContainer":{"size":1,"Activity":[').removesuffix(b"]}}")
        assert await socket.text() == (
            b'{"NotificationContainer":{"type":"activity","size":1,"ActivityNotification":['
            b'{"event":"started","uuid":"%b","Activity":%b}]}}' % (uuid.encode(), row)
        )


@both_ways
async def test_several_changes_are_several_frames(whole: Whole) -> None:
    cursor = (await whole.ask("GET", "/activities", "alice")).headers["x-headway-cursor"]
    uuids = [(await whole.start())["uuid"] for _ in range(5)]
    async with whole.socket("alice", f"?since={cursor}") as socket:
        for uuid in uuids:
            container = await socket.container()
            assert list(container) == ["type", "size", "ActivityNotification"]
            (notification,) = container["ActivityNotification"]
            assert (container["size"], notification["uuid"]) == (1, uuid)


# What is said to it


@both_ways
async def test_junk_is_read_and_ignored(whole: Whole) -> None:
    async with whole.socket("alice") as socket:
        junk = [(TEXT, b"junk"), (TEXT, b""), (BINARY, b"\x00\xff"), (TEXT, b'{"type":"subscribe"}'), (BINARY, b"")]
        for opcode, payload in junk * 20:
            socket.client.send_frame(opcode, payload)
        socket.client.send_frame(TEXT, b"half a ", fin=False)
        socket.client.send_frame(0, b"message")
        uuid = (await whole.start())["uuid"]
        assert (await socket.next())["uuid"] == uuid


@both_ways
async def test_a_client_that_talks_all_the_time_hears_everything(whole: Whole) -> None:
    async with whole.socket("alice") as socket:

        async def talk() -> None:
            while True:
                socket.client.send_frame(TEXT, b"ping")
                await asyncio.sleep(0.001)

        talking = asyncio.create_task(talk())
        for _ in range(20):
            uuid = (await whole.start())["uuid"]
            assert (await socket.next())["uuid"] == uuid
        talking.cancel()


@both_ways
async def test_pings_are_answered(whole: Whole) -> None:
    async with whole.socket("alice") as socket:
        for payload in (b"", b"1234", b"x" * 125):
            socket.client.send_frame(PING, payload)
            assert await socket.client.frame() == (PONG, payload)


@both_ways
async def test_a_close_is_answered_and_leaves_nothing(small: Whole) -> None:
    async with small.socket("alice") as socket:
        await eventually(lambda: len(small.service.places) == 1)
        socket.client.send_frame(8, (1000).to_bytes(2, "big"))
        assert await socket.client.close_code() == 1000
        assert await socket.client.rest() == b""
        await eventually(lambda: (len(small.service.places), len(small.service.channels)) == (0, 0))


# Filters, snapshots, cursors


@both_ways
async def test_filters_and_narrowing(whole: Whole) -> None:
    async with (
        whole.socket("alice", "?filters=-activity") as silent,
        whole.socket("alice", "?type=a.b&filter=log&filter=activity") as narrow,
    ):
        await whole.start(type="a.c")
        uuid = (await whole.start(type="a.b"))["uuid"]
        assert (await narrow.next())["uuid"] == uuid
        silent.client.send_frame(PING, b"!")
        assert await silent.client.frame() == (PONG, b"!")


@both_ways
async def test_cursors_are_told_only_to_those_who_resume_or_ask_for_a_snapshot(whole: Whole) -> None:
    cursor = (await whole.ask("GET", "/activities", "alice")).headers["x-headway-cursor"]
    async with (
        whole.socket("alice") as plain,
        whole.socket("alice", f"?since={cursor}") as resuming,
        whole.socket("alice", "?snapshot=1") as begun,
    ):
        snapshot = await begun.container()
        assert (snapshot["type"], snapshot["size"]) == ("snapshot", 1)
        uuid = (await whole.start())["uuid"]
        assert list(await plain.next()) == ["event", "uuid", "Activity"]
        told = await resuming.next()
        assert list(told) == ["event", "uuid", "Activity", "cursor"]
        assert (await begun.next())["cursor"] == told["cursor"]
    await whole.change(uuid, state="succeeded")
    for since in (told["cursor"], snapshot["SnapshotNotification"][0]["cursor"]):
        async with whole.socket("alice", f"?since={since}") as socket:
            notification = await socket.next()
            if since != told["cursor"]:
                assert (notification["event"], notification["uuid"]) == ("started", uuid)
                notification = await socket.next()
            assert (notification["event"], notification["uuid"]) == ("ended", uuid)


@both_ways
async def test_an_unknown_cursor_is_told_in_band(small: Whole) -> None:
    uuid = (await small.start())["uuid"]
    async with small.socket("alice", "?since=garbage") as socket:
        resync, snapshot = await socket.container(), await socket.container()
    assert resync == {"type": "resync", "size": 1, "ResyncNotification": [{"reason": "unknown"}]}
    (listed,) = snapshot["SnapshotNotification"]
    assert [row["uuid"] for row in listed["MediaContainer"]["Activity"]] == [uuid]
    async with small.socket("alice", f"?since={listed['cursor']}") as socket:
        await small.change(uuid, state="failed")
        assert (await socket.next())["event"] == "ended"


# Handshakes that fail, as HTTP


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", [None, "wrong"])
async def test_a_bad_token_is_401(whole: Whole, path: str, token: str | None) -> None:
    answer = await refused(whole, path, token)
    assert answer.error == (401, "not_authenticated")
    assert "www-authenticate" not in answer.headers
    page = await refused(whole, f"{path}?X-Plex-Token=wrong", None, ("Accept", "*/*"))
    assert page.body == b"<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>"


async def test_the_token_may_be_in_the_query(whole: Whole) -> None:
    async with connected(whole.port) as client:
        status, _ = await client.handshake(f"{SOCKETS}?X-Plex-Token={whole.tokens['alice']}&X-Plex-Product=x")
        assert status == 101


async def test_a_foreign_origin_is_403(whole: Whole) -> None:
    assert (await refused(whole, SOCKETS, "alice", ("Origin", "https://evil.example"))).status == 403


async def test_more_than_a_user_or_the_server_may_have_are_refused(small: Whole) -> None:
    async with small.socket("alice"), small.socket("alice"):
        many = await refused(small, SOCKETS, "alice")
        assert (many.error, many.headers["retry-after"]) == ((429, "too_many"), "2")
        async with small.socket("bob"):
            full = await refused(small, SOCKETS, "bob")
            assert (full.error, full.headers["retry-after"]) == ((503, "unavailable"), "2")


@pytest.mark.parametrize("query", ["snapshot=2", "type=%20", "uuid=x"])
async def test_a_bad_argument_is_400(whole: Whole, query: str) -> None:
    assert (await refused(whole, f"{SOCKETS}?{query}", "alice")).error == (400, "invalid_input")


@both_ways
async def test_it_is_503_while_the_server_stops(small: Whole) -> None:
    async with small.socket("alice"):
        small.server.stop()
        await eventually(small.service.stopping.is_set)
        assert (await refused(small, SOCKETS, "bob")).error == (503, "unavailable")


async def test_plain_http_finds_nothing_there(whole: Whole) -> None:
    assert (await whole.ask("GET", SOCKETS, "alice", [JSON])).error == (404, "not_found")


async def test_no_compression_and_no_sub_protocol_is_agreed_on(whole: Whole) -> None:
    async with connected(whole.port) as client:
        status, headers = await client.handshake(
            SOCKETS, f"X-Plex-Token: {whole.tokens['alice']}", "Sec-WebSocket-Extensions: permessage-deflate"
        )
        assert status == 101
        assert {"sec-websocket-extensions", "sec-websocket-protocol"} & set(headers) == set()


@both_ways
async def test_one_clients_garbage_closes_its_socket_and_nobody_elses(whole: Whole) -> None:
    async with whole.socket("alice") as other:
        garbage: dict[bytes, int] = {
            b"\xff\xff\xff\xff": 1002,  # reserved bits
            b"\x81\x01a": 1002,  # not masked
            b"\x81\x82\x00\x00\x00\x00\xff\xfe": 1007,  # not UTF-8
            b"\x81\xff\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00": 1009,  # a megabyte
        }
        for data, code in garbage.items():
            async with whole.socket("bob") as socket:
                socket.client.send(data)
                assert await socket.client.close_code() == code
        uuid = (await whole.start())["uuid"]
        assert (await other.next())["uuid"] == uuid


@both_ways
async def test_one_that_fell_behind_what_is_remembered_is_closed_unless_it_has_cursors(small: Whole) -> None:
    async with small.socket("alice") as plain, small.socket("alice", "?snapshot=1") as asking:
        await asking.container()
        uuid = (await small.start())["uuid"]
        assert (await plain.next())["uuid"] == (await asking.next())["uuid"] == uuid
        for feed in small.activities.registry.feeds():  # as if much had happened that was forgotten since
            feed.view.floor = feed.view.revision + 1
            feed.changed.fire()
        assert await plain.client.close_code() == 1013
        assert (await asking.container())["type"] == "resync"
        assert (await asking.container())["SnapshotNotification"][0]["MediaContainer"]["Activity"][0]["uuid"] == uuid
