"""What servers say on their streams: Headway's and Plex's server-sent events and frames."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from headway.core.view import Kind
from headway.wire import sse
from headway.wire.notifications import ActivityNotification, Notification, SnapshotNotification
from tests.client.by_hand import container
from tests.client.scripted_server import UUID, row

STREAM = {"Content-Type": "text/event-stream"}


def event(kind: Kind, cursor: str | None, uuid: str = UUID, **members: Any) -> bytes:
    """An event of Headway."""
    return sse.activity(kind, uuid, json.dumps(row(uuid, **members)).encode(), cursor)


def snapshot(cursor: str | None, *rows: dict[str, Any]) -> bytes:
    """A snapshot of Headway."""
    return sse.snapshot(json.dumps(container(rows)).encode(), cursor)


def plex_row(uuid: str = UUID, **members: Any) -> dict[str, Any]:
    """An activity as Plex shows it: without a state."""
    return {name: value for name, value in row(uuid, **members).items() if name != "state"}


def plex_event(kind: str, uuid: str = UUID, **members: Any) -> bytes:
    """An event of Plex: without an id."""
    told = {"ActivityNotification": {"event": kind, "uuid": uuid, "Activity": plex_row(uuid, **members)}}
    return b"event: activity\ndata: %b\n\n" % json.dumps(told).encode()


def frame(kind: str, uuid: str = UUID, **members: Any) -> str:
    """A WebSocket frame of Plex."""
    told = [{"event": kind, "uuid": uuid, "Activity": plex_row(uuid, **members)}]
    return json.dumps({"NotificationContainer": {"type": "activity", "size": 1, "ActivityNotification": told}})


def proof(key: bytes) -> bytes:
    """What a server of WebSockets answers to a key (RFC 6455, section 4.2.2)."""
    whole = key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(whole, usedforsecurity=False).digest())


def told(notification: Notification) -> tuple[str, list[str]]:
    """What a notification says, in short."""
    if isinstance(notification, ActivityNotification):
        return notification.kind.value, [notification.row.uuid]
    assert isinstance(notification, SnapshotNotification)
    return "snapshot", [each.uuid for each in notification.rows]


def lives(notifications: Iterable[Notification]) -> dict[str, list[str]]:
    """What a watcher was told of each activity, but its updates; being in a snapshot is ``there``."""
    found: dict[str, list[str]] = {}
    for notification in notifications:
        if isinstance(notification, SnapshotNotification):
            for row in notification.rows:
                found.setdefault(row.uuid, []).append("there")
        elif isinstance(notification, ActivityNotification) and notification.kind is not Kind.UPDATED:
            found.setdefault(notification.row.uuid, []).append(notification.kind.value)
    return found
