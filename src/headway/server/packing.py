"""Frames as they are written, so that one buffer can be written to many: as they stand in the bytes of a connection,
or as ASGI's ``send`` takes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from websockets.frames import Frame, Opcode

from headway.server.channels import Framings
from headway.wire import sse, websocket


def chunk(frames: Sequence[bytes]) -> bytes:
    """As one chunk of an HTTP/1.1 message (RFC 9112, section 7.1)."""
    body = b"".join(frames)
    return b"%x\r\n%b\r\n" % (len(body), body)


def messages(frames: Sequence[bytes]) -> bytes:
    """Each as one WebSocket text message (RFC 6455, section 5.2)."""
    return b"".join(Frame(Opcode.TEXT, frame).serialize(mask=False) for frame in frames)


def body(frames: Sequence[bytes]) -> bytes:
    """As one part of the body of an ASGI response."""
    return b"".join(frames)


def texts(frames: Sequence[bytes]) -> Sequence[str]:
    """As ASGI's WebSocket messages."""
    return [frame.decode() for frame in frames]


FRAMINGS: Framings = {
    ("sse", True): (sse, chunk),
    ("sse", False): (sse, body),
    ("websocket", True): (websocket, messages),
    ("websocket", False): (websocket, texts),
}
