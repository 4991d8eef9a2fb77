"""A whole server on real sockets, and a client that sends exactly what it is told to."""

from __future__ import annotations

import asyncio
import json
import math
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp

from headway.core.policy import Principal, Role
from headway.hub import Activities
from headway.server.app import create_app
from headway.server.data import admin_token
from headway.server.guard import Guard
from headway.server.identity.store import TokenStore
from headway.server.serve import Server
from headway.server.service import Service, StreamLimits
from headway.server.standalone import Settings, assembled
from tests.server.harness import DEADLINE, PING, PONG, Client, connected, running

Headers = Iterable[tuple[str, str]]
JSON = ("Accept", "application/json")
XML = ("Accept", "application/xml")
EVENTS = "/:/eventsource/notifications"
SOCKETS = "/:/websockets/notifications"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
both_ways = pytest.mark.parametrize("way", ["fast", "portable"], indirect=True, scope="module")
"""For tests of streams, and whole modules of them: see the fixture ``way``."""
USERS = {"alice": Role.USER, "bob": Role.USER, "rita": Role.READER, "rob": Role.REPORTER}


class Answer(NamedTuple):
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name, values as they came."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.json["MediaContainer"].get("Activity", [])
        return rows

    @property
    def row(self) -> dict[str, Any]:
        (row,) = self.rows
        return row

    @property
    def error(self) -> tuple[int, str]:
        """Status and reason of a JSON error."""
        (error,) = self.json["errors"]
        assert error["status"] == self.status
        return error["status"], error["reason"]

    @property
    def message(self) -> str:
        return str(self.json["errors"][0]["message"])


class Whole:
    """A running server and the tokens that open it, by user."""

    tls: ssl.SSLContext | None = None
    """What its clients trust, if they speak TLS."""

    def __init__(self, port: int, server: Server, service: Service, tokens: Mapping[str, str], data: Path) -> None:
        self.port, self.server, self.service, self.tokens, self.data = port, server, service, tokens, data
        self.url = f"http://127.0.0.1:{port}"

    @property
    def activities(self) -> Activities:
        return self.service.activities

    async def ask(
        self, method: str, path: str, token: str | None = None, headers: Headers = (), body: Any = None
    ) -> Answer:
        """One request on a connection of its own. ``token``: a user's name. ``body``: bytes, or what JSON can hold."""
        async with connected(self.port, tls=self.tls) as client:
            client.send(self.request(method, path, token, headers, body))
            return await read_answer(client, method)

    def request(
        self, method: str, path: str, token: str | None = None, headers: Headers = (), body: Any = None
    ) -> bytes:
        """The bytes of a request."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        if token is not None:
            lines.append(f"X-Plex-Token: {self.tokens.get(token, token)}")
        lines += [f"{name}: {value}" for name, value in headers]
        if body is None:
            return "\r\n".join([*lines, "", ""]).encode("latin-1")
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if content is not body:
            lines.append("Content-Type: application/json")
        return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode("latin-1") + content

    async def start(self, token: str = "alice", headers: Headers = (), **members: Any) -> dict[str, Any]:
        """Start an activity; its row."""
        answer = await self.ask("POST", "/activities", token, headers, {"type": "test.work", **members})
        assert answer.status in (200, 201), answer
        return answer.row

    async def change(self, uuid: str, token: str = "alice", **members: Any) -> dict[str, Any]:
        """Report on an activity; its row."""
        answer = await self.ask("PATCH", f"/activities/{uuid}", token, body=members)
        assert answer.status == 200, answer
        return answer.row

    async def listed(self, token: str = "alice", query: str = "") -> list[str]:
        """The uuids of a list."""
        return [row["uuid"] for row in (await self.ask("GET", f"/activities{query}", token, [JSON])).rows]

    def events(self, token: str, query: str = "", headers: Headers = ()) -> AbstractAsyncContextManager[Events]:
        """Open an event stream."""
        return self._events(self.request("GET", EVENTS + query, token, headers))

    @asynccontextmanager
    async def _events(self, request: bytes) -> AsyncIterator[Events]:
        async with connected(self.port, tls=self.tls) as client:
            client.send(request)
            status, headers = await head(client)
            yield Events(client, status, headers)

    @asynccontextmanager
    async def socket(self, token: str, query: str = "", path: str = SOCKETS) -> AsyncIterator[Socket]:
        """Open a WebSocket."""
        async with connected(self.port, tls=self.tls) as client:
            status, _ = await client.handshake(path + query, f"X-Plex-Token: {self.tokens.get(token, token)}")
            assert status == 101, status
            yield Socket(client)


class Event(NamedTuple):
    """A server-sent event."""

    type: str
    data: Any
    id: str | None

    @property
    def told(self) -> tuple[str, str]:
        """Kind and uuid of an activity's event."""
        notification = self.data["ActivityNotification"]
        return notification["event"], notification["uuid"]

    @property
    def row(self) -> dict[str, Any]:
        row: dict[str, Any] = self.data["ActivityNotification"]["Activity"]
        return row


class Events:
    """An open event stream."""

    def __init__(self, client: Client, status: int, headers: Mapping[str, str]) -> None:
        self.client, self.status, self.headers = client, status, headers
        self._pending = b""
        self.ended = False
        """The server has ended the stream as it should."""

    async def block(self) -> bytes:
        """The bytes of the next event, without the empty line behind it; empty at the end of the stream."""
        async with asyncio.timeout(DEADLINE):
            while b"\n\n" not in self._pending:
                size = int(await self.client.reader.readuntil(b"\r\n"), 16)
                piece = await self.client.reader.readexactly(size + 2)
                if size == 0:
                    self.ended = True
                    return b""
                self._pending += piece[:-2]
        block, _, self._pending = self._pending.partition(b"\n\n")
        return block

    async def event(self) -> Event:
        """The next event, whatever it is."""
        fields = dict(line.split(": ", 1) for line in (await self.block()).decode().split("\n"))
        return Event(fields.get("event", ""), json.loads(fields.get("data", "null")), fields.get("id"))

    async def next(self, *types: str) -> Event:
        """The next event of one of these types (default: of activities)."""
        while (event := await self.event()).type not in (types or ("activity",)):
            pass
        return event

    async def until(self, uuid: str, kind: str = "ended") -> list[Event]:
        """The events of activities up to one."""
        seen = [await self.next()]
        while seen[-1].told != (kind, uuid):
            seen.append(await self.next())
        return seen


class Socket:
    """An open WebSocket."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def text(self) -> bytes:
        """The next frame, which must be text; pings before it are answered."""
        opcode, payload = await self.client.frame()
        while opcode == PING:
            self.client.send_frame(PONG, payload)
            opcode, payload = await self.client.frame()
        assert opcode == 1, (opcode, payload)
        return payload

    async def container(self) -> dict[str, Any]:
        container: dict[str, Any] = json.loads(await self.text())["NotificationContainer"]
        return container

    async def next(self) -> dict[str, Any]:
        """The next notification of an activity."""
        (notification,) = (await self.container())["ActivityNotification"]
        return dict(notification)


async def head(client: Client) -> tuple[int, dict[str, str]]:
    """Status and headers of the next answer, values as they came."""
    async with asyncio.timeout(DEADLINE):
        status, *lines = (await client.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    pairs = [line.split(": ", 1) for line in lines]
    names = [name.lower() for name, _ in pairs]
    assert len(names) == len(set(names)), lines
    return int(status.split()[1]), {name.lower(): value for name, value in pairs}


async def read_answer(client: Client, method: str = "GET") -> Answer:
    """The next answer, whose length is told."""
    status, headers = await head(client)
    if method == "HEAD" or status in (204, 304):
        return Answer(status, headers, b"")
    async with asyncio.timeout(DEADLINE):
        return Answer(status, headers, await client.reader.readexactly(int(headers["content-length"])))


@asynccontextmanager
async def standalone(data: Path, users: Mapping[str, Role] = USERS, **settings: Any) -> AsyncIterator[Whole]:
    """What ``headway serve`` runs, in this event loop."""
    tokens = make_tokens(data, users)
    urls: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
    async with assembled(Settings(data=data, **{"port": 0, **settings}), urls.set_result) as (server, service):
        serving = asyncio.get_running_loop().create_task(server.serve())
        serving.add_done_callback(lambda _: urls.cancel())
        try:
            async with asyncio.timeout(DEADLINE):
                port = int((await urls)[0].rpartition(":")[2])
            yield Whole(port, server, service, tokens, data)
        finally:
            if server.ready:
                server.stop()
            async with asyncio.timeout(DEADLINE):
                assert await serving == 0


def make_tokens(data: Path, users: Mapping[str, Role], expires_at: float = math.inf) -> dict[str, str]:
    """A token for each user, and the administrator's. A running server knows new ones a moment later."""
    store = TokenStore.open(data, now=time.time())
    try:
        tokens = {
            user: store.create(user, role, now=time.time(), expires_at=expires_at)[0] for user, role in users.items()
        }
    finally:
        store.close()
    return {"admin": admin_token(data) or "", **tokens}


def revoke(data: Path, user: str) -> None:
    """As ``headway token revoke`` does, in another process."""
    store = TokenStore.open(data, now=time.time(), create=False)
    try:
        store.revoke(now=time.time(), user=user)
    finally:
        store.close()


PRINCIPALS = {
    "admin": Principal(1, Role.ADMIN),
    "alice": Principal(2),
    "bob": Principal(3),
    "rita": Principal(4, Role.READER),
    "rob": Principal(5, Role.REPORTER),
}


def by_name(connection: HTTPConnection) -> Principal | None:
    """An ``Identify``: the token is the user's name."""
    return PRINCIPALS.get(connection.headers.get("x-plex-token", ""))


@asynccontextmanager
async def in_memory(
    activities: Activities | None = None,
    streams: StreamLimits | None = None,
    middleware: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    **options: Any,
) -> AsyncIterator[Whole]:
    """A server of these parts, whose tokens are the names of its users. ``options`` are the ``Server``'s."""
    async with activities or Activities() as opened:
        service = Service(opened, by_name, streams=streams)
        async with running(Guard(middleware(create_app(service))), on_stop=service.stop, **options) as (server, port):
            yield Whole(port, server, service, {}, Path())


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something is so; the deadline only says that it never will."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.005)
