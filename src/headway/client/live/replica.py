"""What a watcher knows of the server's activities, kept up to date by what a stream tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headway.core.view import Kind
from headway.wire.notifications import ActivityNotification, Notification, SnapshotNotification
from headway.wire.row import Row


class Replica:
    """The live activities in order of start, as far as has been told."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(list(self._rows.values()))

    def __repr__(self) -> str:
        return f"<Replica live={len(self)}>"

    def get(self, uuid: str) -> Row | None:
        """The newest row of an activity that is live."""
        return self._rows.get(uuid)

    def apply(self, notification: Notification) -> list[Row]:
        """Take in what a stream told; the rows that a snapshot does not hold any more: they have ended unseen."""
        if isinstance(notification, ActivityNotification):
            if notification.kind is Kind.ENDED:
                self._rows.pop(notification.row.uuid, None)
            else:
                self._rows[notification.row.uuid] = notification.row
        elif isinstance(notification, SnapshotNotification):
            before, self._rows = self._rows, {row.uuid: row for row in notification.rows}
            return [row for uuid, row in before.items() if uuid not in self._rows]
        return []

    def keep(self, rows: Iterable[Row]) -> None:
        """They are live all the same, or nobody knows better."""
        for row in rows:
            self._rows.setdefault(row.uuid, row)
