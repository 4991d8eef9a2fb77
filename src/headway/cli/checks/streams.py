"""Whether events come through: server-sent events and WebSockets, and what proxies do to them."""

from __future__ import annotations

import base64
import os
import time
from typing import NamedTuple

from headway.cli.checks.findings import Finding, fail, milliseconds, ok, quoted, warn
from headway.cli.checks.web import Reply, Web, headers_of
from headway.cli.failures import NOT_AUTHORISED
from headway.wire.event_stream import EventStreamReader

EVENTS = "/:/eventsource/notifications?filters=activity"
SOCKETS = ("/:/websockets/notifications", "/:/websocket/notifications")

UNBUFFERED = (
    "in nginx, for this location: proxy_http_version 1.1; proxy_buffering off; gzip off; proxy_read_timeout 1h;"
)
UPGRADED = (
    "in nginx, for this location: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;"
    ' proxy_set_header Connection "upgrade";'
)
_READ = 16 * 1024
_MAX_EVENT = 1024 * 1024
"""Bytes. The first event is a sign of life: no snapshot was asked for."""


class Opening(NamedTuple):
    """How a stream began."""

    reply: Reply
    """Its head; the body only where it is no stream."""
    first: float | None
    """Seconds from the request to the first event; None when none came before the end."""


def open_events(web: Web, seconds: float) -> Opening:
    """Open a stream and read its first event. ``seconds``: without a byte, after which there is none.

    Raises ``httpx2.HTTPError`` and ``Unreadable``.
    """
    begun, reader = time.monotonic(), EventStreamReader(max_event=_MAX_EVENT)
    with web.open(EVENTS, token=True, silence=seconds, Accept="text/event-stream") as response:
        reply = Reply(response.status_code, headers_of(response), b"", time.monotonic() - begun)
        streaming = reply.status == 200 and reply.headers.get("content-type", "").startswith("text/event-stream")
        for chunk in response.iter_raw():
            if not streaming:
                return Opening(reply._replace(body=chunk[:_READ]), None)
            if reader.feed(chunk):
                return Opening(reply, time.monotonic() - begun)
        return Opening(reply, None)


def events(opening: Opening) -> Finding:
    """What the stream is like."""
    reply = opening.reply
    kind = quoted(reply.headers.get("content-type", "none").partition(";")[0], 60)
    if reply.status in (401, 403):
        return fail("events", f"refused with {reply.status}: {quoted(reply.message)}", "see the token", NOT_AUTHORISED)
    if reply.status in (429, 503):
        advice = "close some, or raise --max-streams and --max-streams-per-user on the server"
        return fail("events", f"refused with {reply.status}: {quoted(reply.message)}", advice)
    if reply.status != 200:
        return fail("events", f"answered {reply.status}", "does a proxy pass on all paths that begin with /:/ ?")
    if kind != "text/event-stream":
        return fail("events", f"an event stream was expected, {kind} came", "does a proxy answer in its place?")
    if reply.headers.get("content-encoding", "identity") != "identity":
        return fail("events", "a proxy compresses the stream, and so holds events back", UNBUFFERED)
    if opening.first is None:
        return fail("events", "the stream ended before its first event", "see the log of the server, and of the proxy")
    return ok("events", f"the first one after {milliseconds(opening.first)}")


def no_events(seconds: float) -> Finding:
    """The server gives a sign of life at once and every ten seconds; none arrived."""
    says = f"none within {seconds:g} seconds, while other requests are answered: a proxy keeps them back"
    return fail("events", says, UNBUFFERED)


def open_socket(web: Web, path: str) -> Reply:
    """The answer to a WebSocket handshake. Raises ``httpx2.HTTPError``."""
    begun = time.monotonic()
    with web.open(
        path,
        token=True,
        Connection="Upgrade",
        Upgrade="websocket",
        Sec_WebSocket_Version="13",
        Sec_WebSocket_Key=base64.b64encode(os.urandom(16)).decode(),
    ) as response:
        body = b"" if response.status_code == 101 else next(response.iter_raw(), b"")[:_READ]
        return Reply(response.status_code, headers_of(response), body, time.monotonic() - begun)


def sockets(replies: dict[str, Reply | str]) -> list[Finding]:
    """What handshakes came to, by path: an answer, or what went wrong. One path that works is enough."""
    works = any(isinstance(reply, Reply) and reply.status == 101 for reply in replies.values())
    return [_socket(path, reply, works) for path, reply in replies.items()]


def _socket(path: str, reply: Reply | str, works: bool) -> Finding:
    if isinstance(reply, str):
        says, advice, code = reply, UPGRADED, 1
    elif reply.status == 101:
        return ok("websocket", f"{path} in {milliseconds(reply.seconds)}")
    elif reply.status in (401, 403):
        says, advice, code = f"refused with {reply.status}", "see the token", NOT_AUTHORISED
    elif reply.status in (429, 503):
        says, advice, code = f"refused with {reply.status}: {quoted(reply.message)}", "try again later", 1
    else:
        says, advice, code = f"answered {reply.status}, not 101: a proxy does not pass the upgrade on", UPGRADED, 1
    if works:
        return warn("websocket", f"{path}: {says}", "clients that use this path only get nothing")
    return fail("websocket", f"{path}: {says}", advice, code)
