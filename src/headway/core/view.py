"""What one audience may see, kept in order of change.

There is one view per owner and one for admins. A view holds the newest record of each activity, the live ones and,
for a while, the ended ones (tombstones). What a watcher has yet to read is derived from its cursor alone: an
integer, the revision up to which it has read. Hence the laws:

1. ``since`` costs as much as there are activities that changed after the cursor, however often they changed and however
   many others there are.
2. Each activity that started after the cursor gives one ``started``, each that ended after it one ``ended``, each
   that only changed one ``updated`` with its newest state. Their revisions ascend strictly per activity and the
   list is sorted by them, so a watcher may stop reading after any event and go on from that event's revision.
3. A cursor older than a tombstone that is gone is answered with ``Resync``: never a silent gap.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from headway.core.activity import Activity
from headway.core.lifecycle import as_started

TOMBSTONES = 10_000
"""Ended activities that a view keeps, at most."""

TOMBSTONE_AGE = 24 * 3600.0
"""Seconds that a view keeps an ended activity, at most."""


class Kind(enum.StrEnum):
    """What an event tells; the words are the wire's."""

    STARTED = "started"
    UPDATED = "updated"
    ENDED = "ended"


class Event(msgspec.Struct, frozen=True):
    """One thing that a watcher has yet to read."""

    kind: Kind
    activity: Activity
    revision: int
    """Where to resume after this event."""


class Resync(msgspec.Struct, frozen=True):
    """The cursor is too old: what it missed is no longer known. Start again from a snapshot."""

    floor: int
    """The oldest cursor that can still be answered."""


class View:
    """The activities of one audience, in order of last change."""

    def __init__(self, *, floor: int = 0, tombstones: int = TOMBSTONES) -> None:
        """``floor``: the oldest cursor this view can answer. ``tombstones``: how many ended activities to keep."""
        self.floor: int = floor
        self._newest = 0
        self._limit = tombstones
        self._changed: OrderedDict[str, Activity] = OrderedDict()
        self._live: dict[str, Activity] = {}
        self._tombstones: OrderedDict[str, Activity] = OrderedDict()

    def __len__(self) -> int:
        """How many activities are live."""
        return len(self._live)

    def __repr__(self) -> str:
        return f"<View revision={self.revision} floor={self.floor} live={len(self)} tombstones={len(self._tombstones)}>"

    @property
    def revision(self) -> int:
        """Up to where this view knows what happened: the cursor of someone who has read everything."""
        # The floor may be ahead: what was forgotten happened after the last change of what is left.
        return max(self.floor, self._newest)

    def get(self, uuid: str) -> Activity | None:
        """The newest record of an activity, live or recently ended."""
        return self._changed.get(uuid)

    def live(self) -> Iterable[Activity]:
        """The live activities in order of start."""
        # A store brings them back in order of change. Where they are in order already, this costs one walk.
        return sorted(self._live.values(), key=_started_revision)

    def apply(self, activity: Activity) -> None:
        """Take in a committed record; its revision must be newer than all before it."""
        if activity.revision <= self._newest:
            raise ValueError(f"revision {activity.revision} is not after {self._newest}")
        self._newest = activity.revision
        self._changed[activity.uuid] = activity
        self._changed.move_to_end(activity.uuid)
        if not activity.ended:
            self._live[activity.uuid] = activity
            return
        self._live.pop(activity.uuid, None)
        self._tombstones[activity.uuid] = activity
        if len(self._tombstones) > self._limit:
            self._bury()

    def since(self, cursor: int) -> list[Event] | Resync:
        """What happened after ``cursor``, oldest first; ``Resync`` when that is no longer known.

        A cursor that this view has never given out (ahead of its revision) is unknown too.
        """
        if cursor < self.floor or cursor > self.revision:
            return Resync(self.floor)
        events: list[Event] = []
        for activity in reversed(self._changed.values()):
            if activity.revision <= cursor:
                break
            events.extend(_told(activity, cursor))
        # The walk gives last changes; a start stands where it happened, before what came after it.
        events.sort(key=_revision)
        return events

    def expire(self, before: float) -> None:
        """Forget the activities that ended before that time (seconds since the epoch)."""
        while self._tombstones:
            oldest = next(iter(self._tombstones.values()))
            if oldest.ended_at is None or oldest.ended_at >= before:
                return
            self._bury()

    def _bury(self) -> None:
        uuid, activity = self._tombstones.popitem(last=False)
        del self._changed[uuid]
        self.floor = max(self.floor, activity.revision)


def _revision(event: Event) -> int:
    return event.revision


def _started_revision(activity: Activity) -> int:
    return activity.started_revision


def _told(activity: Activity, cursor: int) -> list[Event]:
    started = activity.started_revision > cursor
    if activity.ended:
        ended = Event(Kind.ENDED, activity, activity.revision)
        if not started:
            return [ended]
        return [Event(Kind.STARTED, as_started(activity), activity.started_revision), ended]
    if started:
        return [Event(Kind.STARTED, activity, activity.started_revision)]
    return [Event(Kind.UPDATED, activity, activity.revision)]
