"""Server-sent events: the frames that are written."""

from __future__ import annotations

import enum

from headway.core.view import Kind
from headway.wire.plex import encode_notification

DEGRADED = '{"degraded":true}'
"""What the ping of a server says that cannot reach its store."""


class ResyncReason(enum.StrEnum):
    """Why a cursor cannot be answered."""

    EXPIRED = "expired"
    """It is older than what is remembered."""
    UNKNOWN = "unknown"
    """It was never given out here, or by another history."""


def activity(kind: Kind, uuid: str, row: bytes, cursor: str | None = None) -> bytes:
    """What happened to an activity. ``row``: its JSON. ``cursor``: becomes the event's id."""
    return _frame(b"activity", b'{"ActivityNotification":%b}' % encode_notification(kind, uuid, row), cursor)


def ping(cursor: str | None = None, *, degraded: bool = False) -> bytes:
    """A sign of life. ``degraded``: of a server that cannot reach its store, and so knows no news but its own."""
    return _frame(b"ping", DEGRADED.encode() if degraded else b"{}", cursor)


def resync(reason: ResyncReason, cursor: str | None = None) -> bytes:
    """The cursor cannot be answered: what came after it is unknown. A snapshot follows."""
    return _frame(b"resync", b'{"reason":"%b"}' % reason.encode(), cursor)


def snapshot(container: bytes, cursor: str | None = None) -> bytes:
    """All that is live now. ``container``: the JSON of the list."""
    return _frame(b"snapshot", container, cursor)


def retry(milliseconds: int) -> bytes:
    """How long to wait before connecting again."""
    return b"retry: %d\n\n" % milliseconds


def _frame(event: bytes, data: bytes, cursor: str | None) -> bytes:
    # JSON has its line breaks escaped, so that any data is one line.
    position = b"" if cursor is None else b"id: %b\n" % cursor.encode()
    return b"event: %b\ndata: %b\n%b\n" % (event, data, position)
