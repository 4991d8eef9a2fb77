"""A stream without cursors, made whole: what a Plex server tells, and the list that it is compared with.

Such a server forgets whom it told what. After each connection its list is asked for: what is not in it any more has
ended unseen. What was on its way meanwhile comes twice, or in the wrong order, and is put right here: to whoever
watches, each activity starts once and ends once. No I/O.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from headway.client.live.narrowing import Narrowing
from headway.client.live.replica import Replica
from headway.core.activity import State
from headway.core.view import Kind
from headway.wire.notifications import ActivityNotification, Notification, SnapshotNotification
from headway.wire.row import Row

REMEMBERED = 1_000
"""Ended activities that are known for what they are, should something about them come late."""

COMPLETE = 100


class Reconciler:
    """Between a stream and its watcher."""

    def __init__(self, replica: Replica, wanted: Narrowing, wall: Callable[[], float]) -> None:
        """``wall``: seconds since the epoch; a server that does not say when something ended is taken at its word."""
        self._replica = replica
        self._wanted = wanted
        self._wall = wall
        self._ended: OrderedDict[str, None] = OrderedDict()

    def listed(self, rows: list[Row]) -> Iterator[Notification]:
        """The list, at the beginning of a connection: the ends that were missed, and what there is."""
        wanted = [row for row in rows if self._wanted.admits(row) or self._replica.get(row.uuid) is not None]
        live = {row.uuid for row in rows}
        for row in self._replica:
            if row.uuid not in live:
                yield self._end(row)  # how, nobody knows
        for uuid in live & self._ended.keys():  # listed all the same: then it is not over
            del self._ended[uuid]
        yield SnapshotNotification(wanted)

    def heard(self, notification: Notification) -> Iterator[Notification]:
        """What the stream told, as it is to be told on."""
        if not isinstance(notification, ActivityNotification):
            yield notification
            return
        row, known = notification.row, self._replica.get(notification.row.uuid) is not None
        if row.uuid in self._ended or not (known or self._wanted.admits(row)):
            return
        if notification.kind is Kind.ENDED:
            yield self._end(succeeded(row))
        else:
            yield ActivityNotification(Kind.UPDATED if known else Kind.STARTED, row)

    def _end(self, row: Row) -> ActivityNotification:
        self._ended[row.uuid] = None
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        return ActivityNotification(Kind.ENDED, replace(row, ended_at=row.ended_at or self._wall()))


def succeeded(row: Row) -> Row:
    """The last word on an activity, from a server without states: at 100 % it has succeeded, else nobody knows."""
    return row if row.state or row.progress != COMPLETE else replace(row, state=State.SUCCEEDED.value)
