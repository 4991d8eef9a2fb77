"""NATS JetStream, for many nodes: a record is the last message of a subject, and its sequence the revision.

All nodes read all changes from one stream, their own, too: so all see one total order, and a commit returns when it has
come back. A change says which message it replaces, and counts only where that is still the last.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, TypeVar

import msgspec

from headway.core.activity import Activity
from headway.core.errors import StorageFull, Unavailable
from headway.core.view import TOMBSTONE_AGE, TOMBSTONES
from headway.ports import OUTPUT_ROOM, HistoryQuery, Publish, Snapshot, Write
from headway.stores import StoreError
from headway.stores.durability import Durability
from headway.stores.ends import is_same_end
from headway.stores.nats_address import TROUBLE, Address, parse_address, require_durability, why
from headway.stores.nats_archive import Archive
from headway.stores.nats_commits import PATIENCE, RETRY, Commits, translated
from headway.stores.nats_feed import Feed, Message
from headway.stores.nats_monitor import synced
from headway.stores.nats_outputs import Outputs
from headway.stores.nats_streams import AT_ONCE, VERSION, Begun, Overtaken, Refused, Streams, read, write
from headway.stores.position import Position

PACE = 0.2
"""Seconds between two commits of progress: an activity is written at most 5 times a second."""

OPENING = 120.0
"""Seconds in which all records have to be read."""

SKIPPED = 10_000
"""Sequences that are left out where some were lost, beyond those that are known to have been given out."""

_PUT_BACK = re.compile(r"was-(\d+)-")
"""The id of what was put back, and the revision that it had before."""

_T = TypeVar("_T")
_log = logging.getLogger("headway")


class NatsStore:
    """Records in one namespace of servers that any number of nodes may share.

    Each node reads all records when it is opened, and keeps the live ones and an index of what has ended in memory.
    """

    pace: float = PACE

    def __init__(self, url: str, *, now: Callable[[], float] = time.time, output_room: int = OUTPUT_ROOM) -> None:
        """``url``: ``nats://[USER:PASSWORD@|TOKEN@]HOST[:PORT][,HOST…][?namespace=NAME&durability=process]``; ``tls``
        for TLS (``ca``, ``cert``, ``key``: files); ``creds``, ``nkey``: files; ``replicas``, ``storage``, ``domain``;
        ``monitor``: ``http://HOST:PORT,…`` of the servers' monitoring ports, which alone tell that they wait for their
        disks. ``now``: seconds since the epoch. Raises ``StoreError`` for another.
        """
        self.address: Address = parse_address(url)
        self.durability: Durability | None = None
        """What the server promises of what it acknowledges; None before it has been asked."""
        self.dropped: int = 0
        """Messages that could not be read: none of ours."""
        self._now, self._output_room = now, output_room
        self._position = Position()
        self._closed = True

    def __repr__(self) -> str:
        held = "closed" if self._closed else repr(self._position)
        return f"<NatsStore {self.address.name} {self.address.namespace} {held}>"

    async def open(self, publish: Publish) -> Snapshot:
        """See ``Store.open``."""
        self._publish: Publish = _nobody
        self._position, self._archive = Position(), Archive(self._now() - TOMBSTONE_AGE)
        self._when_cut: Callable[[], None] = _nothing
        self._live: dict[str, Activity] = {}
        self._floors: dict[int, int] = {}
        self._back: list[str] = []
        """What a server has brought back, and is to be forgotten again."""
        self._working: set[asyncio.Task[Any]] = set()
        self._syncing: asyncio.Task[None] | None = None
        async with AsyncExitStack() as undo:
            try:
                snapshot = await self._take_up(undo)
            except (*TROUBLE, Refused) as error:
                said = why(error)
                if "authorization" in said.lower():  # which NATS says in words alone
                    raise StoreError(f"{self.address.name} refuses the user, the password or the token") from error
                raise StoreError(f"cannot use the store at {self.address.name}: {said}") from error
            self._publish = publish
            self._closed = False
            self._held = undo.pop_all()
        return snapshot

    async def commit(self, writes: Sequence[Write]) -> list[int | None]:
        """See ``Store.commit``. Of several writes, when the servers go away in between, some may stand."""
        # In a task of its own: a commit stands or never was, whatever becomes of whoever asked for it.
        return await self._on_its_own(self._commits.make(writes))

    async def sync(self) -> None:
        """See ``Store.sync``. Those who ask together share an answer."""
        self._refuse_when_closed()
        if self._syncing is None:
            self._syncing = self._task(self._synced())
        await asyncio.shield(self._syncing)

    async def _synced(self) -> None:
        await asyncio.sleep(0)  # whoever asks in this turn is answered along
        self._syncing = None
        last, _ = await self._asked(self._streams.state(self._streams.records))
        await self._position.reach(last)

    async def beat(self, names: Collection[str]) -> None:
        """See ``Store.beat``."""
        await self._asked(self._streams.beat(names))

    async def silences(self, names: Collection[str]) -> Mapping[str, float]:
        """See ``Store.silences``."""
        return await self._asked(self._streams.silences(names)) if names else {}

    async def get(self, uuid: str) -> Activity | None:
        """See ``Store.get``."""
        found = await self._asked(self._streams.get(uuid))
        return None if found is None or self._is_back(found[0]) else found[0]

    async def history(self, query: HistoryQuery) -> list[Activity]:
        """See ``Store.history``."""
        found: list[Activity] = []
        uuids = [end.uuid for end in self._archive.newest(query.scope, query.before, query.narrowing)]
        for at in range(0, len(uuids), AT_ONCE):
            found += filter(query.admits, await self._records(uuids[at : at + AT_ONCE]))
            if len(found) >= query.limit:
                break
        return found[: query.limit]

    async def _records(self, uuids: Sequence[str]) -> list[Activity]:
        missing = [uuid for uuid in uuids if uuid not in self._archive.recent]
        fetched = {each.uuid: each for each in await self._asked(self._streams.many(missing))} if missing else {}
        self._archive.forget([uuid for uuid in missing if uuid not in fetched])  # which another node has pruned
        records = (fetched.get(uuid) or self._archive.recent.get(uuid) for uuid in uuids)
        return [record for record in records if record is not None]

    async def save_outputs(self, outputs: Mapping[str, str]) -> None:
        """See ``Store.save_outputs``."""
        with suppress(StorageFull):
            await self._asked(self._outputs.keep(outputs))

    async def output(self, uuid: str) -> str:
        """See ``Store.output``."""
        return await self._asked(self._outputs.output(uuid))

    async def prune(self, before: float, keep: int) -> int:
        """See ``Store.prune``."""
        doomed = self._archive.doomed(before, keep)
        floors: dict[int, int] = {}
        for end in doomed:
            floors[end.owner] = max(floors.get(end.owner, 0), end.revision)
        await self._asked(self._lift(floors))
        await self._asked(self._streams.raise_floors(floors))
        count = await self._asked(self._streams.forget([end.uuid for end in doomed]))
        self._archive.forget([end.uuid for end in doomed])
        await self._asked(self._streams.forget(self._back))
        self._back = []
        return count

    async def _lift(self, floors: Mapping[int, int]) -> None:
        """What lives, and has not changed since what is forgotten ended, is written anew, above the floor: so what is
        live below it can only be what a server that crashed has brought back, of activities that were forgotten.
        """
        for record in [each for each in self._live.values() if each.revision <= floors.get(each.owner, 0)]:
            with suppress(Overtaken):
                subject = self._streams.record(record.uuid)
                await self._streams.put(self._streams.records, subject, write(record), record.revision)

    def _is_back(self, record: Activity) -> bool:
        return not record.ended and record.revision <= self._floors.get(record.owner, 0)

    async def close(self) -> None:
        """See ``Store.close``."""
        if self._closed:
            return
        self._closed = True
        if self._working:
            await asyncio.wait(self._working, timeout=PATIENCE)
        self._position.fail(Unavailable("the store is closed"))
        if self._working:
            await asyncio.wait(self._working)
        await self._held.aclose()

    # Opening

    async def _take_up(self, undo: AsyncExitStack) -> Snapshot:
        self._streams = Streams(await self.address.connect(self._cut_off), self.address)
        undo.push_async_callback(self._hang_up)
        self._feed = Feed(self._streams, 0, self._take, self._look_what_is_left)
        self._outputs = Outputs(self._streams, self._archive, self._live, self._output_room)
        self._commits = Commits(self._streams, self._position, self._live, self._outputs.give_up)
        self._when_cut = self._begin_again
        storage, replicas = await self._streams.prepare()
        server = str(self._streams.client._server_info.get("server_id"))  # which nats-py tells nowhere else
        written = await synced(self.address.monitors, server)
        self.durability = require_durability(self.address, storage, replicas, written)
        self._begun, _ = await self._streams.begin()
        self._require_known()
        last, _ = await self._streams.state(self._streams.records)
        following = asyncio.get_running_loop().create_task(self._feed.follow(), name="headway-nats-feed")
        undo.push_async_callback(_ended, following)
        async with asyncio.timeout(OPENING):
            await self._position.reach(last)
        return self._snapshot()

    def _snapshot(self) -> Snapshot:
        self._back = [uuid for uuid, record in self._live.items() if self._is_back(record)]
        for uuid in self._back:
            del self._live[uuid]
        kept = set(self._archive.kept(self._now() - TOMBSTONE_AGE, TOMBSTONES))
        kept &= set(self._archive.recent)
        floors = dict(self._floors)
        for owner, floor in self._archive.floors(kept).items():
            floors[owner] = max(floors.get(owner, 0), floor)
        records = [*self._live.values(), *(self._archive.recent[uuid] for uuid in kept)]
        self._archive.settled()
        return Snapshot(
            self._begun.epoch, self._begun.secret, floors, sorted(records, key=lambda record: record.revision)
        )

    def _require_known(self) -> None:
        if self._begun.version > VERSION:
            raise StoreError(
                f"the namespace {self.address.namespace} has version {self._begun.version}, this Headway knows "
                f"{VERSION}: it was written by a newer release; install that one, or choose another namespace"
            )

    # What is told

    def _take(self, messages: Sequence[Message]) -> None:
        changed: list[Activity] = []
        for message in messages:
            kind, _, key = message.subject.removeprefix(f"{self._streams.subject(self._streams.records)}.").partition(
                "."
            )
            if kind == "record":
                changed += self._record(message)
            elif kind == "meta":
                self._heed(message)
            elif kind == "floor" and key.isdigit() and message.data.isdigit():
                self._floors[int(key)] = max(self._floors.get(int(key), 0), int(message.data))
        if changed:
            self._publish(changed)
        self._position.advance(messages[-1].sequence)

    def _heed(self, message: Message) -> None:
        """Whoever has raised the version says that all nodes know it."""
        with suppress(msgspec.MsgspecError):
            if msgspec.json.decode(message.data, type=Begun).version > VERSION:
                self._commits.outgrown = True
                _log.error("nothing can be changed by this node any more: the namespace takes a newer release")

    def _record(self, message: Message) -> list[Activity]:
        self._commits.heard(message.id, message.sequence)
        activity = read(message.data, message.sequence)
        if activity is None or self._streams.record(activity.uuid) != message.subject:
            if not self.dropped:
                _log.warning("something that is not a record is dropped; who else writes to this namespace?")
            self.dropped += 1
            return []
        if activity.ended:
            known = self._archive.recent.get(activity.uuid)
            self._live.pop(activity.uuid, None)
            self._archive.add(activity)
            if is_same_end(known, activity):
                return []
        else:
            self._live[activity.uuid] = activity
        return [activity]

    async def _cut_off(self) -> None:
        self._when_cut()

    def _begin_again(self) -> None:
        self._commits.waiting = True
        self._feed.cut()

    async def _hang_up(self) -> None:
        await self._streams.client.close()

    async def _look_what_is_left(self) -> None:
        """The servers have been away: put back what they have lost meanwhile, as another that took over may have."""
        if not self._streams.client.is_connected:
            await self._hang_up()
            self._streams.client = await self.address.connect(self._cut_off)
        told_of = max(self._feed.read, *self._commits.unheard, 0)
        await self._streams.prepare(told_of + SKIPPED)
        begun, sequence = await self._streams.begin(self._begun)
        if begun.epoch != self._begun.epoch:
            raise ConnectionError("the server holds another history now; start this node anew")
        last, _ = await self._streams.state(self._streams.records)
        if last < told_of or begun is self._begun:
            begun = await self._streams.found_loss(begun, sequence, self._begun.losses)
            await self._streams.skip(told_of - last + SKIPPED)
        self._commits.waiting = False
        if begun.losses == self._begun.losses:
            return
        _log.error("the store has lost changes that it had acknowledged; putting back what is known here")
        unheard = self._commits.unheard.values()
        for record in (*self._archive.recent.values(), *self._live.values(), *unheard):
            await self._put_back(record)
        self._begun = begun

    async def _put_back(self, record: Activity) -> None:
        """It becomes what it was, under a new revision, unless it is newer: what another node has put back, too."""
        found = await self._streams.get(record.uuid)
        if found is not None:
            was = _PUT_BACK.match(found[1])
            if (int(was[1]) if was else found[0].revision) >= record.revision:
                return
        with suppress(Overtaken):
            subject, expected = self._streams.record(record.uuid), 0 if found is None else found[0].revision
            id = f"was-{record.revision}-{secrets.token_hex(8)}"
            await self._streams.put(self._streams.records, subject, write(record), expected, id)

    # Asking

    async def _on_its_own(self, work: Coroutine[Any, Any, _T]) -> _T:
        try:
            self._refuse_when_closed()
        except Unavailable:
            work.close()
            raise
        return await asyncio.shield(self._task(work))

    def _task(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.get_running_loop().create_task(work)
        self._working.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._working.discard(task)
        if not task.cancelled():
            task.exception()  # which may interest nobody any more

    async def _asked(self, question: Coroutine[Any, Any, _T]) -> _T:
        try:
            self._refuse_when_closed()
            return await question
        except (*TROUBLE, Refused) as error:
            raise translated(error) from error
        finally:
            question.close()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise Unavailable("the store is closed")


def _nothing() -> None:
    """While there is no feed yet: whoever asks next notices."""


def _nobody(records: Sequence[Activity]) -> None:
    """While it is opened: all of it will be in the snapshot."""


async def _ended(task: asyncio.Task[Any]) -> None:
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=RETRY)
