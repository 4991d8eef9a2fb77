"""Drives an ASGI application directly, without sockets or threads.

Unlike the usual test clients this works with answers that never end: what the application sends can be read piece by
piece, and leaving the block disconnects.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
ASGIApp = Callable[[Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
Headers = Iterable[tuple[str, str]]

DEADLINE = 10.0
"""Seconds that anything is waited for. Only a hang takes that long."""


class Exchange:
    """One running call of an ASGI application."""

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        self._in: asyncio.Queue[Message] = asyncio.Queue()
        self._out: asyncio.Queue[Message | None] = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._run(app, scope))

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._in.get, self._out.put)
        finally:
            self._out.put_nowait(None)

    def give(self, message: Message) -> None:
        """Let the application receive a message."""
        self._in.put_nowait(message)

    async def take(self) -> Message:
        """The next message that the application sends; raises what it raised, or ``EOFError`` when it has returned."""
        async with asyncio.timeout(DEADLINE):
            message = await self._out.get()
        if message is None:
            self._out.put_nowait(None)
            await self._task
            raise EOFError("the application has returned")
        return message

    async def end(self, farewell: Message) -> None:
        """Disconnect and wait for the application to return; raises what it raises."""
        self.give(farewell)
        async with asyncio.timeout(DEADLINE):
            await self._task


class Response:
    """The answer of an application, as far as it has come."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.status: int = 0
        """0 until ``start`` was awaited."""
        self.headers: dict[str, str] = {}
        """By lower-case name; several lines of one name are joined by commas."""
        self.complete: bool = False
        """The application has said that nothing follows."""

    async def start(self) -> Response:
        """Wait for status and headers."""
        message = await self.exchange.take()
        assert message["type"].endswith("http.response.start"), message  # noqa: S101 - a test helper
        self.status = int(message["status"])
        for name, value in message.get("headers", ()):
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text
        return self

    async def chunk(self) -> bytes:
        """The next piece of the body; empty once it is complete."""
        if self.complete:
            return b""
        message = await self.exchange.take()
        self.complete = not message.get("more_body", False)
        return bytes(message.get("body", b""))

    async def body(self) -> bytes:
        """The rest of a body that ends."""
        pieces = []
        while not self.complete:
            pieces.append(await self.chunk())
        return b"".join(pieces)


@asynccontextmanager
async def asgi_request(
    app: ASGIApp,
    method: str = "GET",
    path: str = "/",
    *,
    headers: Headers = (("host", "localhost"),),
    body: Iterable[bytes] = (b"",),
    ends: bool = True,
    **scope: Any,
) -> AsyncIterator[Response]:
    """Send a request; leaving the block disconnects and waits for the application to return.

    ``body`` comes in as many messages as it has pieces; without ``ends`` more would follow. ``scope`` replaces members
    of the ASGI scope.
    """
    exchange = Exchange(app, _scope("http", path, headers, {"method": method, "scheme": "http", **scope}))
    pieces = list(body)
    for place, piece in enumerate(pieces, 1):
        exchange.give({"type": "http.request", "body": piece, "more_body": place < len(pieces) or not ends})
    try:
        yield Response(exchange)
    finally:
        await exchange.end({"type": "http.disconnect"})


@asynccontextmanager
async def asgi_websocket(
    app: ASGIApp, path: str = "/", *, headers: Headers = (("host", "localhost"),), **scope: Any
) -> AsyncIterator[Exchange]:
    """Open a WebSocket: ``take`` gives the application's answer to the handshake and then what it sends; leaving the
    block disconnects and waits for the application to return.
    """
    usual: dict[str, Any] = {"scheme": "ws", "extensions": {"websocket.http.response": {}}}
    exchange = Exchange(app, _scope("websocket", path, headers, {**usual, **scope}))
    exchange.give({"type": "websocket.connect"})
    try:
        yield exchange
    finally:
        await exchange.end({"type": "websocket.disconnect", "code": 1005})


def _scope(type: str, path: str, headers: Headers, more: dict[str, Any]) -> Scope:
    path, _, query = path.partition("?")
    return {
        "type": type,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 4590),
        "state": {},
        **more,
    }
