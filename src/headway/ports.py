"""What the hub needs from outside, on one page: a place to keep records, and the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from headway.core.activity import Activity, State
from headway.core.narrowing import Narrowing
from headway.core.policy import Scope, visible


class Write(msgspec.Struct, frozen=True):
    """One record to commit."""

    activity: Activity
    expected: tuple[State, int] | None
    """The ``fence`` the stored record must have; None when there must be no record yet."""
    durable: bool = True
    """Lifecycle changes are on disk before anyone hears of them; progress is not."""
    based_on: int | None = None
    """The revision the stored record must have, too; None for any. What another node has reported since is not lost."""

    def holds(self, current: Activity | None) -> bool:
        """Whether the record stands as expected."""
        if current is None or self.expected is None:
            return current is None and self.expected is None
        return current.fence == self.expected and self.based_on in (None, current.revision)


class Snapshot(msgspec.Struct, frozen=True):
    """What a store holds when it is opened."""

    epoch: str
    """Names this history of revisions; a cursor of another epoch means nothing here."""
    secret: bytes
    """32 random bytes, as old as the epoch: seals cursors and derives ids."""
    floors: Mapping[int, int]
    """Per owner, the revision of the newest change that is no longer in ``activities``: an older cursor cannot be
    answered. Per owner, because one user's forgotten past must not show in another's stream."""
    activities: Sequence[Activity]
    """All live ones and the recently ended ones, by ascending revision."""


class HistoryQuery(msgspec.Struct, frozen=True):
    """Which ended activities to list, newest first."""

    scope: Scope
    narrowing: Narrowing = Narrowing()
    before: int | None = None
    """Only those whose end has a smaller revision."""
    limit: int = 50

    def admits(self, activity: Activity) -> bool:
        """Whether an ended activity is one of them, if there is room."""
        return (
            visible(activity, self.scope)
            and (self.before is None or activity.revision < self.before)
            and self.narrowing.admits(activity)
        )


OUTPUT_ROOM = 64 * 1024 * 1024
"""Bytes of UTF-8 that a store keeps of what activities have printed, all together."""

Publish = Callable[[Sequence[Activity]], None]


class Store(Protocol):
    """Compares and appends; holds no rules.

    ``headway.testing.stores`` is this contract as tests.

    ``publish`` receives every committed change, whoever made it, in one total order by ascending revision, on the event
    loop that opened the store. A store of many nodes publishes the changes of the others likewise. When a node has
    been cut off, it may be told of each activity that has changed meanwhile only how it stands now.
    """

    pace: float
    """Seconds between two commits of progress: a store that others share is written to less often."""

    async def open(self, publish: Publish) -> Snapshot:
        """Take possession. Raises ``headway.stores.StoreError`` when that cannot be done, saying why."""

    async def commit(self, writes: Sequence[Write]) -> list[int | None]:
        """Commit each write whose expectation holds: its revision, or None where it did not hold.

        Returns after the changes are as durable as asked and have been published, and so has what stood in their way.
        Raises ``StorageFull`` or ``Unavailable`` with nothing of the batch committed.
        """

    async def sync(self) -> None:
        """Wait until everything that anyone had committed when this was called has been published.

        Raises ``Unavailable`` when that cannot be known.
        """

    async def beat(self, names: Collection[str]) -> None:
        """Tell the other nodes that these, nodes or workers, have just given a sign of life. Raises ``Unavailable``."""

    async def silences(self, names: Collection[str]) -> Mapping[str, float]:
        """Seconds since the latest ``beat`` of each by whichever node, on the store's clock; infinity where there was
        none. Raises ``Unavailable``.
        """

    async def get(self, uuid: str) -> Activity | None:
        """One record, live or ended, however old."""

    async def history(self, query: HistoryQuery) -> list[Activity]:
        """Ended activities, newest first."""

    async def save_outputs(self, outputs: Mapping[str, str]) -> None:
        """Keep what activities have printed last, each text in place of what was kept before; what has no record is
        dropped. On disk within a second.

        It goes with the record, and when all of it together outgrows ``OUTPUT_ROOM``: the oldest of what has ended
        first. Where there is hardly any room for records, it is dropped. Raises ``Unavailable``.
        """

    async def output(self, uuid: str) -> str:
        """What is kept of what an activity has printed; nothing where nothing is."""

    async def prune(self, before: float, keep: int) -> int:
        """Delete what ended before that time, and all but the newest ``keep``; how many were deleted."""

    async def close(self) -> None:
        """Let go; everything published is on disk afterwards. A later commit raises ``Unavailable``; closing again is
        nothing.
        """


class Document(Protocol):
    """Something that nodes share beside the records: read whole, and written whole by one of them at a time.

    Used by one thread, without an event loop. Each method raises ``Unavailable``.
    """

    name: str
    """For messages: nothing secret."""

    def read(self, known: int) -> tuple[int, bytes] | None:
        """Its version and what it is, 0 and nothing where there is none yet; None where that is the version known."""

    def write(self, document: bytes, known: int) -> int:
        """Replace the version that is known; the new one's."""

    def locked(self) -> AbstractContextManager[None]:
        """With the right to write, for some seconds."""

    def close(self) -> None:
        """Let go."""


class Clock(Protocol):
    """Two clocks: one for records, one for durations."""

    def now(self) -> float:
        """Seconds since the epoch; may jump."""

    def monotonic(self) -> float:
        """Seconds since some moment; never jumps."""


class SystemClock:
    """The computer's clocks."""

    def now(self) -> float:
        """Seconds since the epoch, to the millisecond: finer digits would be noise on the wire."""
        return round(time.time(), 3)

    def monotonic(self) -> float:
        """Seconds of ``time.monotonic``."""
        return time.monotonic()
