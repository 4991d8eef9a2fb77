"""WebSocket text frames.

``NotificationContainer`` has exactly three keys and ``size`` is always 1: clients unpack three and read element 0.
``resync`` and ``snapshot`` are ours, sent only to those who asked to resume or for a snapshot.
"""

from __future__ import annotations

import msgspec

from headway.core.view import Kind
from headway.wire.plex import encode_notification
from headway.wire.sse import ResyncReason


def activity(kind: Kind, uuid: str, row: bytes, cursor: str | None = None) -> bytes:
    """What happened to an activity. ``row``: its JSON. ``cursor``: for clients that asked for it."""
    return _frame("activity", b"ActivityNotification", encode_notification(kind, uuid, row, cursor))


def resync(reason: ResyncReason, cursor: str | None = None) -> bytes:
    """The cursor cannot be answered: what came after it is unknown. A snapshot follows."""
    return _frame("resync", b"ResyncNotification", b'{"reason":"%b"%b}' % (reason.encode(), _resume(cursor)))


def snapshot(container: bytes, cursor: str | None = None) -> bytes:
    """All that is live now. ``container``: the JSON of the list."""
    return _frame("snapshot", b"SnapshotNotification", container[:-1] + _resume(cursor) + b"}")


def ping(cursor: str | None = None, *, degraded: bool = False) -> bytes:
    """Nothing: the transport has signs of life of its own. But a word from a server that is ``degraded``, for clients
    that know of cursors: it cannot reach its store, and so knows no news but its own.
    """
    return _frame("degraded", b"DegradedNotification", b"{}") if degraded and cursor is not None else b""


def _frame(type: str, key: bytes, notification: bytes) -> bytes:
    return b'{"NotificationContainer":{"type":"%b","size":1,"%b":[%b]}}' % (type.encode(), key, notification)


def _resume(cursor: str | None) -> bytes:
    return b"" if cursor is None else b',"cursor":' + msgspec.json.encode(cursor)
