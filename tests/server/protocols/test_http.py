"""HTTP connections on real sockets: bounds, refusals, and what one client cannot do to another."""

import asyncio
import json
import random

import pytest

from headway.server.guard import Guard
from headway.server.protocols import Limits
from tests.server.harness import App, Client, connected, eventually, running

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


def request(head: bytes = GET, *lines: bytes) -> bytes:
    return head + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


async def refused_with(client: Client) -> int:
    """The status of an answer that closes the connection, in the form that a client without Accept can read."""
    status, headers, body = await client.answer()
    assert headers["connection"] == "close"
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers
    assert json.loads(body)["errors"][0]["status"] == status
    assert await client.rest() == b""
    return status


async def test_a_connection_serves_one_request_after_the_other(port: int) -> None:
    async with connected(port) as client:
        for size in (0, 3, 5):
            client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
            status, headers, body = await client.answer()
            assert (status, body) == (200, b"%d" % size)
            assert "server" not in headers
            assert "date" in headers


# The head of a request


async def test_a_hundred_header_lines_are_served_and_one_more_is_refused(port: int) -> None:
    async with connected(port) as client:
        client.send(request(GET, *[b"X-%d: y" % n for n in range(99)]))
        assert (await client.head())[0] == 200
    async with connected(port) as client:
        client.send(request(GET, *[b"X-%d: y" % n for n in range(100)]))
        assert await refused_with(client) == 431


@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_head_of_16_kib_is_served_and_one_byte_more_is_refused(pieces: int, port: int) -> None:
    longest = request(GET, b"X-A: " + b"a" * 8000, b"X-B: " + b"b" * (16 * 1024 - len(GET) - 8000 - 16))
    assert len(longest) == 16 * 1024
    for head, status in ((longest, 200), (longest.replace(b"X-A: ", b"X-A: a"), 431)):
        async with connected(port) as client:
            step = len(head) // pieces + 1
            for start in range(0, len(head), step):
                client.send(head[start : start + step])
                await client.writer.drain()
            assert (await client.head())[0] == status


@pytest.mark.parametrize("filler", [b"X-Long: " + b"a" * 100_000, b"X-Space:" + b" " * 100_000, b"a" * 100_000])
async def test_a_head_that_does_not_end_is_refused_before_it_fills_the_memory(filler: bytes, port: int) -> None:
    async with connected(port) as client:
        client.send(GET + filler)
        assert await refused_with(client) == 431


async def test_a_request_target_of_8_kib_is_served_and_one_byte_more_is_too_long(port: int) -> None:
    for size, status in ((8 * 1024, 200), (8 * 1024 + 1, 414)):
        async with connected(port) as client:
            client.send(b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"a" * (size - 1)))
            assert (await client.head())[0] == status


@pytest.mark.parametrize("sent", [b"G", GET, GET + b"X-Slow: a"])
async def test_a_head_that_is_late_is_answered_408_and_closed(sent: bytes) -> None:
    async with running(App(), limits=Limits(head_time=0.3)) as (_, port), connected(port) as client:
        client.send(sent)
        assert await refused_with(client) == 408


async def test_a_head_that_trickles_is_late_all_the_same() -> None:
    async with running(App(), limits=Limits(head_time=0.3)) as (_, port), connected(port) as client:

        async def trickle() -> None:
            client.send(GET)
            while True:
                client.send(b"X: y\r\n")
                await asyncio.sleep(0.01)

        trickling = asyncio.get_running_loop().create_task(trickle())
        assert (await client.head())[0] == 408
        trickling.cancel()


async def test_the_head_of_a_later_request_is_late_too() -> None:
    async with running(App(), limits=Limits(head_time=0.3)) as (_, port), connected(port) as client:
        client.send(request())
        assert (await client.answer())[0] == 200
        client.send(GET)
        assert await refused_with(client) == 408


async def test_who_connects_and_says_nothing_is_closed_without_a_word() -> None:
    async with running(App(), limits=Limits(head_time=0.3)) as (_, port), connected(port) as client:
        assert await client.rest() == b""
        async with connected(port) as other:
            other.send(b"\r\n\r\n")
            assert await other.rest() == b""


async def test_a_stream_outlasts_the_time_for_heads() -> None:
    app = App()
    async with running(app, limits=Limits(head_time=0.3)) as (_, port), connected(port) as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await client.head()
        async with connected(port) as silent:
            await silent.rest()  # which takes as long
        await app.tell(b"still here")
        await client.until(b"still here")


@pytest.mark.parametrize(
    "bad",
    [
        *(b"\x00\x01\x02\x03", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"HELO example\r\n\r\n"),
        *(b"GET /\xff HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\nHost: localhost\n\n", b"GET  HTTP/1.1\r\n\r\n"),
        *(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        request(GET, b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        *(request(GET, b"Content-Length: 5", b"Content-Length: 6"), request(GET, b"Content-Length: -1")),
        *(request(GET, b"Bad Header: x"), request(GET, b"X: \x00"), request(GET, b" folded: x")),
    ],
)
async def test_what_is_not_http_is_answered_400_and_closed(bad: bytes, port: int) -> None:
    async with connected(port) as client:
        client.send(bad)
        assert await refused_with(client) == 400


@pytest.mark.parametrize("line", [b"GET / HTTP/2.0", b"GET / HTTP/0.9", b"GET /"])
async def test_another_version_of_http_is_refused(line: bytes, port: int) -> None:
    async with connected(port) as client:
        client.send(line + b"\r\nHost: localhost\r\n\r\n")
        assert await refused_with(client) in (400, 505)


async def test_refusals_take_the_form_that_was_asked_for_as_far_as_that_was_heard(port: int) -> None:
    async with connected(port) as client:
        client.send(GET + b"Accept: */*\r\nX: y\r\nBad Header: x\r\n\r\n")
        status, headers, body = await client.answer()
        assert (status, headers["content-type"]) == (400, "text/html")
        assert b"<h1>400 Bad Request</h1>" in body


async def test_a_host_in_the_request_line_counts_and_the_header_beside_it_does_not(port: int) -> None:
    for target, host, status in (
        (b"http://localhost/activities?a=b", b"evil.example", 200),
        (b"http://localhost", b"evil.example", 200),
        (b"http://[::1]:4590/", b"evil.example", 200),
        (b"http://evil.example/activities", b"localhost", 421),
        (b"/activities", b"localhost", 200),
    ):
        async with connected(port) as client:
            client.send(b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, host))
            assert (await client.head())[0] == status, target


async def test_the_rest_of_such_a_request_line_reaches_the_application(app: App, port: int) -> None:
    async with connected(port) as client:
        client.send(b"GET http://localhost:80/a/b?c=d HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        await client.head()
    assert (app.scopes[0]["path"], app.scopes[0]["query_string"]) == ("/a/b", b"c=d")
    assert app.scopes[0]["headers"] == [(b"host", b"localhost:80")]


# Bodies


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize(("size", "status"), [(64 * 1024, 200), (64 * 1024 + 1, 413)])
async def test_the_limit_of_a_body_is_exact(size: int, status: int, port: int) -> None:
    async with connected(port) as client:
        client.send(request(GET, b"Content-Length: %d" % size) + b"x" * size)
        assert (await client.answer())[0] == status
        client.send(request(GET, b"Transfer-Encoding: chunked") + chunked(b"x" * size, 1000))
        assert (await client.answer())[0] == status


async def test_a_client_that_sends_far_too_much_still_gets_to_read_why_and_can_go_on(port: int) -> None:
    async with connected(port) as client:
        client.send(request(GET, b"Content-Length: 3000000") + b"x" * 3_000_000)
        await client.writer.drain()
        assert (await client.answer())[0] == 413
        client.send(request())
        assert (await client.answer())[0] == 200


async def test_a_client_that_does_not_stop_sending_is_cut_off() -> None:
    async with running(Guard(App()), limits=Limits(unread=200_000)) as (_, port), connected(port) as client:
        client.send(request(GET, b"Content-Length: 100000000") + b"x" * 100_000)
        assert (await client.answer())[0] == 413
        with pytest.raises(ConnectionError):
            while True:
                client.send(b"x" * 100_000)
                await client.writer.drain()


async def test_a_client_that_never_ends_a_refused_body_is_cut_off() -> None:
    async with running(Guard(App()), limits=Limits(linger=0.02)) as (_, port), connected(port) as client:
        client.send(request(GET, b"Content-Length: 100000000"))
        assert (await client.answer())[0] == 413
        assert await client.rest() == b""


async def test_a_client_that_waits_for_leave_to_send_too_much_is_refused_before_it_sends(port: int) -> None:
    async with connected(port) as client:
        client.send(request(GET, b"Content-Length: 100000000", b"Expect: 100-continue"))
        assert await refused_with(client) == 413
        async with connected(port) as other:
            other.send(request(GET, b"Content-Length: 2", b"Expect: 100-continue"))
            assert (await other.head())[0] == 100
            other.send(b"{}")
            assert (await other.answer())[2] == b"2"


async def test_trailers_do_not_become_headers(app: App, port: int) -> None:
    async with connected(port) as client:
        client.send(request(GET, b"Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\nHost: evil.example\r\n\r\n")
        assert (await client.answer())[2] == b"1"
    assert [value for name, value in app.scopes[0]["headers"] if name == b"host"] == [b"localhost"]


async def test_trailers_that_do_not_end_are_cut_off() -> None:
    async with running(Guard(App()), limits=Limits(unread=100_000)) as (_, port), connected(port) as client:
        client.send(request(GET, b"Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\nX-Long: ")
        with pytest.raises(ConnectionError):
            while True:
                client.send(b"x" * 10_000)
                await client.writer.drain()


async def test_rubbish_within_a_refused_body_gets_no_second_answer(port: int) -> None:
    async with connected(port) as client:
        client.send(request(GET, b"Transfer-Encoding: chunked", b"Content-Encoding: gzip") + b"1\r\na\r\n")
        assert (await client.answer())[0] == 415
        client.send(b"zz\r\n")
        assert await client.rest() == b""


# Several requests on one connection


async def test_requests_may_be_sent_ahead_and_are_answered_in_order(port: int) -> None:
    async with connected(port) as client:
        client.send(b"".join(request(GET, b"Content-Length: %d" % n) + b"x" * n for n in range(20)))
        assert [(await client.answer())[2] for _ in range(20)] == [b"%d" % n for n in range(20)]


async def test_too_many_requests_sent_ahead_close_the_connection(app: App, port: int) -> None:
    async with connected(port) as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n" + request() * 100)
        assert await client.rest() == b""
        await eventually(lambda: not app.streams)
        assert len(app.scopes) <= 1


async def test_rubbish_after_a_stream_has_begun_ends_it_and_is_not_put_into_it(app: App, port: int) -> None:
    async with connected(port) as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await client.head()
        client.send(b"\x00rubbish")
        assert await client.rest() == b""
        await eventually(lambda: not app.streams)


async def test_a_websocket_cannot_be_opened_within_an_answer(app: App, port: int) -> None:
    async with connected(port) as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await client.head()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.handshake()
        await eventually(lambda: not app.streams)


@pytest.mark.parametrize("after", [b"", b"\r\n"])
async def test_an_idle_connection_is_closed_without_a_word(after: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.server.serve.KEEP_ALIVE", 0.02)
    async with running(App()) as (_, port), connected(port) as client:
        client.send(request())
        await client.answer()
        client.send(after)
        assert await client.rest() == b""


async def test_an_upgrade_that_is_not_known_is_ignored(port: int) -> None:
    async with connected(port) as client:
        client.send(request(GET, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"))
        assert (await client.answer())[0] == 200


# Clients and their neighbours


async def test_a_client_that_reads_nothing_is_cut_off() -> None:
    app = App()
    async with running(app, limits=Limits(stall=0.05)) as (_, port), connected(port) as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await eventually(lambda: bool(app.streams))
        for _ in range(40):
            await app.tell(b"x" * 1_000_000)
        await eventually(lambda: not app.streams)


async def test_connections_beyond_the_limit_are_turned_away_until_one_closes() -> None:
    async with running(App(), limits=Limits(connections=2)) as (_, port):
        async with connected(port) as first, connected(port) as second:
            for client in (first, second):
                client.send(request())
                assert (await client.answer())[0] == 200
            async with connected(port) as third:
                status, headers, _ = await third.answer()
                assert (status, headers["connection"]) == (503, "close")
                assert "retry-after" in headers
            second.send(request())
            assert (await second.answer())[0] == 200
        async with asyncio.timeout(20):
            while True:
                async with connected(port) as later:
                    later.send(request())
                    if (await later.head())[0] == 200:
                        break


def rubbish(source: random.Random) -> bytes:
    """Some bytes, or a request with some of it changed."""
    if source.random() < 0.3:
        return source.randbytes(source.randrange(1, 2000))
    sample = bytearray(
        source.choice(
            [
                request(GET, b"Accept: */*", b"X-Plex-Token: secret"),
                request(GET, b"Content-Length: 5") + b"hello",
                request(GET, b"Transfer-Encoding: chunked") + chunked(b"hello", 2),
                request(GET, b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
                request() * 3,
            ]
        )
    )
    for _ in range(source.randrange(1, 8)):
        place = source.randrange(len(sample))
        change = source.randrange(3)
        if change == 0:
            sample[place] = source.randrange(256)
        elif change == 1:
            del sample[place : place + source.randrange(1, 20)]
        else:
            sample[place:place] = source.randbytes(source.randrange(1, 20))
        if not sample:
            return b"\0"
    return bytes(sample)


@pytest.mark.parametrize("seed", range(4))
async def test_rubbish_harms_nobody_else_and_leaves_no_traceback(seed: int) -> None:
    app, source = App(), random.Random(seed)
    async with running(Guard(app, body_timeout=0.05)) as (_, port), connected(port) as watcher:
        watcher.send(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await watcher.head()
        for round in range(60):
            async with connected(port) as client:
                for _ in range(source.randrange(1, 4)):
                    client.send(rubbish(source))
                ending = source.randrange(3)
                if ending == 0:
                    client.writer.transport.abort()
                elif ending == 1:
                    client.writer.write_eof()
                    await client.rest()
            await app.tell(b"<%d>" % round)
            await watcher.until(b"<%d>" % round)
