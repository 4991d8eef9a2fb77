"""HTTP/1.1 connections."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httptools
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from uvicorn._types import HTTPScope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from headway.core.errors import HeadwayError, Unavailable
from headway.server.answers import refusal
from headway.server.ending import Ending
from headway.server.guard import with_security
from headway.server.protocols.connection import Connection


class HttpProtocol(Connection, HttpToolsProtocol):
    """HTTP/1.1 by httptools."""

    scope: HTTPScope
    headers: list[tuple[bytes, bytes]]
    url: bytes
    timeout_keep_alive_task: asyncio.TimerHandle | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._running: RequestResponseCycle | None = None
        """The request that is being answered, or was last; uvicorn's ``cycle`` is the last that came."""
        self._deadline: asyncio.TimerHandle | None = None
        self._refused = False
        self._head_open = False
        """A head has begun and not ended."""
        self._message_open = False
        """A head has begun, and its body (if any) has not ended."""
        self._begun = 0
        """Heads begun in what is being read."""
        self._received = 0
        """Bytes of the open message, or of what is thrown away."""
        self._lines = 0
        self._size = 0

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.limits.connections is not None and len(self.connections) > self.limits.connections:
            self._write_error(Unavailable("the server has too many connections; try again later"))
            self.transport.close()
            return
        self._close_in(self.limits.head_time, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        if self._running is not None:
            # uvicorn tells the last request that came, and lets the one that is being answered wait for ever.
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            self._received += len(data)
            if self._received > self.limits.unread:
                self.transport.abort()
            return
        if self._outlet is not None:
            return  # nothing is answered behind a stream; read on only to notice when its client leaves
        self._unset_keepalive_if_required()
        was_open, self._begun = self._message_open, 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._refuse(_reason(error))
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self._upgrade()
        else:
            if self._message_open:
                self._account(len(data), was_open)
            else:
                self._keep_alive()

    # What the parser calls

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self.extensions()
        self._head_open = self._message_open = True
        self._begun += 1
        self._lines = self._size = 0
        if self._deadline is None:
            self._close_in(self.limits.head_time, self._head_is_late)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self.limits.target:
            raise HTTPException(HTTPStatus.REQUEST_URI_TOO_LONG, f"path and query exceed {self.limits.target} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_open:
            return  # a trailer: the application has its headers already, and they must not change under it
        self._lines += 1
        self._size += len(name) + len(": ") + len(value) + len("\r\n")
        if self._lines > self.limits.lines:
            raise HTTPException(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"there are more than {self.limits.lines} header lines"
            )
        if self._size > self.limits.head:
            raise self._head_too_large()
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._forget_deadline()
        request_line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        if request_line + self._size + len("\r\n") > self.limits.head:
            raise self._head_too_large()
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            raise HTTPException(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "this server speaks HTTP/1.1")
        if len(self.pipeline) >= self.limits.pipelined:
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, "too many requests wait on this connection")
        self._take_origin_form()
        super().on_headers_complete()
        self._head_open = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._message_open = False
        self._forget_deadline()

    # What the answer calls, or begins with

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        early = self._message_open and not self._head_open and self.cycle.response_complete
        if early and not self.transport.is_closing():
            self._close_in(self.limits.linger, self.transport.close)

    # Ours

    async def _answered(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["http_version"] == "1.0" and self._running is not None:
            send = _unchunked(self._running, send)
        await super()._answered(scope, receive, send)

    def _may_be_handed_over(self) -> bool:
        cycle = self._running
        if cycle is None or self.flow.write_paused or not cycle.response_started or cycle.response_complete:
            return False
        return bool(cycle.chunked_encoding)  # else it has a length, or ends with the connection

    def _hand_over(self) -> None:
        self._forget_deadline()
        self.pipeline.clear()
        self.flow.resume_reading()

    def _last_words(self, ending: Ending, last: bytes) -> bytes:
        if self._running is not None:
            self._running.response_complete = True
        return last + b"0\r\n\r\n"

    def _forget_request(self) -> None:
        cycle = self._running
        if cycle is not None and cycle is self.cycle:
            cycle.disconnected = True  # the application has nothing more to say or to hear
            self.scope = cycle.scope = {}  # type: ignore[typeddict-item]
            self.headers, self.url = [], b""

    def _take_origin_form(self) -> None:
        """RFC 9112, section 3.2.2: a target with a host in it counts, and the Host header beside it does not."""
        if self.url.startswith(b"/") or self.url == b"*":
            return
        target = httptools.parse_url(self.url)
        host = target.host or b""
        authority = b"[%b]" % host if b":" in host else host
        if target.port:
            authority += b":%d" % target.port
        self.headers[:] = [(b"host", authority), *((name, value) for name, value in self.headers if name != b"host")]
        self.url = (target.path or b"/") + (b"?" + target.query if target.query else b"")

    def _upgrade(self) -> None:
        if self._responding():
            self.transport.close()  # two answers cannot share a connection
            return
        self._stall.end()
        self._forget_deadline()
        self.handle_websocket_upgrade()

    def _responding(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _account(self, size: int, was_open: bool) -> None:
        """Bound what the parser keeps to itself or skips: unfinished lines, white space, chunk headers, trailers."""
        if self._begun > (0 if was_open else 1):
            self._received = 0  # it began somewhere in the middle: counted from the next read on
        else:
            self._received = size + (self._received if was_open else 0)
        if self._head_open and self._received > self.limits.head:
            self._refuse(self._head_too_large())
        elif self._received > self.limits.unread:
            self.transport.close()

    def _keep_alive(self) -> None:
        """Wait for the next request. uvicorn forgets to after bytes that are no part of one."""
        if self._deadline is None and not self._responding():
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _head_is_late(self) -> None:
        if self._message_open:
            self._refuse(
                HTTPException(HTTPStatus.REQUEST_TIMEOUT, f"no request within {self.limits.head_time:g} seconds")
            )
        else:
            self.transport.close()  # browsers connect ahead of need; an answer to nothing would confuse them

    def _head_too_large(self) -> HTTPException:
        return HTTPException(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"request line and headers exceed {self.limits.head} bytes"
        )

    def _refuse(self, error: HTTPException) -> None:
        """Say why, then close; the client gets a while to stop writing, for what is unread at the end would turn the
        close into a reset, and a reset can overtake the answer.
        """
        in_body = self._message_open and not self._head_open
        if in_body or self._responding():
            self.transport.close()  # its answer, or an earlier one, was begun; another would be taken for part of that
            return
        self._refused, self._received = True, 0
        self._write_error(error)
        self._close_in(self.limits.linger, self.transport.close)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _write_error(self, error: HeadwayError | HTTPException) -> None:
        response = refusal(HTTPConnection({"type": "http", "headers": self.headers or []}), error)
        headers = [*self.server_state.default_headers, *with_security(response.raw_headers), (b"connection", b"close")]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[response.status_code] + lines + b"\r\n" + bytes(response.body))

    def _close_in(self, seconds: float, close: Callable[[], None]) -> None:
        self._forget_deadline()
        self._deadline = self.loop.call_later(seconds, close)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _unchunked(cycle: RequestResponseCycle, send: Any) -> Any:
    """``send`` for a client of HTTP/1.0, which knows no chunks: an answer without a length goes on until the connection
    ends (RFC 9112, sections 6.1 and 6.3), as it does behind each of its answers.
    """
    open_end = False

    async def send_unchunked(message: Any) -> None:
        nonlocal open_end
        if message["type"] == "http.response.start":
            open_end = all(name.lower() != b"content-length" for name, _ in message.get("headers", ()))
            if open_end:
                cycle.chunked_encoding, cycle.expected_content_length = False, sys.maxsize
        elif open_end and not message.get("more_body", False):
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    return send_unchunked


def _reason(error: httptools.HttpParserError) -> HTTPException:
    """Ours, when one of the callbacks above raised it; else what the parser's own complaint comes to."""
    cause = error.__context__
    return cause if isinstance(cause, HTTPException) else HTTPException(HTTPStatus.BAD_REQUEST, "this is not HTTP/1.1")
