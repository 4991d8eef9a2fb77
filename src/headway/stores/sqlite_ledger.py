"""What the SQLite store knows of its records, and which of that is on disk.

The lock is the right to give revisions. The writer thread holds it for each commit and each save; the event loop takes
it, where it is free, for progress that touches no disk.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence

from headway.core.activity import Activity
from headway.core.lifecycle import stamped
from headway.core.view import TOMBSTONE_AGE, TOMBSTONES
from headway.ports import Snapshot, Write
from headway.stores.sqlite_database import Database

Outcome = list[int | None]
"""Of a batch: each write's revision, or None where its expectation did not hold."""


class Ledger:
    """The live records and the revisions, above a database."""

    def __init__(self, database: Database) -> None:
        self.revision: int = 0
        """The newest that was given out."""
        self._ceiling = 0
        """Those up to here are reserved on disk."""
        self._live: dict[str, Activity] = {}
        self._unsaved: dict[str, Activity] = {}
        self._database = database
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._live)

    @property
    def unsaved(self) -> bool:
        """Whether there is progress that is not on disk yet."""
        return bool(self._unsaved)

    def get(self, uuid: str) -> Activity | None:
        """The newest record; reads the database."""
        return self._live.get(uuid) or self._database.get(uuid)

    def commit(self, batches: Sequence[Sequence[Write]]) -> tuple[list[Activity], list[Outcome]]:
        """Commit all writes whose expectation holds, or, raising, none: what has changed, and of each batch how."""
        with self._lock:
            return self._commit(batches)

    def progress(self, writes: Sequence[Write]) -> tuple[list[Activity], Outcome] | None:
        """The same without waiting for anything; None where that cannot be.

        Only while a save is due anyway: so the writer thread need not be told of it.
        """
        if not self._lock.acquire(blocking=False):
            return None
        try:
            in_memory = self._unsaved and self.revision + len(writes) <= self._ceiling
            if not in_memory or any(write.durable or write.activity.uuid not in self._live for write in writes):
                return None
            changed, (outcome,) = self._commit([writes])
            return changed, outcome
        finally:
            self._lock.release()

    def save(self) -> None:
        """Bring to disk what is not there yet."""
        with self._lock:
            self._save(list(self._unsaved.values()))

    def open(self, now: float) -> Snapshot:
        """Begin where the last one ended, or died. ``now``: seconds since the epoch."""
        database = self._database
        live = self._taken_up()
        self._live = {activity.uuid: activity for activity in live}
        since = now - TOMBSTONE_AGE
        records = database.ended(since, TOMBSTONES) + live
        return Snapshot(
            database.epoch,
            database.secret,
            database.floors(since, TOMBSTONES),
            sorted(records, key=lambda activity: activity.revision),
        )

    def close(self) -> None:
        """Save, and note that nothing is missing."""
        self.save()
        with self._database.transaction():
            self._database.mark_clean(True)

    def _taken_up(self) -> list[Activity]:
        revision = self._database.ceiling()
        with self._database.transaction():
            clean = self._database.mark_clean(False)
            ceiling = self._database.reserve_revisions(revision)
            live = self._database.live()
            if not clean:
                # Progress seen before the crash may not be on disk: whoever saw it must be told what stands now.
                live = [stamped(activity, revision + place) for place, activity in enumerate(live, 1)]
                revision += len(live)
                self._database.save(live)
        self.revision, self._ceiling = revision, ceiling
        return live

    def _commit(self, batches: Sequence[Sequence[Write]]) -> tuple[list[Activity], list[Outcome]]:
        newest: dict[str, Activity] = {}
        changed: list[Activity] = []
        durable = False
        outcomes: list[Outcome] = []
        for writes in batches:
            outcomes.append([])
            for write in writes:
                record = self._admit(write, newest)
                outcomes[-1].append(None if record is None else record.revision)
                if record is not None:
                    changed.append(record)
                    durable = durable or write.durable
        if durable or self.revision > self._ceiling:
            self._save(newest.values())
        else:
            self._unsaved.update(newest)
        for record in newest.values():
            self._keep(record)
        return changed, outcomes

    def _admit(self, write: Write, newest: dict[str, Activity]) -> Activity | None:
        """The record at its revision, if the expectation holds; ``newest``: what the same commit has changed before."""
        uuid = write.activity.uuid
        current = newest.get(uuid) or self.get(uuid)
        if not write.holds(current):
            return None
        self.revision += 1
        newest[uuid] = stamped(write.activity, self.revision)
        return newest[uuid]

    def _keep(self, record: Activity) -> None:
        if record.ended:
            self._live.pop(record.uuid, None)
        else:
            self._live[record.uuid] = record

    def _save(self, records: Collection[Activity]) -> None:
        ceiling = self._ceiling
        with self._database.transaction():
            if self.revision > ceiling:
                ceiling = self._database.reserve_revisions(self.revision)
            self._database.save(records)
        self._ceiling = ceiling  # not before it is on disk
        for record in records:
            self._unsaved.pop(record.uuid, None)
