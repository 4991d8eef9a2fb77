"""Redis or Valkey, for many nodes: each reads all changes from one journal, and writes by atomic scripts.

Commits that come together share a script (group commit). What a node has committed itself comes back to it by the
journal like everything else: so all nodes see one total order, and a commit returns when it has come back.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, TypeVar

import msgspec
from redis.exceptions import AuthenticationError, NoPermissionError, OutOfMemoryError, RedisError, ResponseError

from headway.core.activity import Activity
from headway.core.errors import StorageFull, Unavailable
from headway.core.lifecycle import stamped
from headway.core.view import TOMBSTONE_AGE, TOMBSTONES
from headway.ports import OUTPUT_ROOM, HistoryQuery, Publish, Snapshot, Write
from headway.stores import StoreError
from headway.stores.durability import Durability
from headway.stores.ends import Ends, is_same_end
from headway.stores.fullness import Fullness
from headway.stores.position import Position
from headway.stores.redis_address import TIMEOUT, TROUBLE, Address, Client, close, examine, is_cluster, parse_address
from headway.stores.redis_journal import BLOCK, Journal, as_of_one_moment
from headway.stores.redis_records import AT_ONCE, CHUNK, NEW, VERSION, Forgotten, Outgrown, Records

PACE = 0.2
"""Seconds between two commits of progress: an activity is written at most 5 times a second."""

GROUP = 256
"""Writes that share a script, at most: the server does nothing else meanwhile."""

PATIENCE = 2.0
"""Seconds for which a commit is tried again while the server cannot be reached."""

RETRY = 0.05
"""Seconds between these tries."""

_T = TypeVar("_T")
_log = logging.getLogger("headway")


class _Job(msgspec.Struct, eq=False):
    """A caller's writes, and where to tell what came of them."""

    writes: Sequence[Write]
    done: asyncio.Future[tuple[list[int | None], int]]
    starts: bool = False
    durable: bool = False

    def __post_init__(self) -> None:
        self.starts = any(write.expected is None for write in self.writes)
        self.durable = any(write.durable for write in self.writes)


class RedisStore:
    """Records in one namespace of a server that any number of nodes may share."""

    pace: float = PACE

    def __init__(self, url: str, *, now: Callable[[], float] = time.time, output_room: int = OUTPUT_ROOM) -> None:
        """``url``: ``redis://[USER:PASSWORD@]HOST[:PORT][/DB][?namespace=NAME&durability=process|power]``; ``rediss``
        for TLS; a cluster by any of its nodes; ``redis+sentinel://HOST:PORT,HOST:PORT/MASTER``. ``now``: seconds since
        the epoch. Raises ``StoreError`` for another.
        """
        self.address: Address = parse_address(url)
        self.durability: Durability | None = None
        """What the server promises of what it acknowledges; None before it has been asked."""
        self.transactions: int = 0
        """Scripts that have committed something since it was made."""
        self._now, self._output_room = now, output_room
        self._position = Position()
        self._closed = True
        self._epoch, self._secret, self._term = "", b"", 0
        self._outgrown, self._fullness = False, Fullness(self.address.name)
        self._known: dict[str, Activity] = {}
        self._ended = Ends()

    def __repr__(self) -> str:
        held = "closed" if self._closed else repr(self._position)
        return f"<RedisStore {self.address.name} {self.address.namespace} {held}>"

    async def open(self, publish: Publish) -> Snapshot:
        """See ``Store.open``."""
        self._publish, self._position = publish, Position()
        self._jobs: list[_Job] = []
        self._newest = 0
        self._wanted, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._questions, self._turns = 0, asyncio.Semaphore(AT_ONCE)
        self._unheard: dict[int, Activity] = {}
        self._syncing: asyncio.Task[None] | None = None
        async with AsyncExitStack() as undo:
            try:
                snapshot = await self._take_up(undo)
            except AuthenticationError as error:
                raise StoreError(f"{self.address.name} refuses the user or the password: {error}") from error
            except NoPermissionError as error:
                raise StoreError(f"{self.address.name}: its user may not do what a store has to: {error}") from error
            except TROUBLE as error:
                said = str(error).partition(" : <")[0]  # of sentinels redis-py tells all it knows
                raise StoreError(f"cannot use the store at {self.address.name}: {said}") from error
            undo.callback(self._position.fail, Unavailable("the store is closed"))
            loop = asyncio.get_running_loop()
            undo.push_async_callback(_ended, loop.create_task(self._journal.follow(), name="headway-redis-journal"))
            self._closed = False
            undo.push_async_callback(self._done, loop.create_task(self._work(), name="headway-redis-commits"))
            self._held = undo.pop_all()
        return snapshot

    async def commit(self, writes: Sequence[Write]) -> list[int | None]:
        """See ``Store.commit``. Of hundreds of writes, when the server goes away meanwhile, some may stand."""
        self._refuse_when_closed()
        if not writes:
            return []
        new = asyncio.get_running_loop().create_future
        jobs = [_Job(writes[at : at + GROUP], new()) for at in range(0, len(writes), GROUP)]
        self._jobs += jobs
        self._wanted.set()
        answers = []
        for answer in await asyncio.gather(*(job.done for job in jobs), return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
            answers.append(answer)
        await self._position.reach(max(newest for _, newest in answers))
        return [revision for revisions, _ in answers for revision in revisions]

    async def sync(self) -> None:
        """See ``Store.sync``. Those who ask together share an answer."""
        self._refuse_when_closed()
        if self._syncing is None:
            self._syncing = asyncio.get_running_loop().create_task(self._synced())
            self._syncing.add_done_callback(_looked_at)
        await asyncio.shield(self._syncing)

    async def _synced(self) -> None:
        await asyncio.sleep(0)  # whoever asks in this turn is answered along
        self._syncing = None
        newest = await self._asked(self._records.revision())
        await self._position.reach(newest)

    async def beat(self, names: Collection[str]) -> None:
        """See ``Store.beat``."""
        await self._asked(self._records.beat(names))

    async def silences(self, names: Collection[str]) -> Mapping[str, float]:
        """See ``Store.silences``."""
        return await self._asked(self._records.silences(names)) if names else {}

    async def get(self, uuid: str) -> Activity | None:
        """See ``Store.get``."""
        return await self._asked(self._records.get(uuid))

    async def history(self, query: HistoryQuery) -> list[Activity]:
        """See ``Store.history``."""
        found: list[Activity] = []
        skip, more = 0, True
        while more and len(found) < query.limit:
            page, more = await self._asked(self._records.history(query.scope, query.before, CHUNK, skip))
            found += filter(query.admits, page)
            skip += CHUNK
        return found[: query.limit]

    async def save_outputs(self, outputs: Mapping[str, str]) -> None:
        """See ``Store.save_outputs``."""
        with suppress(StorageFull):
            await self._asked(self._records.keep(outputs, self._output_room))

    async def output(self, uuid: str) -> str:
        """See ``Store.output``."""
        return await self._asked(self._records.output(uuid))

    async def prune(self, before: float, keep: int) -> int:
        """See ``Store.prune``."""
        total = 0
        await self._asked(self._records.quieten())
        while doomed := await self._asked(self._records.doomed(before, keep)):
            total += await self._asked(self._records.forget(doomed))
        return total

    async def close(self) -> None:
        """See ``Store.close``."""
        if self._closed:
            return
        self._closed = True
        self._wanted.set()
        await self._idle.wait()  # or what is asked just now would open a connection behind us
        await self._held.aclose()

    async def _done(self, work: asyncio.Task[None]) -> None:
        """What was asked before is answered."""
        await work
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._position.reach(self._newest)

    # Inside

    async def _take_up(self, undo: AsyncExitStack) -> Snapshot:
        client = self.address.client()
        undo.push_async_callback(close, client)
        cluster = await is_cluster(client)
        if cluster:
            client = self._connected(undo, cluster=True)
        self.durability = await examine(client, self.address)
        reader = self._connected(undo, cluster=cluster, timeout=TIMEOUT + BLOCK / 1_000)
        self._records = Records(client, self.address.namespace)
        self._journal = Journal(
            Records(reader, self.address.namespace), self._position, self._tell, self._look_what_is_left
        )
        return await self._snapshot()

    def _connected(self, undo: AsyncExitStack, *, cluster: bool, timeout: float = TIMEOUT) -> Client:
        client = self.address.client(timeout=timeout, cluster=cluster)
        undo.push_async_callback(close, client)
        return client

    async def _snapshot(self) -> Snapshot:
        taken = await self._records.take(secrets.token_hex(8), secrets.token_bytes(32), NEW)
        if taken.version > VERSION:
            raise StoreError(
                f"the namespace {self.address.namespace} has version {taken.version}, this Headway knows {VERSION}: "
                "it was written by a newer release; install that one, or choose another namespace"
            )
        self._epoch, self._secret, self._term = taken.epoch, taken.secret, taken.term
        since = self._now() - TOMBSTONE_AGE

        async def look() -> list[Activity]:
            return [*await self._records.live(), *await self._records.ended(since, TOMBSTONES)]

        records, revision = await as_of_one_moment(self._records, look)
        self._position.advance(revision)
        self._remember(records)
        return Snapshot(taken.epoch, taken.secret, await self._records.floors(records, revision), records)

    def _tell(self, records: Sequence[Activity]) -> None:
        news = [each for each in records if not is_same_end(self._ended.get(each.uuid), each)]
        self._remember(records)
        if news:
            self._publish(news)

    def _remember(self, records: Sequence[Activity]) -> None:
        for record in records:
            if record.ended:
                self._known.pop(record.uuid, None)
                self._ended.add(record)
            else:
                self._known[record.uuid] = record

    async def _look_what_is_left(self) -> None:
        """The server has been away: put back what it has lost meanwhile, as another one that took over may have."""
        taken = await self._records.take(self._epoch, self._secret, self._told_of)
        if taken.epoch != self._epoch:
            raise RedisError("the server holds another history now; start this node anew")
        complete = taken.before == self._term and self._told_of <= taken.boundary
        if taken.term != self._term and not complete:
            unheard = [record for revision, record in self._unheard.items() if revision > self._position.revision]
            known = (*self._ended.values(), *self._known.values(), *unheard)
            if lost := sum([await self._records.put_back(self._epoch, record) for record in known]):
                _log.error("the store had lost what it had acknowledged: %d records are put back from here", lost)
        self._term = taken.term

    async def _work(self) -> None:
        while self._jobs or not self._closed:
            await self._wanted.wait()
            self._wanted.clear()
            while self._jobs:
                await self._commit(self._group())

    def _group(self) -> list[_Job]:
        """Those who wait, as far as they fit; an end does not wait for the progress of thousands. Starts go by
        themselves: without room only they are refused.
        """
        waiting = sorted(self._jobs, key=_can_wait)
        group: list[_Job] = []
        size = 0
        for job in waiting:
            if job.starts is waiting[0].starts and (not group or size + len(job.writes) <= GROUP):
                group.append(job)
                self._jobs.remove(job)
                size += len(job.writes)
        return group

    async def _commit(self, group: list[_Job]) -> None:
        writes = [write for job in group for write in job.writes]
        try:
            with self._fullness.told(starts=group[0].starts):
                revisions, newest = await self._written(secrets.token_hex(8), writes)
        except Exception as error:
            for job in group:
                _settle(job, _translated(error))
            return
        self._newest, at = newest, 0
        self._remember_until_heard(writes, revisions)
        for job in group:
            _settle(job, (revisions[at : at + len(job.writes)], newest))
            at += len(job.writes)

    def _remember_until_heard(self, writes: Sequence[Write], revisions: Sequence[int | None]) -> None:
        """It is acknowledged now; a server that takes over may have less than that, before the journal has told it."""
        acknowledged = {r: stamped(write.activity, r) for write, r in zip(writes, revisions, strict=True) if r}
        waiting = {r: record for r, record in self._unheard.items() if r > self._position.revision}
        self._unheard = waiting | acknowledged

    @property
    def _told_of(self) -> int:
        """The newest revision that the server has told this node of, by the journal or by an answer."""
        return max(self._position.revision, self._newest)

    async def _written(self, id: str, writes: Sequence[Write]) -> tuple[list[int | None], int]:
        """Tried again for a while, under the same id: where the answer is lost, the change may stand."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = await self._records.commit(self._epoch, self._told_of, id, writes)
                self.transactions += 1
                return answer
            except TROUBLE as error:
                if isinstance(error, Forgotten):
                    self._journal.lost = True  # it will be put back, as after any failure
                if isinstance(error, Outgrown) and not self._outgrown:
                    self._outgrown = True
                    _log.error("nothing can be changed by this node any more: %s", error)
                if isinstance(error, ResponseError) or time.monotonic() > deadline:
                    raise _translated(error) from error
            await asyncio.sleep(RETRY)

    async def _asked(self, question: Coroutine[Any, Any, _T]) -> _T:
        try:
            self._refuse_when_closed()
            async with self._asking():
                return await question
        except TROUBLE as error:
            raise _translated(error) from error
        finally:
            question.close()

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        self._questions += 1
        self._idle.clear()
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._turns.acquire()
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._questions -= 1
            if not self._questions:
                self._idle.set()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise Unavailable("the store is closed")


def _can_wait(job: _Job) -> bool:
    return not job.durable


def _settle(job: _Job, answer: tuple[list[int | None], int] | Exception) -> None:
    if job.done.done():  # whoever asked has gone; the change stands all the same
        return
    if isinstance(answer, Exception):
        job.done.set_exception(answer)
    else:
        job.done.set_result(answer)


def _translated(error: Exception) -> Unavailable | StorageFull:
    if isinstance(error, Unavailable | StorageFull):
        return error
    if isinstance(error, OutOfMemoryError) or "OOM" in str(error):
        return StorageFull()
    # Not where it is and what it says: users read this. The log has it.
    _log.debug("the store failed", exc_info=error)
    return Unavailable("the store cannot be reached, or cannot take this now; try again in a moment")


async def _ended(task: asyncio.Task[Any]) -> None:
    while not task.done():
        task.cancel()
        # Once may not be enough: redis-py sends within asyncio.wait_for, which on Python 3.11 can lose a cancel.
        await asyncio.wait({task}, timeout=RETRY)


def _looked_at(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
