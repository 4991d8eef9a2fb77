"""What a stream tells, read back: one type of value for each thing, whichever transport it came by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from headway.core.view import Kind
from headway.wire.decode import decode_document, row_from, rows_of
from headway.wire.errors import Unreadable
from headway.wire.event_stream import ServerSentEvent
from headway.wire.row import Row
from headway.wire.sse import DEGRADED


class ActivityNotification(msgspec.Struct, frozen=True):
    """Something happened to an activity."""

    kind: Kind
    row: Row
    cursor: str | None = None
    """Where to resume after it; None from a server that does not say."""


class SnapshotNotification(msgspec.Struct, frozen=True):
    """All that is live now."""

    rows: list[Row]
    cursor: str | None = None


class ResyncNotification(msgspec.Struct, frozen=True):
    """What came after the client's cursor is unknown; a snapshot follows."""

    reason: str
    cursor: str | None = None


class Ping(msgspec.Struct, frozen=True):
    """A sign of life."""

    cursor: str | None = None
    degraded: bool = False
    """The server cannot reach the store that it shares with others, and knows no news but its own."""


class OtherNotification(msgspec.Struct, frozen=True):
    """Something that we do not know, as it came."""

    type: str
    content: Any
    cursor: str | None = None


Notification = ActivityNotification | SnapshotNotification | ResyncNotification | Ping | OtherNotification


def decode_event(event: ServerSentEvent) -> Notification:
    """What a server-sent event tells. Raises ``Unreadable`` for a known one that is malformed."""
    cursor = event.id or None
    if event.type == "ping":
        return Ping(cursor, event.data == DEGRADED)
    if event.type == "activity":
        return _told("activity", decode_document(event.data).get("ActivityNotification"), cursor)
    if event.type in _READERS:
        return _told(event.type, decode_document(event.data), cursor)
    return OtherNotification(event.type, event.data, cursor)


def decode_frame(frame: str | bytes) -> list[Notification]:
    """What a WebSocket frame tells. Ours tell one thing each; Plex could put several into one.

    Raises ``Unreadable`` for anything but notifications.
    """
    container = decode_document(frame).get("NotificationContainer")
    if not isinstance(container, dict) or not isinstance(type := container.get("type"), str):
        raise Unreadable("a NotificationContainer with a type was expected")
    if type == "degraded":
        return [Ping(degraded=True)]
    if type not in _READERS:
        return [OtherNotification(type, container)]
    listed = container.get(f"{type.capitalize()}Notification")
    return [_told(type, each, _cursor(each)) for each in listed] if isinstance(listed, list) else []


def _told(type: str, content: object, cursor: str | None) -> Notification:
    if not isinstance(content, dict):
        raise Unreadable(f"a notification of type {type} that is not an object")
    return _READERS[type](content, cursor)


def _cursor(content: object) -> str | None:
    cursor = content.get("cursor") if isinstance(content, dict) else None
    return cursor if isinstance(cursor, str) else None


def _activity(content: dict[str, Any], cursor: str | None) -> Notification:
    kind, members = content.get("event"), content.get("Activity")
    if kind not in tuple(Kind):
        return OtherNotification("activity", content, cursor)
    if isinstance(members, dict):
        members = {"uuid": content.get("uuid"), **members}
    return ActivityNotification(Kind(kind), row_from(members), cursor)


def _snapshot(content: dict[str, Any], cursor: str | None) -> Notification:
    container = content.get("MediaContainer")
    if not isinstance(container, dict):
        raise Unreadable("a snapshot without a MediaContainer")
    return SnapshotNotification(rows_of(container), cursor)


def _resync(content: dict[str, Any], cursor: str | None) -> Notification:
    reason = content.get("reason")
    return ResyncNotification(reason if isinstance(reason, str) else "unknown", cursor)


_READERS: dict[str, Callable[[dict[str, Any], str | None], Notification]] = {
    "activity": _activity,
    "snapshot": _snapshot,
    "resync": _resync,
}
