"""A media server as it truly is, and a stream from it on which things are lost, doubled and late."""

from __future__ import annotations

from collections import deque
from typing import Any

from headway.core.view import Kind
from headway.wire.notifications import ActivityNotification, Notification
from tests.client.streams import lives, plex_row

HAPPENS = ("start", "update", "end")
GOES_WRONG = ("lose", "double", "reorder")


class World:
    """What happens is named by a method, and a number that says to whom."""

    def __init__(self) -> None:
        self.live: dict[str, dict[str, Any]] = {}
        """The activities that run, as the list has them."""
        self.over: set[str] = set()
        self.underway: deque[tuple[Kind, dict[str, Any]]] = deque()
        """What the stream has yet to tell."""
        self._born = 0

    def start(self, number: int) -> None:
        uuid = f"u{self._born}"
        self._born += 1
        self._happens(Kind.STARTED, plex_row(uuid))

    def update(self, number: int) -> None:
        if self.live:
            self._happens(Kind.UPDATED, plex_row(self._one(number), progress=number))

    def end(self, number: int) -> None:
        if self.live:
            self._happens(Kind.ENDED, plex_row(self._one(number), progress=100))

    def lose(self, number: int) -> None:
        if self.underway:
            del self.underway[number % len(self.underway)]

    def double(self, number: int) -> None:
        if self.underway:
            self.underway.append(self.underway[number % len(self.underway)])

    def reorder(self, number: int) -> None:
        self.underway.rotate(number)

    def delivered(self, number: int) -> list[tuple[Kind, dict[str, Any]]]:
        """A few of what is underway."""
        return [self.underway.popleft() for _ in range(min(number % 5 + 1, len(self.underway)))]

    def require_true(self, told: list[Notification]) -> None:
        """To a watcher each activity starts once and ends once, if it has ended, and that is the last of it."""
        for uuid, life in lives(told).items():
            assert life.count("started") <= 1
            assert "started" not in life[1:]
            assert life.count("ended") == (1 if uuid in self.over else 0)
            assert "ended" not in life[:-1]
        ended: set[str] = set()
        for notification in told:
            if isinstance(notification, ActivityNotification):
                assert notification.row.uuid not in ended
                ended.update([notification.row.uuid] if notification.kind is Kind.ENDED else [])

    def _one(self, number: int) -> str:
        return sorted(self.live)[number % len(self.live)]

    def _happens(self, kind: Kind, row: dict[str, Any]) -> None:
        if kind is Kind.ENDED:
            del self.live[row["uuid"]]
            self.over.add(row["uuid"])
        else:
            self.live[row["uuid"]] = row
        self.underway.append((kind, row))
