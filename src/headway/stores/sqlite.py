"""The embedded default: records in a SQLite database, in a folder of its own.

One writer thread owns the one connection. It takes whatever has gathered in its queue, gives it revisions in order of
arrival, commits the durable part in one transaction (group commit) and then publishes all of it: so there is one total
order, nothing is published before it is on disk, and progress waits at most for the commit under way. Progress itself
is published from memory and saved once a second.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from headway.core.activity import Activity
from headway.core.errors import HeadwayError, StorageFull, Unavailable
from headway.core.lifecycle import stamped
from headway.core.view import TOMBSTONE_AGE, TOMBSTONES
from headway.ports import HistoryQuery, Publish, Snapshot, Write
from headway.stores import StoreError
from headway.stores.folder import FolderLock, Reserve
from headway.stores.sqlite_database import PRUNE_CHUNK, Database

CHECKPOINT = 1.0
"""Seconds between two saves of progress: what a crash may cost."""

_T = TypeVar("_T")


class _Job(msgspec.Struct, eq=False):
    """Something for the writer thread: writes to commit, or a function to call between commits."""

    future: asyncio.Future[Any]
    writes: Sequence[Write] = ()
    call: Callable[[], Any] | None = None

    @property
    def creates(self) -> bool:
        return any(write.expected is None for write in self.writes)


class SqliteStore:
    """Records in ``FOLDER/headway.db``."""

    def __init__(self, folder: str | Path, *, now: Callable[[], float] = time.time) -> None:
        """``folder`` is created (mode 0700) when missing. ``now``: seconds since the epoch."""
        self._folder = Path(folder)
        self._now = now
        self._lock = FolderLock(self._folder)
        self._reserve = Reserve(self._folder)
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._live: dict[str, Activity] = {}
        self._unsaved: dict[str, Activity] = {}
        self._revision = self._ceiling = 0
        self._full = self._closed = False
        self._checkpoint_due = 0.0

    def __repr__(self) -> str:
        return f"<SqliteStore {str(self._folder)!r} revision={self._revision} live={len(self._live)} full={self._full}>"

    async def open(self, publish: Publish) -> Snapshot:
        """See ``Store.open``."""
        self._loop = asyncio.get_running_loop()
        self._publish = publish
        self._thread = threading.Thread(target=self._work, name="headway-sqlite", daemon=True)
        self._thread.start()
        try:
            return await self._call(self._open)
        except StoreError:
            await self._call(self._end)
            raise

    async def commit(self, writes: Sequence[Write]) -> list[int | None]:
        """See ``Store.commit``."""
        revisions: list[int | None] = await self._submit(_Job(self._loop.create_future(), writes))
        return revisions

    async def get(self, uuid: str) -> Activity | None:
        """See ``Store.get``."""
        return await self._call(lambda: self._live.get(uuid) or self._database.get(uuid))

    async def history(self, query: HistoryQuery) -> list[Activity]:
        """See ``Store.history``."""
        return await self._call(lambda: self._database.history(query))

    async def prune(self, before: float, keep: int) -> int:
        """See ``Store.prune``. One transaction a chunk, so that commits get in between."""
        total = 0
        while (deleted := await self._call(lambda: self._database.prune(before, keep))) > 0:
            total += deleted
            if deleted < PRUNE_CHUNK:
                break
        return total

    async def close(self) -> None:
        """See ``Store.close``."""
        await self._call(self._shut)
        await asyncio.to_thread(self._thread.join)

    async def _call(self, function: Callable[[], _T]) -> _T:
        result: _T = await self._submit(_Job(self._loop.create_future(), call=function))
        return result

    async def _submit(self, job: _Job) -> Any:
        if self._closed:
            raise Unavailable("the store is closed")
        self._jobs.put(job)
        return await job.future

    # From here on: the writer thread.

    def _work(self) -> None:
        while not self._closed:
            try:
                jobs = [self._jobs.get(timeout=self._until_checkpoint())]
                while not self._jobs.empty():
                    jobs.append(self._jobs.get_nowait())
            except queue.Empty:
                jobs = []
            self._run(jobs)
            if self._unsaved or self._full:
                self._checkpoint()

    def _until_checkpoint(self) -> float | None:
        if not self._unsaved and not self._full:
            return None
        return max(0.0, self._checkpoint_due - time.monotonic())

    def _run(self, jobs: list[_Job]) -> None:
        group: list[_Job] = []
        for job in jobs:
            if job.call is None:
                group.append(job)
                continue
            self._commit_group(group)
            group = []
            self._answer(job, job.call)
        self._commit_group(group)

    def _answer(self, job: _Job, call: Callable[[], Any]) -> None:
        try:
            self._deliver([], [(job, call())])
        except HeadwayError as error:
            self._deliver([], [(job, error)])
        except (sqlite3.Error, OSError) as error:
            self._deliver([], [(job, Unavailable(f"the database cannot answer: {error}"))])

    def _commit_group(self, group: list[_Job]) -> None:
        if self._full:
            refused = [job for job in group if job.creates]
            self._deliver([], [(job, StorageFull()) for job in refused])
            group = [job for job in group if not job.creates]
        if not group:
            return
        try:
            changed, outcomes = self._attempt(group)
        except (sqlite3.Error, OSError) as error:
            self._recover(group, error)
        else:
            self._deliver(changed, list(zip(group, outcomes, strict=True)))

    def _recover(self, group: list[_Job], error: Exception) -> None:
        """A group failed as a whole: give up the reserve if the disk is full, and let each try by itself."""
        first_failure = _is_full(error) and not self._full
        if first_failure:
            self._full = True
            self._reserve.give_up()
        if first_failure or len(group) > 1:
            for job in group:
                self._commit_group([job])
            return
        failure = Unavailable(f"the database cannot take this now: {error}")
        self._deliver([], [(group[0], failure)])

    def _attempt(self, group: list[_Job]) -> tuple[list[Activity], list[list[int | None]]]:
        """Commit all writes of a group whose expectation holds, or, raising, none."""
        before: dict[str, Activity | None] = {}
        changed: list[Activity] = []
        durable = False
        outcomes: list[list[int | None]] = []
        try:
            for job in group:
                revisions: list[int | None] = []
                for write in job.writes:
                    record = self._admit(write, before)
                    revisions.append(None if record is None else record.revision)
                    if record is not None:
                        changed.append(record)
                        durable = durable or write.durable
                outcomes.append(revisions)
            if durable or self._revision > self._ceiling:
                self._save(changed)
        except (sqlite3.Error, OSError):
            for uuid, record in before.items():
                self._restore(uuid, record)
            raise
        self._unsaved.update({record.uuid: record for record in changed if not durable})
        return changed, outcomes

    def _admit(self, write: Write, before: dict[str, Activity | None]) -> Activity | None:
        uuid = write.activity.uuid
        current = self._live.get(uuid) or self._database.get(uuid)
        if (None if current is None else current.fence) != write.expected:
            return None
        before.setdefault(uuid, self._live.get(uuid))
        self._revision += 1
        record = stamped(write.activity, self._revision)
        self._restore(uuid, None if record.ended else record)
        return record

    def _restore(self, uuid: str, record: Activity | None) -> None:
        if record is None:
            self._live.pop(uuid, None)
        else:
            self._live[uuid] = record

    def _save(self, records: Sequence[Activity]) -> None:
        with self._database.transaction():
            if self._revision > self._ceiling:
                self._ceiling = self._database.reserve_revisions(self._revision)
            self._database.save(records)
        for record in records:
            self._unsaved.pop(record.uuid, None)

    def _checkpoint(self) -> None:
        if time.monotonic() < self._checkpoint_due:
            return
        self._checkpoint_due = time.monotonic() + CHECKPOINT
        if self._full:
            self._full = not self._reserve.take()
        # Progress is not worth the reserve: on a full disk it stays in memory until there is room.
        if not self._full and self._unsaved:
            try:
                self._save(list(self._unsaved.values()))
            except (sqlite3.Error, OSError) as error:
                self._full = _is_full(error)

    def _deliver(self, changed: list[Activity], answers: list[tuple[_Job, Any]]) -> None:
        def on_loop() -> None:
            if changed:
                self._publish(changed)
            for job, answer in answers:
                if job.future.done():  # whoever asked has gone; the change stands all the same
                    continue
                if isinstance(answer, Exception):
                    job.future.set_exception(answer)
                else:
                    job.future.set_result(answer)

        with suppress(RuntimeError):  # the loop has been closed under us: nobody is left to hear
            self._loop.call_soon_threadsafe(on_loop)

    def _open(self) -> Snapshot:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
        except OSError as error:
            raise StoreError(f"cannot use the data folder {self._folder}: {error.strerror}") from error
        self._database = Database(self._folder / "headway.db")
        self._full = not self._reserve.take()
        self._revision = self._database.ceiling()
        with self._database.transaction():
            clean = self._database.mark_clean(False)
            self._ceiling = self._database.reserve_revisions(self._revision)
            live = self._database.live()
            if not clean:
                # Progress seen before the crash may not be on disk: whoever saw it must be told what stands now.
                live = [self._restamped(activity) for activity in live]
                self._database.save(live)
        self._live = {activity.uuid: activity for activity in live}
        since = self._now() - TOMBSTONE_AGE
        records = self._database.ended(since, TOMBSTONES) + live
        return Snapshot(
            self._database.epoch,
            self._database.secret,
            self._database.floors(since, TOMBSTONES),
            sorted(records, key=lambda activity: activity.revision),
        )

    def _restamped(self, activity: Activity) -> Activity:
        self._revision += 1
        return stamped(activity, self._revision)

    def _shut(self) -> None:
        if self._unsaved:
            self._save(list(self._unsaved.values()))
        with self._database.transaction():
            self._database.mark_clean(True)
        self._database.close()
        self._end()

    def _end(self) -> None:
        self._closed = True
        self._lock.release()


def _is_full(error: Exception) -> bool:
    # A full disk shows as SQLITE_FULL, or as an I/O error where SQLite was extending a file another way.
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
