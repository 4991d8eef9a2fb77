"""What stands before the application: whom it hears at all, how much of it, and what every answer carries.

In this order, before any token or uuid is looked at, and alike on every method, event stream and WebSocket handshake:

1. ``Host`` must name this server: 400 when it is no host at all, 421 when it is another. A web page that had its own
   name resolve to 127.0.0.1 (DNS rebinding) gives itself away here, and nowhere else.
2. ``Origin`` must be absent, this server, or listed: 403. What a browser marks as coming from another site without an
   ``Origin`` (an image, a script, a frame) is refused likewise; a link that was followed is not.
3. A body must be plain, small and quick: 415, 413, 408. The application gets it whole.

Then comes the application, with its 401 and the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headway.core.errors import HeadwayError
from headway.server.answers import refusal
from headway.server.authority import LOOPBACK, Origin, bare_host, parse_authority, parse_origin

BODY_LIMIT = 64 * 1024
"""Bytes."""
BODY_TIMEOUT = 30.0
"""Seconds from the head of a request to the end of its body."""

HeaderList = list[tuple[bytes, bytes]]

SECURITY_HEADERS: HeaderList = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    # Keeps answers out of other sites' pages even where a request carries no Origin to be judged by.
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-plex-protocol", b"1.0"),
]
"""On every answer that does not set them itself."""

_ALLOWED_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_ALLOWED_HEADERS = {"accept", "authorization", "content-type", "idempotency-key", "last-event-id", "prefer"}
_OUR_HEADERS = ("x-plex-", "x-headway-")
_EXPOSED_HEADERS = (
    b"X-Plex-Activity, X-Plex-Protocol, X-Headway-Cursor, X-Headway-Protocol, X-Headway-State, Location, Retry-After,"
    b" Preference-Applied"
)
_PREFLIGHT_AGE = b"600"

_log = logging.getLogger("headway.server")


def with_security(headers: Iterable[tuple[bytes, bytes]]) -> HeaderList:
    """The headers of an answer, completed by those that every answer carries."""
    given = [(name.lower(), value) for name, value in headers]
    names = {name for name, _ in given}
    return given + [header for header in SECURITY_HEADERS if header[0] not in names]


class Guard:
    """The middleware. It goes outermost, so that nothing answers without it.

    ``hosts`` are the names this server answers to, beside the address that a connection came in on (which no DNS name
    can pretend to be); ports do not matter. ``origins`` are the pages of other servers that may call this one: they
    get CORS headers, but never have cookies or other credentials of the browser's sent along: they send a token.
    ``body_limit`` in bytes, ``body_timeout`` in seconds. Raises ``ValueError`` for what is no host or no origin.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str] = LOOPBACK,
        origins: Iterable[str] = (),
        body_limit: int = BODY_LIMIT,
        body_timeout: float = BODY_TIMEOUT,
    ) -> None:
        self._app = app
        self._hosts = frozenset(bare_host(host) for host in hosts)
        self._origins = frozenset(_listed(origin) for origin in origins)
        self._body_limit = body_limit
        self._body_timeout = body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, handshake or lifespan."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, send, varies=bool(self._origins))
        try:
            await self._serve(scope, receive, answer)
        except Exception as error:
            if answer.abandoned:
                return  # the client has gone: what its request still raised is about that
            if answer.started or not isinstance(error, HeadwayError | HTTPException):
                _log.exception("%s %a failed", scope.get("method", "WebSocket"), scope["path"])
            await answer.fail(error)

    async def _serve(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        headers = answer.request
        self._check_host(scope, headers)
        answer.cors = self._check_origin(scope, headers)
        if scope["type"] == "http":
            if answer.cors is not None and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
                await answer.preflight()
                return
            if _has_body(headers):
                body = await self._read(headers, receive)
                if body is None:
                    return  # the client left before it had said what it wants
                receive = _replayed(body, receive)
        await self._app(scope, receive, answer.send)

    def _check_host(self, scope: Scope, headers: Headers) -> None:
        values = headers.getlist("host")
        if not values and scope.get("http_version") != "1.0":
            raise HTTPException(HTTPStatus.BAD_REQUEST, "the Host header is missing")  # RFC 9112, section 3.2
        if len(values) > 1:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "there is more than one Host header")
        try:
            host, _ = parse_authority(values[0] if values else "")
        except ValueError:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "the Host header is not a host") from None
        if host not in self._hosts and host != _local_address(scope):
            raise HTTPException(
                HTTPStatus.MISDIRECTED_REQUEST, "this server does not answer for that host; --allow-host adds one"
            )

    def _check_origin(self, scope: Scope, headers: Headers) -> str | None:
        """The origin of a listed foreign page, None for everyone else who is let in."""
        values = headers.getlist("origin")
        if not values:
            self._check_site(scope, headers)
            return None
        origin = parse_origin(values[0]) if len(values) == 1 else None
        if origin is not None and origin == _own_origin(scope, headers):
            return None
        if origin is not None and origin in self._origins:
            return values[0]
        raise HTTPException(HTTPStatus.FORBIDDEN, "this origin may not use the server; --allow-origin adds one")

    def _check_site(self, scope: Scope, headers: Headers) -> None:
        # Sent by browsers only, and out of the reach of scripts. "same-site" is another port or a sister domain: the
        # dashboard's cookie would go along with its requests.
        if headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
            return
        followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if not followed or scope.get("method") not in ("GET", "HEAD"):
            raise HTTPException(HTTPStatus.FORBIDDEN, "pages of other sites may not use the server")

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """The whole body; None when the client left before its end."""
        _check_encoding(headers)
        if _declared_length(headers) > self._body_limit:
            raise self._too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_timeout):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return None
                    body += message.get("body", b"")
                    if len(body) > self._body_limit:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            late = f"the body did not arrive within {self._body_timeout:g} seconds"
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, late, {"Connection": "close"}) from None

    def _too_large(self) -> HTTPException:
        return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {self._body_limit} bytes")


class _Answer:
    """What goes back for one request: completes every head, and knows whether an error can still be told."""

    def __init__(self, scope: Scope, send: Send, *, varies: bool) -> None:
        self.request = Headers(scope=scope)
        self.cors: str | None = None
        """The listed origin that asked."""
        self.started = False
        self.abandoned = False
        self._scope, self._send = scope, send
        self._http = scope["type"] == "http"
        self._denial = "websocket.http.response" in (scope.get("extensions") or {})
        self._varies = varies
        self._open = False

    async def send(self, message: Message) -> None:
        """The ``send`` that the application gets."""
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self.started = True
            message = {**message, "headers": self._completed(message.get("headers", ()))}
        elif kind in ("websocket.accept", "websocket.close"):
            self.started, self._open = True, kind == "websocket.accept"
        try:
            await self._send(message)
        except OSError:
            self.abandoned = True  # ASGI: send raises a subclass of OSError once the client has gone
            raise

    async def preflight(self) -> None:
        """Tell a listed page what it may send (Fetch standard, CORS-preflight)."""
        asked = [name.strip() for name in self.request.get("access-control-request-headers", "").split(",")]
        granted = [name for name in asked if name.lower() in _ALLOWED_HEADERS or name.lower().startswith(_OUR_HEADERS)]
        headers = [
            (b"access-control-allow-methods", _ALLOWED_METHODS),
            (b"access-control-allow-headers", ", ".join(granted).encode("latin-1")),
            (b"access-control-max-age", _PREFLIGHT_AGE),
        ]
        await self._respond(204, headers, b"")

    async def fail(self, error: Exception) -> None:
        """Tell an error as far as that is still possible.

        An HTTP answer that has begun is left unfinished: the server then cuts the connection, and the client sees
        that something is missing.
        """
        with contextlib.suppress(OSError):  # it may have gone meanwhile
            await self._fail(error)

    async def _fail(self, error: Exception) -> None:
        if self._open:
            await self.send({"type": "websocket.close", "code": 1011})
        elif not self.started and (self._http or self._denial):
            response = refusal(HTTPConnection(self._scope), error)
            headers = response.raw_headers
            if "expect" in self.request:
                # The client may wait for leave to send its body: what it sends next could be that or a request.
                headers.append((b"connection", b"close"))
            await self._respond(int(response.status_code), headers, bytes(response.body))
        elif not self.started:
            await self.send({"type": "websocket.close"})  # before the handshake: 403

    async def _respond(self, status: int, headers: HeaderList, body: bytes) -> None:
        kind = "http.response" if self._http else "websocket.http.response"
        await self.send({"type": f"{kind}.start", "status": status, "headers": headers})
        await self.send({"type": f"{kind}.body", "body": body})

    def _completed(self, headers: Iterable[tuple[bytes, bytes]]) -> HeaderList:
        completed = with_security(headers)
        if self._varies:
            completed.append((b"vary", b"Origin"))
        if self.cors is not None:
            completed.append((b"access-control-allow-origin", self.cors.encode("latin-1")))
            completed.append((b"access-control-expose-headers", _EXPOSED_HEADERS))
        return completed


def _listed(origin: str) -> Origin:
    parsed = parse_origin(origin)
    if parsed is None:
        raise ValueError(f"{origin!r} is not an origin; write it as scheme://host or scheme://host:port")
    return parsed


def _own_origin(scope: Scope, headers: Headers) -> Origin | None:
    scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    return parse_origin(f"{scheme}://{headers.get('host', '')}")


def _local_address(scope: Scope) -> str | None:
    server: Any = scope.get("server")
    try:
        return bare_host(server[0]) if server else None
    except ValueError:
        return None  # the path of a Unix socket


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _check_encoding(headers: Headers) -> None:
    encodings = {
        name.strip().lower()
        for header in ("content-encoding", "transfer-encoding")
        for value in headers.getlist(header)
        for name in value.split(",")
    }
    if encodings - {"", "identity", "chunked"}:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body as it is, not compressed")


def _declared_length(headers: Headers) -> int:
    declared = headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdecimal()):
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the Content-Length header is not a number")
    return int(declared[:20])  # enough to be too large; Python refuses to read very long numbers


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the body and then what the client does next, which can only be to leave."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
