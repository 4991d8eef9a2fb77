"""The live streams: EventSource and WebSocket.

Both are the same watcher, a channel and a cursor, written to as fast as its socket is drained: while that is full,
nothing gathers, and the next read catches up from the cursor. A socket that is not drained for 30 seconds is given
up; its client resumes by its cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from headway.core.errors import HeadwayError, Unavailable
from headway.core.policy import Action
from headway.server.answers import arguments_of, disconnected, grant_of, header, permitted, refusal
from headway.server.broadcast import Watcher
from headway.server.channels import Channel, ChannelKey, P, Transport
from headway.server.cohorts import Direct
from headway.server.ending import Ending, retry
from headway.server.extension import EXTENSION, Attach
from headway.server.relays import GONE, Relay
from headway.server.service import Place, Service
from headway.wire import query
from headway.wire.query import Arguments
from headway.wire.sse import ResyncReason

PROTOCOL = {"x-headway-protocol": "1"}
"""How a stream says that it has cursors and snapshots, which a Plex server has not."""

PARTING = 1.0
"""Seconds for the last word to a client: one that does not read must keep neither its place nor the server."""


class Opening(msgspec.Struct, frozen=True):
    """How a client wants its stream to begin."""

    key: ChannelKey
    snapshot: bool
    since: str | None
    """The cursor to resume from."""

    def begin(self, channel: Channel[P], opened: int | None) -> tuple[Sequence[P], int]:
        """What to write first, and the position after that. ``opened``: the position that ``since`` stands for."""
        if opened is not None and not channel.key.silent:
            # Also where a snapshot is asked for: an EventSource that comes back repeats its URL, and knows more by now.
            return _given(channel.ping(opened)), opened
        if channel.key.silent or not (self.snapshot or self.since is not None):
            return _given(channel.ping(channel.position)), channel.position
        gap = [] if self.since is None else [channel.resync(ResyncReason.UNKNOWN)]
        snapshot, cursor = channel.snapshot()
        # The ping names no position: who got no further than to it would resume behind what it missed.
        return [*_given(channel.ping(None)), *gap, snapshot], cursor


class Streams:
    """The endpoints of the streams."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def events(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /:/eventsource/notifications``."""
        request = Request(scope)
        opening = self._opening(request, "sse", request.headers.get("last-event-id") or None)
        behind = await self._behind(opening)
        with self._service.places.take(grant_of(request).principal.user) as place:
            await send(_stream_start(request.headers))
            if request.method == "HEAD":
                await send(_body(b""))
            elif behind or self._service.stopping.is_set():
                # Any status but 200 would close a browser's EventSource for good.
                await send(_body(retry()))
            elif not self._hand_over(request, opening, place):
                await self._send_events(request, opening, receive, send)

    async def socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``/:/websockets/notifications`` and ``/:/websocket/notifications``."""
        websocket = WebSocket(scope, receive, send)
        try:
            if self._service.stopping.is_set():
                raise Unavailable("the server is stopping")
            opening = self._opening(websocket, "websocket", None)
            if await self._behind(opening):
                raise Unavailable("what this node has missed of its store cannot be told just now; try again")
            with self._service.places.take(grant_of(websocket).principal.user) as place:
                await websocket.accept(headers=[(name.encode(), value.encode()) for name, value in PROTOCOL.items()])
                if self._service.stopping.is_set():  # meanwhile
                    await _last_word(websocket.close(Ending.STOPPING.value))
                elif not self._hand_over(websocket, opening, place):
                    await self._send_messages(websocket, opening, send)
        except HeadwayError as error:
            await websocket.send_denial_response(refusal(websocket, error))

    def _opening(self, connection: HTTPConnection, transport: Transport, last: str | None) -> Opening:
        principal = permitted(connection, Action.READ)
        arguments = arguments_of(connection)
        snapshot, since = query.flag(arguments, "snapshot"), last or _since(arguments)
        resumable = transport == "sse" or snapshot or since is not None
        silent = not query.filters(arguments).admits("activity")
        key = ChannelKey(principal.scope, query.stream_narrowing(arguments), transport, resumable, silent)
        return Opening(key, snapshot, since)

    async def _behind(self, opening: Opening) -> bool:
        """Whether a cursor is ahead of this node, which cannot catch up just now: it may come from another node, or be
        what this one knew before it was started again. To call it unknown would be a guess.
        """
        activities = self._service.activities
        if opening.since is None:
            return False
        try:
            await activities.store.sync()
        except Unavailable:
            scope = opening.key.scope
            opened = self._service.cursors.open(scope, opening.since)
            return opened is not None and opened > activities.feed(scope).view.revision
        return False

    def _hand_over(self, connection: HTTPConnection, opening: Opening, place: Place) -> bool:
        """Let the stream go on past ASGI, and keep its place, where the server offers that."""
        attach: Attach | None = connection.scope.get("extensions", {}).get(EXTENSION, {}).get("attach")
        if attach is None:
            return False
        channel = self._service.channels.join(opening.key)
        watcher = Direct(self._service.broadcaster, channel)
        unwatch = self._end_with_grant(connection, watcher)

        def abandon() -> None:
            unwatch()
            self._service.channels.leave(channel)

        def release() -> None:
            abandon()
            place.leave()

        joined = False
        try:
            joined = watcher.join(attach, lambda: self._begin(channel, opening))
        finally:
            if not joined:
                abandon()
        if joined:
            place.keep()
            watcher.release = release
        return joined

    async def _send_events(self, request: Request, opening: Opening, receive: Receive, send: Send) -> None:
        def write(data: bytes) -> Awaitable[None]:
            return send(_body(data, more=True))

        with self._channel(opening) as channel:
            relay = Relay(self._service.broadcaster, channel, write)
            ending = await self._run(request, relay, channel, opening, disconnected(receive))
        if ending is not Ending.STALLED:  # which is an unfinished response: the server drops the connection
            await _last_word(send(_body(retry() if ending is Ending.STOPPING else b"")))

    async def _send_messages(self, websocket: WebSocket, opening: Opening, send: Send) -> None:
        async def write(texts: Sequence[str]) -> None:
            for text in texts:
                await send({"type": "websocket.send", "text": text})

        with self._channel(opening) as channel:
            relay = Relay(self._service.broadcaster, channel, write)
            ending = await self._run(websocket, relay, channel, opening, _hung_up(websocket))
        if ending is not Ending.GONE:
            # Whoever did not drain the socket will not read the close either; the transport is closed behind it.
            await _last_word(websocket.close(1011 if ending is Ending.STALLED else ending.value))

    async def _run(
        self,
        connection: HTTPConnection,
        relay: Relay[Any],
        channel: Channel[Any],
        opening: Opening,
        leaving: Coroutine[Any, Any, None],
    ) -> Ending:
        unwatch = self._end_with_grant(connection, relay)
        try:
            return await relay.run(*self._begin(channel, opening), leaving)
        finally:
            unwatch()

    def _end_with_grant(self, connection: HTTPConnection, watcher: Watcher) -> Callable[[], None]:
        return self._service.grants.watch(grant_of(connection), partial(watcher.end, Ending.REVOKED))

    @contextmanager
    def _channel(self, opening: Opening) -> Iterator[Channel[Any]]:
        channels = self._service.channels
        channel = channels.join(msgspec.structs.replace(opening.key, direct=False))
        try:
            yield channel
        finally:
            channels.leave(channel)

    def _begin(self, channel: Channel[P], opening: Opening) -> tuple[Sequence[P], int]:
        opened = None if opening.since is None else self._service.cursors.open(opening.key.scope, opening.since)
        return opening.begin(channel, opened)


def _given(data: P | None) -> Sequence[P]:
    return [] if data is None else [data]


async def _last_word(saying: Awaitable[None]) -> None:
    with suppress(*GONE):  # TimeoutError is one of them
        async with asyncio.timeout(PARTING):
            await saying


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
        **PROTOCOL,
    }
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }


def _body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def _hung_up(websocket: WebSocket) -> None:
    """Until the client has gone; what it says is read and ignored."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
