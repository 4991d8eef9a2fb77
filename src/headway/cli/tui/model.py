"""What the full-screen view shows, without a screen: takes in what a stream tells, gives rows in the order of the tree.

A row keeps its place for as long as it is shown: what is new comes behind what is there, what has ended stays where it
was for a while, and a parent is not taken away above its parts.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from headway.cli import tree, wording
from headway.cli.cancel import outcome
from headway.cli.tui.matching import Filter
from headway.client.live.replica import Replica
from headway.client.rows import has_ended
from headway.core.errors import HeadwayError
from headway.core.view import Kind
from headway.ports import Clock
from headway.wire.notifications import ActivityNotification, Notification, SnapshotNotification
from headway.wire.row import Row

LINGER = 8.0
"""Seconds that what has ended stays among what runs."""

STALE = 10.0
"""Seconds without a connection after which what is shown counts as old."""

REMEMBERED = 1_000
"""Ended activities that are remembered, for servers that remember none."""


class Link(NamedTuple):
    """How the connection stands."""

    word: str
    """``connecting``, ``live``, ``reconnecting`` or ``stale``."""
    since: float | None = None
    """When it was lost, in seconds since the epoch."""
    reason: str = ""


class Place(NamedTuple):
    """Where an activity stands in the tree."""

    uuid: str
    depth: int = 0
    below: int = 0
    """How many stand below it, down to the last leaf."""


class Line(NamedTuple):
    """An activity as it is shown now."""

    row: Row
    word: str
    """Its state, ``asking`` or ``asked``."""
    place: Place
    folded: bool = False
    fading: bool = False
    """It has ended, and is about to leave."""


class Model:
    """All that the view knows. Times come from the clock it is given."""

    def __init__(self, clock: Clock, *, linger: float = LINGER) -> None:
        """``linger``: seconds that what has ended stays."""
        self._clock = clock
        self._linger = linger
        self._replica = Replica()
        self._rows: dict[str, Row] = {}
        self._leaving: dict[str, float] = {}
        self._folded: set[str] = set()
        self._asked: dict[str, str] = {}
        self._ended: deque[Row] = deque(maxlen=REMEMBERED)
        self._lost: tuple[float, float, str] | None = None
        self._connected = False
        self._tree: list[Place] | None = None
        self._shown: list[Place] | None = None
        self._filter = Filter("")

    def __repr__(self) -> str:
        return f"<Model live={len(self._replica)} shown={len(self._rows)} link={self.link.word}>"

    @property
    def ended(self) -> Sequence[Row]:
        """What has ended while somebody looked, newest first."""
        return self._ended

    @property
    def link(self) -> Link:
        """How the connection stands."""
        if self._lost is None:
            return Link("live" if self._connected else "connecting")
        lost_at, lost_for, reason = self._lost
        stale = self._clock.monotonic() - lost_for >= STALE
        return Link("stale" if stale else "reconnecting", lost_at, reason)

    @property
    def filter(self) -> str:
        """What the rows are filtered by."""
        return self._filter.text

    @filter.setter
    def filter(self, text: str) -> None:
        self._filter = Filter(text)
        self._shown = None

    def matches(self, row: Row) -> bool:
        """True when the filter lets a row through."""
        return self._filter(row, self._word(row))

    @property
    def owners(self) -> int:
        """How many users' activities are shown."""
        return len({row.user for row in self._rows.values()})

    def counts(self) -> Mapping[str, int]:
        """How many there are in each state, as it is shown; what lingers counts as what became of it."""
        return Counter(map(self._word, self._rows.values()))

    def get(self, uuid: str) -> Row | None:
        """The newest row of an activity that is shown."""
        return self._rows.get(uuid)

    def parts(self, uuid: str) -> list[Row]:
        """The live activities below one."""
        places = self._places()
        index = next((index for index, place in enumerate(places) if place.uuid == uuid), None)
        if index is None:
            return []
        below = islice(places, index + 1, index + 1 + places[index].below)
        return [self._rows[place.uuid] for place in below if place.uuid not in self._leaving]

    # What is told

    def apply(self, told: Notification) -> None:
        """Take in what a stream told."""
        if isinstance(told, SnapshotNotification):
            gone = self._replica.apply(told)
            for row in gone:
                self._end(row)
            for row in told.rows:
                self._take(row)
        elif isinstance(told, ActivityNotification):
            self._replica.apply(told)
            if told.kind is Kind.ENDED:
                self._end(told.row)
            else:
                self._take(told.row)

    def connection(self, error: HeadwayError | None) -> None:
        """The connection has been lost by an error, or it is there."""
        if error is None:
            self._connected, self._lost = True, None
            return
        at, since = (self._clock.now(), self._clock.monotonic()) if self._lost is None else self._lost[:2]
        self._lost = at, since, error.message

    def _take(self, row: Row) -> None:
        known = self._rows.get(row.uuid)
        self._rows[row.uuid] = row
        self._leaving.pop(row.uuid, None)
        if known is None or known.parent != row.parent:
            self._tree = self._shown = None
        elif self._filter:
            self._shown = None

    def _end(self, row: Row) -> None:
        ended = _as_ended(row, self._clock.now())
        if row.uuid not in self._leaving:
            self._ended.appendleft(ended)
        leaves = self._leaving.get(row.uuid, self._clock.monotonic() + self._linger)
        self._take(ended)
        self._leaving[row.uuid] = leaves

    # Time and what the user does

    def age(self) -> None:
        """Let go of what ended long enough ago and has nothing left below it."""
        now = self._clock.monotonic()
        over = {uuid for uuid, leaves in self._leaving.items() if leaves <= now}
        if not over:
            return
        needed: set[str] = set()
        for place in reversed(self._places()):
            row = self._rows[place.uuid]
            if place.uuid in over and place.uuid not in needed:
                self._forget(place.uuid)
            elif row.parent is not None:
                needed.add(row.parent)

    def _forget(self, uuid: str) -> None:
        del self._rows[uuid], self._leaving[uuid]
        self._asked.pop(uuid, None)
        self._folded.discard(uuid)
        self._tree = self._shown = None

    def fold(self, uuid: str, *, folded: bool) -> None:
        """Hide what is below an activity, or show it."""
        (self._folded.add if folded else self._folded.discard)(uuid)
        self._shown = None

    def fold_all(self, *, folded: bool) -> None:
        """Hide what is below anything, or show it all."""
        self._folded = {place.uuid for place in self._places() if place.below} if folded else set()
        self._shown = None

    # A cancel from here

    def ask(self, uuid: str, stage: str | None) -> None:
        """A cancel from here: ``asking`` on its way, ``asked`` once on record; None when it was refused."""
        if stage is None:
            self._asked.pop(uuid, None)
        elif uuid in self._rows:
            self._asked[uuid] = stage
        if self._filter:
            self._shown = None

    def stage(self, uuid: str) -> str | None:
        """What has become of a cancel from here, in words; None when there was none, or long after."""
        row = self._rows.get(uuid)
        if row is None or uuid not in self._asked:
            return None
        word = self._word(row)
        if word == "asking":
            return "is being asked to stop"
        if word == "asked":
            return "has been asked to stop; no word of it yet"
        if word == "cancelling" and row.cancel_requested_at is not None:
            return f"is stopping, since {wording.span(self._clock.now() - row.cancel_requested_at)}"
        return outcome(row).says

    # What is shown

    def places(self) -> list[Place]:
        """What is to be shown, in order: the same list as before while nothing has moved."""
        if self._shown is None:
            places = self._places()
            self._shown = self._filtered(places) if self._filter else self._unfolded(places)
        return self._shown

    def line(self, place: Place) -> Line:
        """What to show in a place."""
        row = self._rows[place.uuid]
        leaves = self._leaving.get(place.uuid)
        fading = leaves is not None and leaves - self._clock.monotonic() <= self._linger / 2
        return Line(row, self._word(row), place, place.uuid in self._folded and not self._filter, fading)

    def _word(self, row: Row) -> str:
        word = wording.state(row)
        return self._asked.get(row.uuid, word) if word in ("running", "stalled") else word

    def _places(self) -> list[Place]:
        if self._tree is None:
            rows = tree.ordered(list(self._rows.values()))
            depths = tree.depths(rows)
            counts = _below([depths[row.uuid] for row in rows])
            self._tree = [Place(row.uuid, depths[row.uuid], below) for row, below in zip(rows, counts, strict=True)]
        return self._tree

    def _unfolded(self, places: Sequence[Place]) -> list[Place]:
        shown, index = [], 0
        while index < len(places):
            place = places[index]
            shown.append(place)
            index += 1 + (place.below if place.uuid in self._folded else 0)
        return shown

    def _filtered(self, places: Sequence[Place]) -> list[Place]:
        """What matches, and what it is a part of."""
        shown: list[Place] = []
        wanted = -1
        for place in reversed(places):
            if place.depth == wanted or self.matches(self._rows[place.uuid]):
                shown.append(place)
                wanted = place.depth - 1
        return shown[::-1]


def _as_ended(row: Row, now: float) -> Row:
    """As it ended; from a server that does not say how, it has ``ended``, now."""
    if has_ended(row):
        return row
    return msgspec.structs.replace(
        row, state="ended", ended_at=now, eta=None, rate=None, cancellable=False, stalled=False, overdue=False
    )


def _below(depths: Iterable[int]) -> list[int]:
    """How many stand below each, from how deep they all are, in order of the tree."""
    counts: list[int] = []
    path: list[tuple[int, int]] = []
    for index, depth in enumerate(depths):
        while path and path[-1][1] >= depth:
            path.pop()
        for above, _ in path:
            counts[above] += 1
        counts.append(0)
        path.append((index, depth))
    return counts
