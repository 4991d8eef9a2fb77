"""Which way streams take to their sockets: past ASGI where the server offers that and nothing is in between, else by
its ``send``.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable

import pytest
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headway.server.cohorts import Direct
from headway.server.serve import TlsFiles
from headway.server.service import StreamLimits
from tests.server.harness import connected
from tests.server.whole import EVENTS, Whole, both_ways, eventually, head, in_memory, read_answer

ORIGIN = ("Origin", "http://localhost")
PACKED = ("Accept-Encoding", "gzip")
FRAMED = {"transfer-encoding", "content-length"}
OCTETS = ("Accept", "application/octet-stream")


def taken(whole: Whole) -> tuple[int, int]:
    """How many streams there are, and how many of them are written to directly."""
    watchers = whole.service.broadcaster.watchers()
    return len(whole.service.places), sum(isinstance(watcher, Direct) for watcher in watchers)


@both_ways
async def test_a_stream_takes_the_way_that_its_server_offers(way: str) -> None:
    async with in_memory() as whole, whole.events("alice") as stream, whole.socket("alice") as socket:
        await stream.event()
        await eventually(lambda: len(whole.service.places) == 2)
        assert taken(whole) == (2, 2 if way == "fast" else 0)
        uuid = (await whole.start())["uuid"]
        assert (await stream.next()).told[1] == (await socket.next())["uuid"] == uuid


@both_ways
async def test_a_stream_is_the_same_over_tls(way: str, certificate: TlsFiles) -> None:
    async with in_memory(tls=certificate, streams=StreamLimits(farewell=0)) as whole:
        whole.tls = ssl.create_default_context(cafile=str(certificate.certificate))
        old = [(await whole.start(title="x" * 200))["uuid"] for _ in range(200)]
        async with whole.events("alice", "?snapshot=1") as stream, whole.socket("alice", "?snapshot=1") as socket:
            assert len((await stream.next("snapshot")).data["MediaContainer"]["Activity"]) == len(old)
            await socket.container()
            await eventually(lambda: taken(whole) == (2, 2 if way == "fast" else 0))
            for uuid in old[:3]:
                await whole.change(uuid, state="succeeded")
                assert (await stream.next()).told == ("ended", uuid)
                assert (await socket.next())["uuid"] == uuid
            whole.server.stop()
            assert (await stream.block()).startswith(b"retry: ")
            assert (await stream.block(), stream.ended) == (b"", True)
            assert await socket.client.close_code() == 1012


# Something in between


async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers["x-passed"] = "yes"
    return response


class InAnotherTask:
    """Passes on what an application sends, at once, from a task that is not the application's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: asyncio.Queue[Message | None] = asyncio.Queue()

        async def put(message: Message) -> None:
            messages.put_nowait(message)
            await messages.join()

        async def run() -> None:
            try:
                await self._app(scope, receive, put)
            finally:
                messages.put_nowait(None)

        running = asyncio.create_task(run())
        while (message := await messages.get()) is not None:
            await send(message)
            messages.task_done()
        await running


@pytest.mark.parametrize(
    ("middleware", "direct"),
    [
        (lambda app: GZipMiddleware(app, minimum_size=0), 2),
        (lambda app: CORSMiddleware(app, allow_origins=["*"]), 2),
        (lambda app: BaseHTTPMiddleware(app, dispatch), 1),  # which lets WebSockets pass
        (InAnotherTask, 0),
    ],
    ids=["gzip", "cors", "base", "task"],
)
async def test_a_stream_is_the_same_with_middleware_around_it(
    middleware: Callable[[ASGIApp], ASGIApp], direct: int
) -> None:
    async with (
        in_memory(middleware=middleware) as whole,
        whole.events("alice", headers=[ORIGIN, PACKED]) as stream,
        whole.socket("alice") as socket,
    ):
        assert "content-encoding" not in stream.headers
        assert (await stream.event()).type == "ping"
        for _ in range(3):
            uuid = (await whole.start())["uuid"]
            assert (await stream.next()).told == ("started", uuid)
            assert (await socket.next())["uuid"] == uuid
        assert taken(whole) == (2, direct)
        whole.server.stop()
        while await stream.block():
            pass
        assert stream.ended
        assert await socket.client.close_code() == 1012


# Clients that do something else on the connection of a stream


@both_ways
async def test_a_second_request_is_not_answered_within_the_stream_and_goes_with_it(way: str) -> None:
    async with in_memory() as whole:
        async with whole.events("alice") as stream:
            await stream.event()
            stream.client.send(whole.request("GET", "/activities", "alice"))
            uuid = (await whole.start())["uuid"]
            assert (await stream.next()).told == ("started", uuid)
        if way == "portable":  # which reads nothing until it has answered: the end shows in a write
            for _ in range(2):
                other = (await whole.start())["uuid"]
                await whole.change(other, state="failed")
        await eventually(lambda: taken(whole) == (0, 0))


async def test_a_request_sent_along_with_that_for_a_stream_goes_with_it_too() -> None:
    async with in_memory() as whole, connected(whole.port) as client:
        request = whole.request("GET", EVENTS, "alice")
        client.send(request + whole.request("GET", "/activities", "alice") + b"GET / HT")
        await client.until(b"event: ping")
        assert taken(whole) == (1, 1)
        client.writer.close()
        await eventually(lambda: taken(whole) == (0, 0))


@both_ways
async def test_a_stream_after_other_answers_on_its_connection(way: str) -> None:
    async with in_memory() as whole, connected(whole.port) as client:
        for _ in range(2):
            client.send(whole.request("GET", "/activities", "alice"))
            assert (await read_answer(client)).status == 200
        client.send(whole.request("HEAD", EVENTS, "alice"))
        assert (await head(client))[0] == 200
        client.send(whole.request("GET", EVENTS, "alice"))
        assert (await head(client))[0] == 200
        await client.until(b"event: ping")
        assert taken(whole) == (1, 1 if way == "fast" else 0)


@both_ways
@pytest.mark.parametrize("how", ["half-close", "rubbish", "reset"])
async def test_whoever_leaves_in_whatever_way_leaves_nothing_behind(way: str, how: str) -> None:
    async with in_memory() as whole, whole.events("alice") as other:
        await other.event()
        before = len(asyncio.all_tasks())
        for _ in range(5):
            async with whole.events("alice") as stream:
                await stream.event()
                if how == "half-close":
                    stream.client.writer.write_eof()
                elif how == "rubbish":
                    stream.client.send(b"\x00\xff rubbish\r\n\r\n")
                else:
                    stream.client.writer.transport.abort()
                if how == "half-close":
                    assert await stream.client.rest() == b""
        await eventually(lambda: taken(whole) == (1, 1 if way == "fast" else 0))
        await eventually(lambda: len(asyncio.all_tasks()) <= before)
        uuid = (await whole.start())["uuid"]
        assert (await other.next()).told == ("started", uuid)


@both_ways
async def test_a_client_of_http_1_0_gets_a_stream_without_chunks_that_ends_with_its_connection(way: str) -> None:
    async with in_memory(streams=StreamLimits(farewell=0)) as whole, connected(whole.port) as client:
        client.send(whole.request("GET", EVENTS, "alice").replace(b"HTTP/1.1", b"HTTP/1.0"))
        status, headers = await head(client)
        assert (status, headers["connection"], headers.keys() & FRAMED) == (200, "close", set())
        assert (await client.until(b"\n\n")).startswith(b"event: ping\ndata: {}\nid: ")
        uuid = (await whole.start())["uuid"]
        event = await client.until(b"\n\n")
        assert event.startswith(b"event: activity\ndata: {")
        assert uuid.encode() in event
        whole.server.stop()
        assert re.fullmatch(rb"retry: \d+\n\n", await client.rest())


@both_ways
async def test_a_client_of_http_1_0_gets_an_answer_with_a_length_as_all_do(way: str) -> None:
    async with in_memory() as whole, connected(whole.port) as client:
        client.send(whole.request("GET", "/activities", "alice").replace(b"HTTP/1.1", b"HTTP/1.0"))
        status, headers, body = await client.answer()
        assert (status, headers.keys() & FRAMED, await client.rest()) == (200, {"content-length"}, b"")
        assert body == b'{"MediaContainer":{"size":0}}'


@both_ways
async def test_a_client_of_http_1_0_that_leaves_leaves_nothing_behind(way: str) -> None:
    async with in_memory() as whole:
        async with connected(whole.port) as client:
            client.send(whole.request("GET", EVENTS, "alice").replace(b"HTTP/1.1", b"HTTP/1.0"))
            await client.until(b"event: ping")
            assert taken(whole) == (1, 0)
        await eventually(lambda: taken(whole) == (0, 0))
