"""What the fake Plex Media Server tells its streams: the two shapes of a notification, and who wants which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.plex.answers import compact

PING = b"event: ping\ndata: {}\n\n"


@dataclass(frozen=True)
class Notification:
    """Something that has happened."""

    type: str
    member: str
    """What its payload is called: ``ActivityNotification``."""
    payload: Mapping[str, Any]
    user_id: int | None = None
    """Whom it concerns beside the owner of the server; None is everybody."""

    def frame(self) -> str:
        """For a WebSocket. There is never more than one in it."""
        container = {"type": self.type, "size": 1, self.member: [self.payload]}
        return compact({"NotificationContainer": container}).decode()

    def event(self) -> bytes:
        """For an EventSource: no id, no container, no list."""
        return b"event: %s\ndata: %s\n\n" % (self.type.encode(), compact({self.member: self.payload}))


@dataclass(frozen=True)
class Filters:
    """Which types a stream wants."""

    types: frozenset[str]
    negated: bool

    @classmethod
    def of(cls, arguments: Iterable[tuple[str, str]]) -> Filters:
        """Of a query. None is all but ``log``, an empty one is all, and one leading ``-`` negates the whole list."""
        given = [value for name, value in arguments if name in ("filters", "filter")]
        text = ",".join(given) if given else "-log"
        types = frozenset(one.strip() for one in text.removeprefix("-").split(",") if one.strip())
        return cls(types, text.startswith("-") or not types)

    def admit(self, type: str) -> bool:
        return (type in self.types) is not self.negated


def of_activity(event: str, row: Mapping[str, Any]) -> Notification:
    """``event``: started, updated or ended; there are no others."""
    payload = {"event": event, "uuid": row["uuid"], "Activity": row}
    return Notification("activity", "ActivityNotification", payload, row["userID"])


NOISE = [
    Notification(
        "playing",
        "PlaySessionStateNotification",
        {"sessionKey": "7", "ratingKey": "12", "key": "/library/metadata/12", "viewOffset": 1000, "state": "playing"},
    ),
    Notification(
        "timeline",
        "TimelineEntry",
        {"identifier": "com.plexapp.plugins.library", "sectionID": "1", "itemID": "12", "type": 1, "state": 5},
    ),
    Notification(
        "status",
        "StatusNotification",
        {"title": "Library scan", "description": "Scanning", "notificationName": "LIBRARY_UPDATE"},
    ),
]
"""What real servers mix in."""
