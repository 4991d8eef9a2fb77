"""The live streams: EventSource and WebSocket.

Both are the same watcher, a channel and a cursor, written to as fast as its socket is drained: while a write waits,
nothing gathers, and the next read catches up from the cursor. A socket that is not drained for 30 seconds is given
up; its client resumes by its cursor.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from headway.core.errors import HeadwayError, Unavailable
from headway.core.policy import Action
from headway.server.answers import arguments_of, disconnected, grant_of, header, permitted, refusal
from headway.server.broadcast import EXTENSION, Attach, Watcher
from headway.server.channels import Channel, ChannelKey, Frames, Gap
from headway.server.ending import Ending, retry
from headway.server.service import Place, Service
from headway.wire import query, sse
from headway.wire.query import Arguments
from headway.wire.sse import ResyncReason

Write = Callable[[Frames], Awaitable[None]]

PARTING = 1.0
"""Seconds for the last word to a client: one that does not read must keep neither its place nor the server."""


class Opening(msgspec.Struct, frozen=True):
    """How a client wants its stream to begin."""

    key: ChannelKey
    silent: bool
    """The filters leave nothing of what there is: the stream is signs of life only."""
    snapshot: bool
    since: str | None
    """The cursor to resume from."""

    def begin(self, channel: Channel, opened: int | None) -> tuple[Frames, int]:
        """The first frames and the position after them. ``opened``: the position that ``since`` stands for."""
        if self.silent:
            return [], channel.position
        if opened is not None:
            # Also where a snapshot is asked for: an EventSource that comes back repeats its URL, and knows more by now.
            return [], opened
        if self.since is not None:
            return channel.resync(ResyncReason.UNKNOWN)
        return channel.snapshot() if self.snapshot else ([], channel.position)


class Streams:
    """The endpoints of the streams."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def events(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /:/eventsource/notifications``."""
        request = Request(scope)
        opening = self._opening(request, "sse", request.headers.get("last-event-id") or None)
        with self._service.places.take(grant_of(request).principal.user) as place:
            await send(_stream_start(request.headers))
            if request.method == "HEAD":
                await send({"type": "http.response.body", "body": b""})
                return
            if self._service.stopping.is_set():
                # Any status but 200 would close a browser's EventSource for good.
                await send({"type": "http.response.body", "body": retry()})
                return

            if self._handed_over(request, opening, place):
                return

            async def write(frames: Frames) -> None:
                await send({"type": "http.response.body", "body": b"".join(frames), "more_body": True})

            ending = await self._serve(request, opening, write, disconnected(receive))
            if ending is Ending.STALLED:
                return  # an unfinished response: the server drops the connection
            body = retry() if ending is Ending.STOPPING else b""
            with suppress(_Stalled, _Gone):
                await _patiently(PARTING, send({"type": "http.response.body", "body": body}))

    async def socket(self, websocket: WebSocket) -> None:
        """``/:/websockets/notifications`` and ``/:/websocket/notifications``."""
        try:
            if self._service.stopping.is_set():
                raise Unavailable("the server is stopping")
            opening = self._opening(websocket, "websocket", None)
            with self._service.places.take(grant_of(websocket).principal.user) as place:
                await websocket.accept()
                if not self._handed_over(websocket, opening, place):
                    await self._talk(websocket, opening)
        except HeadwayError as error:
            await websocket.send_denial_response(refusal(websocket, error))

    async def _talk(self, websocket: WebSocket, opening: Opening) -> None:
        async def write(frames: Frames) -> None:
            for frame in frames:
                await websocket.send({"type": "websocket.send", "text": frame.decode()})

        ending = await self._serve(websocket, opening, write, _hung_up(websocket))
        if ending is not Ending.GONE:
            # Whoever did not drain the socket will not read the close either; the transport is closed behind it.
            with suppress(_Stalled, _Gone):
                code = 1011 if ending is Ending.STALLED else ending.value
                await _patiently(PARTING, websocket.close(code))

    def _opening(self, connection: HTTPConnection, transport: str, last: str | None) -> Opening:
        principal = permitted(connection, Action.READ)
        arguments = arguments_of(connection)
        snapshot, since = query.flag(arguments, "snapshot"), last or _since(arguments)
        resumable = transport == "sse" or snapshot or since is not None
        return Opening(
            ChannelKey(principal.scope, query.stream_narrowing(arguments), transport, resumable),
            silent=not query.filters(arguments).admits("activity"),
            snapshot=snapshot,
            since=since,
        )

    def _handed_over(self, connection: HTTPConnection, opening: Opening, place: Place) -> bool:
        """Let the broadcaster go on with the stream, and with its place, where the server offers that."""
        attach: Attach | None = connection.scope.get("extensions", {}).get(EXTENSION, {}).get("attach")
        service = self._service
        if attach is None or service.stopping.is_set():  # the broadcaster has counted whom it says farewell to
            return False
        channel = service.channels.join(opening.key)
        watcher = Watcher(service.broadcaster, channel, opening.silent)
        unwatch = service.grants.watch(grant_of(connection), partial(watcher.end, Ending.REVOKED))

        def release() -> None:
            unwatch()
            service.channels.leave(channel)
            place.leave()

        joined = False
        try:
            joined = service.broadcaster.join(watcher, attach, lambda: self._begin(channel, opening))
        finally:
            if joined:
                place.keep()
                watcher.release = release
            else:
                unwatch()
                service.channels.leave(channel)
        return joined

    def _begin(self, channel: Channel, opening: Opening) -> tuple[Frames, int]:
        opened = None if opening.since is None else self._service.cursors.open(opening.key.scope, opening.since)
        frames, cursor = opening.begin(channel, opened)
        # Before a snapshot it names no position: who got no further than the ping would resume behind what it missed.
        return [*_pinger(channel, opening)(None if frames else cursor), *frames], cursor

    async def _serve(
        self, connection: HTTPConnection, opening: Opening, write: Write, gone: Coroutine[Any, Any, None]
    ) -> Ending:
        """Run a watcher until something ends it."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Ending] = loop.create_future()
        channel = self._service.channels.join(opening.key)
        tasks = {
            loop.create_task(self._watch(channel, opening, write)): Ending.GONE,
            loop.create_task(gone): Ending.GONE,
            loop.create_task(self._farewell()): Ending.STOPPING,
        }
        unwatch = self._service.grants.watch(grant_of(connection), lambda: _settle(ended, Ending.REVOKED))
        try:
            first: set[asyncio.Future[Any]] = {*tasks, ended}
            done, _ = await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            return ended.result() if ended in done else await _outcome(done, tasks)
        finally:
            unwatch()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._service.channels.leave(channel)

    async def _watch(self, channel: Channel, opening: Opening, write: Write) -> None:
        limits = self._service.limits
        frames, cursor = self._begin(channel, opening)
        ping = _pinger(channel, opening)
        await _patiently(limits.stall, write(frames))
        loop = asyncio.get_running_loop()
        due = loop.time() + limits.ping
        while True:
            if loop.time() >= due:
                due = loop.time() + limits.ping
                if frames := ping(cursor):
                    await _patiently(limits.stall, write(frames))
            for frames, after in [([], channel.position)] if opening.silent else channel.read(cursor):
                if frames:
                    await _patiently(limits.stall, write(frames))
                cursor = after
            if cursor == channel.position:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        await channel.feed.changed.wait()

    async def _farewell(self) -> None:
        await self._service.stopping.wait()
        await asyncio.sleep(random.uniform(0.0, self._service.farewell))  # noqa: S311 - spreads, hides nothing


class _Stalled(Exception):
    """The client does not drain its socket."""


class _Gone(Exception):
    """The client went away under a write."""


async def _patiently(seconds: float, writing: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(seconds):
            await writing
    except TimeoutError:
        raise _Stalled from None
    except (OSError, RuntimeError, WebSocketDisconnect):  # ASGI names the first, servers and Starlette have the others
        raise _Gone from None


async def _outcome(done: set[asyncio.Future[Any]], tasks: dict[asyncio.Task[None], Ending]) -> Ending:
    for task, ending in tasks.items():
        if task not in done:
            continue
        try:
            await task
        except _Stalled:
            return Ending.STALLED
        except Gap:
            return Ending.BEHIND
        except _Gone:
            return Ending.GONE
        return ending
    return Ending.GONE


def _settle(future: asyncio.Future[Ending], ending: Ending) -> None:
    if not future.done():
        future.set_result(ending)


def _pinger(channel: Channel, opening: Opening) -> Callable[[int | None], Frames]:
    """Signs of life: events of an EventSource; a WebSocket has its own, below us."""
    if opening.key.transport != "sse":
        return lambda cursor: []
    return lambda cursor: [sse.ping(None if cursor is None else channel.sealed(cursor))]


def _since(arguments: Arguments) -> str | None:
    """The cursor of a query, unjudged: an EventSource is told of a bad one in band, or it would never come back."""
    return next((value for name, value in arguments if name == "since" and value), None)


def _stream_start(headers: Headers) -> dict[str, Any]:
    # The generated clients' event call asks for octet-stream and refuses anything else.
    accepted = header(headers, "accept") or ""
    octets = "application/octet-stream" in accepted and "text/event-stream" not in accepted
    sent = {
        "content-type": "application/octet-stream" if octets else "text/event-stream",
        "cache-control": "no-cache, no-store, no-transform",
        "x-accel-buffering": "no",
    }
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }


async def _hung_up(websocket: WebSocket) -> None:
    """Until the client has gone; what it says is read and ignored."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
