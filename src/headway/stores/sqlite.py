"""The embedded default: records in a SQLite database, in a folder of its own.

One writer thread owns the one connection. It takes whatever has gathered in its queue, gives it revisions in order of
arrival, commits the durable part in one transaction (group commit) and then publishes all of it: so there is one total
order, nothing is published before it is on disk, and progress waits at most for the commit under way. Progress itself
is published from memory, by the event loop itself while the thread has nothing to do, and saved once a second.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from headway import forks
from headway.core.activity import Activity
from headway.core.errors import HeadwayError, StorageFull, Unavailable
from headway.ports import OUTPUT_ROOM, HistoryQuery, Publish, Snapshot, Write
from headway.stores import StoreError
from headway.stores.alone import Alone
from headway.stores.folder import FolderLock, Reserve
from headway.stores.sqlite_database import PRUNE_CHUNK, Database
from headway.stores.sqlite_ledger import Ledger
from headway.stores.sqlite_outputs import chunks

CHECKPOINT = 1.0
"""Seconds between two saves of progress: what a crash may cost."""

_T = TypeVar("_T")
_log = logging.getLogger("headway")


class _Job(msgspec.Struct, eq=False):
    """Something for the writer thread: writes to commit, or a function to call between commits."""

    future: asyncio.Future[Any]
    writes: Sequence[Write] = ()
    call: Callable[[], Any] | None = None

    @property
    def creates(self) -> bool:
        return any(write.expected is None for write in self.writes)


class SqliteStore(Alone):
    """Records in ``FOLDER/headway.db``."""

    def __init__(
        self, folder: str | Path, *, now: Callable[[], float] = time.time, output_room: int = OUTPUT_ROOM
    ) -> None:
        """``folder`` is created (mode 0700) when missing. ``now``: seconds since the epoch. ``output_room``: bytes that
        are kept of what activities have printed, all together.
        """
        self.folder: Path = Path(folder)
        self._output_room = output_room
        self._now = now
        self._lock = FolderLock(self.folder)
        self._reserve = Reserve(self.folder)
        self._held = ExitStack()
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._full = self._opened = self._working = False
        self._closed = True
        self._under_way = 0
        """Jobs of the thread whose outcome the event loop does not know yet."""
        self._checkpoint_due = 0.0

    def __repr__(self) -> str:
        held = f"revision={self._ledger.revision} live={len(self._ledger)}" if self._opened else "closed"
        return f"<SqliteStore {str(self.folder)!r} {held} full={self._full}>"

    @property
    def transactions(self) -> int:
        """How many transactions have been committed since it was opened."""
        return self._database.transactions

    async def open(self, publish: Publish) -> Snapshot:
        """See ``Store.open``."""
        self._loop = asyncio.get_running_loop()
        self._publish = publish
        self._closed, self._working, self._under_way = False, True, 0
        self._thread = threading.Thread(target=self._work, name="headway-sqlite", daemon=True)
        self._thread.start()
        forks.tell(self)
        try:
            return await self._call(self._open)
        except (HeadwayError, asyncio.CancelledError):
            await self.close()
            raise

    def forked(self) -> None:
        """In a forked child: everything is the parent's."""
        self._closed = True
        self._lock.release()
        if self._opened:
            self._database.forked()

    async def commit(self, writes: Sequence[Write]) -> list[int | None]:
        """See ``Store.commit``."""
        self._refuse_when_closed()
        # The thread publishes what it has committed before this; with nothing under way, progress need not go there.
        done = None if self._under_way else self._ledger.progress(writes)
        if done is not None:
            changed, revisions = done
            self._publish(changed)
            return revisions
        answer: list[int | None] = await self._submit(_Job(self._loop.create_future(), writes))
        return answer

    async def get(self, uuid: str) -> Activity | None:
        """See ``Store.get``."""
        return await self._call(lambda: self._ledger.get(uuid))

    async def history(self, query: HistoryQuery) -> list[Activity]:
        """See ``Store.history``. One job a chunk, so that commits get in between."""
        found: list[Activity] = []
        before = query.before
        while len(found) < query.limit:
            chunk = msgspec.structs.replace(query, before=before)
            admitted, before = await self._call(partial(self._database.history, chunk))
            found += admitted
            if before is None:
                break
        return found[: query.limit]

    async def save_outputs(self, outputs: Mapping[str, str]) -> None:
        """See ``Store.save_outputs``. One transaction a chunk, so that commits get in between."""
        for chunk in chunks(outputs):
            await self._call(partial(self._save_outputs, chunk))

    async def output(self, uuid: str) -> str:
        """See ``Store.output``."""
        return await self._call(lambda: self._database.outputs.get(uuid))

    async def prune(self, before: float, keep: int) -> int:
        """See ``Store.prune``. One transaction a chunk, so that commits get in between."""
        total = 0
        while (deleted := await self._call(lambda: self._database.prune(before, keep))) > 0:
            total += deleted
            if deleted < PRUNE_CHUNK:
                break
        return total

    async def close(self) -> None:
        """See ``Store.close``. Lets go in any case; raises ``Unavailable`` when progress could not be written down."""
        if self._closed:
            return
        self._closed = True  # from here on nothing comes behind the last job
        try:
            await self._submit(_Job(self._loop.create_future(), call=self._shut))
        finally:
            self._thread.join()  # it has nothing left to do

    async def _call(self, function: Callable[[], _T]) -> _T:
        self._refuse_when_closed()
        result: _T = await self._submit(_Job(self._loop.create_future(), call=function))
        return result

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise Unavailable("the store is closed")

    async def _submit(self, job: _Job) -> Any:
        self._under_way += 1
        self._jobs.put(job)
        return await job.future

    # From here on: the writer thread. Nothing may end it but the last job: whoever waits for it would wait for ever.

    def _work(self) -> None:
        while self._working:
            try:
                jobs = [self._jobs.get(timeout=self._until_checkpoint())]
                while not self._jobs.empty():
                    jobs.append(self._jobs.get_nowait())
            except queue.Empty:
                jobs = []
            self._run(jobs)
            if self._dirty:
                self._checkpoint()

    @property
    def _dirty(self) -> bool:
        return self._opened and (self._ledger.unsaved or self._full)

    def _until_checkpoint(self) -> float | None:
        if not self._dirty:
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
        except Exception as error:
            self._deliver([], [(job, _translated(error))])

    def _commit_group(self, group: list[_Job]) -> None:
        if self._full:
            refused = [job for job in group if job.creates]
            self._deliver([], [(job, StorageFull()) for job in refused])
            group = [job for job in group if not job.creates]
        if not group:
            return
        try:
            changed, outcomes = self._ledger.commit([job.writes for job in group])
        except Exception as error:
            self._recover(group, error)
        else:
            self._deliver(changed, list(zip(group, outcomes, strict=True)))

    def _recover(self, group: list[_Job], error: Exception) -> None:
        """A group failed as a whole: give up the reserve if the disk is full, and let each try by itself."""
        if self._made_room(error) or len(group) > 1:
            for job in group:
                self._commit_group([job])
            return
        self._deliver([], [(group[0], _translated(error))])

    def _made_room(self, error: Exception) -> bool:
        """True when the disk was full and the reserve has just been given up for it."""
        if not _is_full(error):
            return False
        self._set_full(True)
        if not self._reserve.give_up():
            return False
        self._database.keep_log_short(True)  # or the log alone would fill what has become free
        return True

    def _set_full(self, full: bool) -> None:
        if full is not self._full:
            _log.warning("%s: %s", self.folder, "no room: starts are refused" if full else "there is room again")
        self._full = full

    def _checkpoint(self) -> None:
        if time.monotonic() < self._checkpoint_due:
            return
        self._checkpoint_due = time.monotonic() + CHECKPOINT
        try:
            if self._full:
                self._set_full(not self._reserve.take())
                self._database.keep_log_short(self._full)
            # Progress is not worth the reserve: on a full disk it stays in memory until there is room.
            if not self._full and self._ledger.unsaved:
                self._ledger.save()
        except Exception as error:
            if _is_full(error):
                self._set_full(True)
            else:
                _log.warning("%s: progress is not saved yet: %s", self.folder, error)

    def _save_outputs(self, chunk: Mapping[str, str]) -> None:
        if self._full:  # they are not worth what room there is
            return
        try:
            with self._database.transaction():
                self._database.outputs.save(chunk, self._now())
        except sqlite3.Error as error:
            if not _is_full(error):
                raise
            _log.debug("%s: no room for what activities print: %s", self.folder, error)

    def _deliver(self, changed: list[Activity], answers: list[tuple[_Job, Any]]) -> None:
        def on_loop() -> None:
            try:
                if changed:
                    self._publish(changed)
            finally:
                self._under_way -= len(answers)
                for job, answer in answers:
                    _settle(job.future, answer)

        with suppress(RuntimeError):  # the loop has been closed under us: nobody is left to hear
            self._loop.call_soon_threadsafe(on_loop)

    def _open(self) -> Snapshot:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
        except OSError as error:
            raise StoreError(f"cannot use the data folder {self.folder}: {error.strerror}") from error
        self._held.callback(self._lock.release)
        try:
            self._database = Database(self.folder / "headway.db", output_room=self._output_room)
            self._held.callback(self._database.close)
            self._full = not self._reserve.take()
            self._ledger = Ledger(self._database)
            snapshot = self._with_reserve(lambda: self._ledger.open(self._now()))
        except (sqlite3.Error, OSError, msgspec.MsgspecError) as error:
            raise StoreError(f"cannot read the database {self.folder / 'headway.db'}: {error}") from error
        self._opened = True
        return snapshot

    def _shut(self) -> None:
        """Write down what is left and let go, also when that fails: whoever opens it next then sees a crash."""
        self._working = False
        with self._held:
            if self._opened:
                self._opened = False
                self._with_reserve(self._ledger.close)

    def _with_reserve(self, function: Callable[[], _T]) -> _T:
        """Call it; once more, with the reserve given up, if the disk is full."""
        try:
            return function()
        except sqlite3.Error as error:
            if not self._made_room(error):
                raise
            return function()


def _settle(future: asyncio.Future[Any], answer: Any) -> None:
    if future.done():  # whoever asked has gone; the change stands all the same
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _translated(error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error | OSError | msgspec.MsgspecError):
        return Unavailable(f"the database cannot take this now: {error}")
    return error


def _is_full(error: Exception) -> bool:
    # A full disk shows as SQLITE_FULL, or as an I/O error where SQLite was extending a file another way.
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
