"""WebSocket connections on real sockets: bounds, close codes, and what one client cannot do to another."""

import asyncio
import logging
import random

import pytest

from headway.server.protocols import Limits
from tests.server.harness import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    App,
    Client,
    connected,
    eventually,
    frame,
    running,
)


async def opened(client: Client) -> None:
    status, _ = await client.handshake()
    assert status == 101


async def test_a_message_of_64_kib_is_read_and_one_byte_more_closes_with_1009(app: App, port: int) -> None:
    async with connected(port) as client:
        await opened(client)
        client.send_frame(TEXT, b"x" * 65_536)
        await eventually(lambda: len(app.received) == 1)
        client.send_frame(TEXT, b"x" * 65_537)
        assert await client.close_code() == 1009
        assert await client.rest() == b""
        await eventually(lambda: not app.streams)


async def test_a_message_in_fragments_is_as_large_as_they_are_together(app: App, port: int) -> None:
    async with connected(port) as client:
        await opened(client)
        client.send_frame(TEXT, b"x" * 40_000, fin=False)
        client.send_frame(CONT, b"x" * 25_536)
        await eventually(lambda: len(app.received) == 1)
        client.send_frame(TEXT, b"x" * 40_000, fin=False)
        client.send_frame(CONT, b"x" * 25_537)
        assert await client.close_code() == 1009


async def test_a_far_too_large_message_is_told_so_though_most_of_it_is_still_to_come(port: int) -> None:
    async with connected(port) as client:
        await opened(client)
        client.send_frame(BINARY, b"x" * 3_000_000)
        assert await client.close_code() == 1009


async def test_empty_fragments_do_not_add_up_for_ever(port: int) -> None:
    async with connected(port) as client:
        await opened(client)
        client.send_frame(TEXT, fin=False)
        for _ in range(2000):
            client.send_frame(CONT, fin=False)
        assert await client.close_code() == 1009


@pytest.mark.parametrize("text", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"ok\x80"])
async def test_text_that_is_not_utf_8_closes_with_1007(text: bytes, port: int) -> None:
    async with connected(port) as client:
        await opened(client)
        client.send_frame(TEXT, text)
        assert await client.close_code() == 1007


async def test_text_is_judged_whole_not_by_its_fragments(app: App, port: int) -> None:
    async with connected(port) as client:
        await opened(client)
        client.send_frame(TEXT, "é".encode()[:1], fin=False)
        client.send_frame(CONT, "é".encode()[1:])
        await eventually(lambda: [message["text"] for message in app.received] == ["é"])


@pytest.mark.parametrize(
    "sent",
    [
        b"\x81\x02hi",  # not masked
        *(b"\x83\x80\0\0\0\0", b"\xc1\x80\0\0\0\0"),  # a reserved opcode, a reserved bit (nothing was negotiated)
        *(frame(CONT, b"x"), frame(TEXT, b"x", fin=False) + frame(TEXT, b"y")),
        *(frame(PING, b"x" * 126), frame(PING, b"x", fin=False)),
        *(frame(CLOSE, b"\x03"), frame(CLOSE, b"\x03\xed"), frame(CLOSE, b"\x00\x00")),
    ],
)
async def test_what_breaks_the_protocol_closes_with_1002(sent: bytes, app: App, port: int) -> None:
    async with connected(port) as client:
        await opened(client)
        client.send(sent)
        assert await client.close_code() == 1002
        assert await client.rest() == b""
        await eventually(lambda: not app.streams)


async def test_what_follows_the_offence_is_ignored(port: int) -> None:
    async with connected(port) as client:
        await opened(client)
        client.send(frame(TEXT, b"\xff") + frame(PING, b"x") + frame(TEXT, b"y") + frame(CLOSE, b"\x03\xe8"))
        assert await client.close_code() == 1007
        assert await client.rest() == b""


async def test_an_application_that_goes_on_writing_to_an_offender_learns_that_nobody_is_there(
    app: App, port: int
) -> None:
    async with connected(port) as client:
        await opened(client)
        await eventually(lambda: bool(app.streams))
        client.send_frame(3)
        await client.close_code()
        await app.tell(b"more")
        await eventually(lambda: not app.streams)


async def test_a_client_that_closes_gets_its_own_code_back(app: App, port: int) -> None:
    async with connected(port) as client:
        await opened(client)
        client.send_frame(CLOSE, b"\x03\xe9bye")
        assert await client.frame() == (CLOSE, b"\x03\xe9bye")
        assert await client.rest() == b""
        await eventually(lambda: not app.streams)


async def test_pings_are_answered_also_in_the_middle_of_a_message(port: int) -> None:
    async with connected(port) as client:
        await opened(client)
        client.send_frame(TEXT, b"x", fin=False)
        client.send_frame(PING, b"are you there")
        assert await client.frame() == (PONG, b"are you there")


async def test_the_server_pings_and_closes_on_who_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.server.serve.PING", 0.02)
    app = App()
    async with running(app) as (_, port), connected(port) as client:
        await opened(client)
        opcode, payload = await client.frame()
        assert opcode == PING
        client.send_frame(PONG, payload)
        assert (await client.frame())[0] == PING
        assert await client.close_code() == 1011
        await eventually(lambda: not app.streams)


async def test_nothing_is_ever_compressed(port: int) -> None:
    async with connected(port) as client:
        status, headers = await client.handshake("/socket", "Sec-WebSocket-Extensions: permessage-deflate")
        assert status == 101
        assert "sec-websocket-extensions" not in headers
        assert "server" not in headers


async def test_who_pings_and_does_not_read_does_not_fill_the_memory() -> None:
    app = App()
    async with running(app, limits=Limits(stall=0.05)) as (_, port), connected(port) as client:
        await opened(client)
        client.pause_reading()
        with pytest.raises(ConnectionError):
            while True:
                client.send(frame(PING, b"x" * 125) * 1000)
                await client.writer.drain()
        await eventually(lambda: not app.streams)


async def test_a_client_that_reads_nothing_is_cut_off() -> None:
    app = App()
    async with running(app, limits=Limits(stall=0.05)) as (_, port), connected(port) as client:
        await opened(client)
        await eventually(lambda: bool(app.streams))
        for _ in range(40):
            await app.tell(b"x" * 1_000_000)
        await eventually(lambda: not app.streams)


# Handshakes


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"Sec-WebSocket-Version: 8", 400),
        (b"Sec-WebSocket-Key: short", 400),
        (b"Content-Length: 5", 400),
        (b"Transfer-Encoding: chunked", 400),
        (b"X-Long: " + b"x" * 9000, 431),
    ],
)
async def test_a_bad_handshake_is_answered_and_closed(line: bytes, status: int, port: int) -> None:
    async with connected(port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
        client.send(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%b\r\n\r\n" % line)
        answered, headers = await client.head()
        assert answered == status
        assert headers["x-content-type-options"] == "nosniff"
        await client.rest()


async def test_a_refusal_of_the_guard_is_a_whole_http_answer(port: int) -> None:
    async with connected(port) as client:
        status, headers = await client.handshake("/socket", "Origin: https://evil.example")
        assert (status, headers["content-type"]) == (403, "application/json")
        assert b"origin" in await client.rest()


class Undecided(App):
    """Takes its time over a handshake."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.decide = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope, receive, send):  # type: ignore[no-untyped-def]
        if scope["type"] == "websocket":
            self.asked.set()
            await self.decide.wait()
        await super().__call__(scope, receive, send)


@pytest.mark.parametrize("early", [frame(TEXT, b"x"), frame(PING), frame(CLOSE), b"\xff\xff"])
async def test_frames_before_the_handshake_is_done_end_the_connection(
    early: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    app = Undecided()
    async with running(app) as (_, port), connected(port) as client:
        handshake = asyncio.get_running_loop().create_task(client.handshake())
        await app.asked.wait()
        client.send(early)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await handshake
        app.decide.set()
        await eventually(lambda: not app.streams)


async def test_a_handshake_under_way_at_the_stop_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    app = Undecided()
    async with running(app) as (server, port), connected(port) as client:
        handshake = asyncio.get_running_loop().create_task(client.handshake())
        await app.asked.wait()
        server.stop()
        assert (await handshake)[0] >= 500
        app.decide.set()
    assert [record for record in caplog.records if record.exc_info] == []


async def test_headers_and_messages_are_not_logged_however_much_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with running(App()) as (_, port), connected(port) as client:
            status, _ = await client.handshake("/socket", "X-Plex-Token: hw_secret")
            assert status == 101
            client.send_frame(TEXT, b"hw_secret")
            client.send_frame(CLOSE, b"\x03\xe8")
            await client.rest()
    assert "hw_secret" not in caplog.text


# Neighbours


def rubbish(source: random.Random) -> bytes:
    """A frame or two, some of them changed, or just bytes."""
    if source.random() < 0.2:
        return source.randbytes(source.randrange(1, 500))
    frames = bytearray()
    for _ in range(source.randrange(1, 4)):
        payload = source.choice([b"", b"junk", b"\xff\xfe", b"\x03\xe8", source.randbytes(source.randrange(300))])
        frames += frame(source.choice([0, 1, 1, 2, 3, 8, 9, 10, 15]), payload, fin=source.random() < 0.8)
    for _ in range(source.randrange(3)):
        frames[source.randrange(len(frames))] = source.randrange(256)
    return bytes(frames)


@pytest.mark.parametrize("seed", range(4))
async def test_rubbish_harms_nobody_else_and_leaves_no_traceback(seed: int, app: App, port: int) -> None:
    source = random.Random(seed)
    async with connected(port) as watcher:
        await opened(watcher)
        for round in range(60):
            async with connected(port) as client:
                await opened(client)
                for _ in range(source.randrange(1, 5)):
                    client.send(rubbish(source))
                if source.random() < 0.3:
                    client.writer.transport.abort()
                elif source.random() < 0.5:
                    client.send(b"\xff" * 100)  # whatever state it is in: nothing valid
                    await client.rest()
            await app.tell(b"<%d>" % round)
            assert await watcher.frame() == (TEXT, b"<%d>" % round)
