"""The same list asked for again, and answered without looking again at what was asked.

Who polls sends the same request over and over, byte for byte. What the layers below find out about it follows from
those bytes: that it may come in (``server.guard``), whose token it carries, which list it wants and in which form. So
that is remembered, and of a request that is known only what may have changed is looked at: whether the grant still
holds, and the list itself. That asks of a grant to know when it ends, in whichever way, as those of ``Identities`` do;
a host application's own users are asked for at each request.
"""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headway.server.answers import CURSOR, GRANT, WANTED
from headway.server.cursors import Cursors
from headway.server.guard import HeaderList
from headway.server.identity.grants import Grant
from headway.server.lists import EncodedList, Wanted
from headway.server.service import Service

PATH = "/activities"
CAPACITY = 1_000
"""Requests that are remembered; when there are more, all are forgotten."""
HEAD = 2 * 1024
"""Bytes of headers and query; larger requests are not remembered, for they hold a token and may be many."""

_CURSOR = CURSOR.lower().encode()
_CHANGING = frozenset({b"etag", b"content-length", _CURSOR})
"""The headers that tell of the list; the others follow from the request."""

Key = tuple[Any, ...]


class _Known:
    """A request that was answered before."""

    __slots__ = ("_head", "_headers", "_position", "grant", "wanted")

    def __init__(self, grant: Grant, wanted: Wanted, headers: HeaderList) -> None:
        """``headers``: of its answer."""
        self.grant = grant
        self.wanted = wanted
        self._headers = [(name, value) for name, value in headers if name not in _CHANGING]
        self._position = -1
        self._head: Message = {}

    def head(self, found: EncodedList, cursors: Cursors) -> Message:
        """Begins the answer with a list; the same as long as the list is."""
        if found.position == self._position:
            return self._head
        cursor = cursors.seal(self.wanted.scope, found.position)
        headers = [*self._headers, (b"etag", found.tag.encode()), (_CURSOR, cursor.encode())]
        status = 304 if self.wanted.has(found.tag) else 200
        if status == 200:
            headers.append((b"content-length", b"%d" % len(found.body)))
        self._position = found.position
        self._head = {"type": "http.response.start", "status": status, "headers": headers}
        return self._head


class Polling:
    """ASGI middleware, to go around all others."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._activities = service.activities
        self._known: dict[Key, _Known] = {}

    def __repr__(self) -> str:
        return f"<Polling: {len(self._known)} requests are known>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is known; have all others answered."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        key = _key(scope)
        known = self._known.get(key)
        if known is None:
            await self._first(key, scope, receive, send)
        elif known.grant.valid(self._activities.clock.now()):
            await self._again(known, send)
        else:
            del self._known[key]
            await self._app(scope, receive, send)

    async def _again(self, known: _Known, send: Send) -> None:
        wanted, service = known.wanted, self._service
        await self._activities.settled(wanted.scope)
        found = service.lists.get(wanted.scope, wanted.narrowing, wanted.format)
        head = known.head(found, service.cursors)
        await send(head)
        await send({"type": "http.response.body", "body": found.body if head["status"] == 200 else b""})

    async def _first(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        """Have it answered, and remember what it came to if that was a list."""
        heads: list[HeaderList] = []

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                heads.append(list(message["headers"]))
            await send(message)

        await self._app(scope, receive, noting)
        wanted: Wanted | None = scope.get(WANTED)
        if wanted is None or not heads or not _is_worth_it(scope):
            return
        if len(self._known) >= CAPACITY:
            self._known.clear()
        self._known[key] = _Known(scope[GRANT], wanted, heads[0])


def _key(scope: Scope) -> Key:
    """All that is looked at on the way to the list: the request, and where it came in."""
    return (
        scope["query_string"],
        scope["http_version"],
        scope["scheme"],
        scope["server"],
        scope["root_path"],
        tuple(scope["headers"]),
    )


def _is_worth_it(scope: Scope) -> bool:
    """It is small, and has no body that would have to be read first."""
    headers = dict(scope["headers"])
    size = len(scope["query_string"]) + sum(len(name) + len(value) for name, value in scope["headers"])
    return size <= HEAD and not headers.keys() & {b"content-length", b"transfer-encoding"}
