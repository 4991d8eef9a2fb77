"""Frames as they stand in the bytes of a connection, so that one buffer can be written to many."""

from __future__ import annotations

from collections.abc import Sequence

from websockets.frames import Frame, Opcode


def chunk(frames: Sequence[bytes]) -> bytes:
    """As one chunk of an HTTP/1.1 message (RFC 9112, section 7.1)."""
    body = b"".join(frames)
    return b"%x\r\n%b\r\n" % (len(body), body)


def messages(frames: Sequence[bytes]) -> bytes:
    """Each as one WebSocket text message (RFC 6455, section 5.2)."""
    return b"".join(Frame(Opcode.TEXT, frame).serialize(mask=False) for frame in frames)
