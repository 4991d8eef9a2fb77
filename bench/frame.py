"""The frame that every server sends: the same bytes for all, but for a stamp that says which it is and since when."""

from __future__ import annotations

import base64
import hashlib
from typing import Literal, NamedTuple

from headway.core.activity import Activity
from headway.core.view import Kind
from headway.server.packing import chunk, messages
from headway.wire import sse, websocket
from headway.wire.plex import encode_row

Protocol = Literal["sse", "websocket"]
PROTOCOLS: tuple[Protocol, ...] = ("sse", "websocket")

CURSOR = "bGlrZSBhIHNlYWxlZCBvbmU"
KEY = base64.b64encode(b"headway benching").decode()
"""Of every WebSocket handshake: what it protects from is not here."""


def stamp(number: int, nanoseconds: int) -> str:
    """``number`` counts up by one from frame to frame, ``nanoseconds`` are of CLOCK_MONOTONIC; 0: does not count."""
    return f"@{number:010d}.{nanoseconds:020d}@"


UNSTAMPED = stamp(0, 0)


class Split(NamedTuple):
    """Bytes with a place for a stamp."""

    before: bytes
    after: bytes

    def stamped(self, stamp: bytes) -> bytes:
        """Whole again."""
        return self.before + stamp + self.after

    @property
    def size(self) -> int:
        """With a stamp."""
        return len(self.before) + len(UNSTAMPED) + len(self.after)


def document(protocol: Protocol) -> Split:
    """The JSON, as a library that does its own framing is given it."""
    if protocol == "websocket":
        return _split(websocket.activity(Kind.UPDATED, _ACTIVITY.uuid, encode_row(_ACTIVITY)))
    (data,) = [line for line in _event().splitlines() if line.startswith(b"data: ")]
    return _split(data.removeprefix(b"data: "))


def framed(protocol: Protocol) -> Split:
    """All the bytes of it on the connection."""
    if protocol == "sse":
        return _split(chunk([_event()]))
    return _split(messages([websocket.activity(Kind.UPDATED, _ACTIVITY.uuid, encode_row(_ACTIVITY))]))


def head(protocol: Protocol) -> bytes:
    """How a connection is answered by a server that knows only one answer."""
    if protocol == "sse":
        return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    accept = base64.b64encode(hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())  # noqa: S324
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        b"sec-websocket-accept: %b\r\n\r\n" % accept
    )


def request(protocol: Protocol, path: str, port: int, token: str | None = None) -> bytes:
    """What a watcher asks."""
    lines = [f"GET {path} HTTP/1.1", f"host: 127.0.0.1:{port}"]
    if token is not None:
        lines.append(f"x-plex-token: {token}")
    if protocol == "sse":
        lines.append("accept: text/event-stream")
    else:
        lines += ["upgrade: websocket", "connection: Upgrade", "sec-websocket-version: 13", f"sec-websocket-key: {KEY}"]
    return "\r\n".join([*lines, "", ""]).encode()


def _event() -> bytes:
    return sse.activity(Kind.UPDATED, _ACTIVITY.uuid, encode_row(_ACTIVITY), CURSOR)


def _split(data: bytes) -> Split:
    before, _, after = data.partition(UNSTAMPED.encode())
    return Split(before, after)


TYPE, TITLE = "library.scan", "Films"
_ACTIVITY = Activity(
    uuid="d6199ba1-fb5e-4cae-bf17-1a5369c1cf1e",
    type=TYPE,
    owner=1,
    started_at=1_800_000_000.125,
    updated_at=1_800_000_042.375,
    reported_at=1_800_000_042.375,
    title=TITLE,
    subtitle=UNSTAMPED,
    cancellable=True,
    lease=3600.0,
)
