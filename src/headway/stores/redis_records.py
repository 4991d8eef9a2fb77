"""The keys of a namespace as operations: what is where on a Redis or Valkey server, and how it is written.

All keys have the namespace as their hash tag, so they are in one slot of a cluster, where scripts may join them.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from importlib import resources
from typing import Any, TypeVar

import msgspec
from redis.exceptions import NoScriptError, RedisError, ResponseError

from headway.core.activity import Activity
from headway.core.policy import EVERYTHING, SYSTEM_USER, Scope
from headway.ports import Write
from headway.stores.redis_address import Client

VERSION = 1
JOURNAL = 20_000
"""Entries that the journal keeps, about: a node that is further behind looks at the records instead."""

NEW = -1
"""The newest revision that is known, before there is any history."""

BEATS_AGE = 86_400
"""Seconds for which a sign of life is remembered."""

ALWAYS = "#!lua flags=allow-oom"
"""The first line of a script that may run while there is no memory left."""

CHUNK = 500
"""Records that are asked for at once: others get their turn in between."""

AT_ONCE = 50
"""Questions that are on their way together; each takes a connection, and redis-py refuses to have more than 100."""

_T = TypeVar("_T")
_PUT_BACK = re.compile(rb"\d+ \d+ \d+ [a-z]+ \d+ was=(\d+)\.")
"""A record that was put back, and the revision that it had before."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Activity).decode
_log = logging.getLogger("headway")


class Script:
    """One of ``redis_scripts``: sent by its digest, and in full to a server that does not know it yet."""

    def __init__(self, name: str, shebang: str = "#!lua") -> None:
        body = resources.files("headway.stores").joinpath("redis_scripts", f"{name}.lua").read_text("utf-8")
        self._text = f"{shebang}\n{body}"
        self._digest = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: Any, keys: Sequence[str], args: Iterable[Any] = ()) -> Any:
        """What it answers."""
        said = [*keys, *args]
        try:
            return await client.evalsha(self._digest, len(keys), *said)
        except NoScriptError:
            return await client.eval(self._text, len(keys), *said)


class Forgotten(RedisError):
    """The server has lost what it had acknowledged, or is another one that may have."""


class Outgrown(ResponseError):
    """The namespace takes a newer release by now."""


class Taken(msgspec.Struct, frozen=True):
    """What names the history of a namespace."""

    epoch: str
    secret: bytes
    version: int
    revision: int
    """The newest that was given out."""
    term: int
    """Of the server that there is now."""
    before: int
    """The term before."""
    boundary: int
    """The newest revision of that one that this server has."""


class Records:
    """What is kept in one namespace."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client: Any = client  # whose types leave open whether bytes or text come back
        self.dropped: int = 0
        """Entries that could not be read: none of ours."""
        prefix = f"{{{namespace}}}:"
        self._meta, self._records, self._live, self._ended, self._beats, self._floors = (
            prefix + name for name in ("meta", "records", "live", "ended", "beats", "floors")
        )
        self.journal: str = f"{prefix}journal"
        self._outputs = f"{prefix}outputs"
        self._history = f"{prefix}history:"
        # What makes room, an end and what is forgotten, and what keeps a node going must be possible where there is no
        # room left.
        self._take, self._forget, self._beat, self._quieten = (
            Script(name, ALWAYS) for name in ("take", "forget", "beat", "quieten")
        )
        self._start, self._change = Script("commit"), Script("commit", ALWAYS)
        self._keep = Script("keep")

    async def take(self, epoch: str, secret: bytes, revision: int) -> Taken:
        """What is there; ``epoch`` and ``secret`` become those of a history that begins now. ``revision``: the newest
        that is known already; ``NEW`` of a history that may begin.
        """
        told = await self._take.run(self.client, [self._meta], [epoch, secret, VERSION, revision])
        try:
            return Taken(told[0].decode(), told[1], *(int(number or 0) for number in told[2:]))
        except ValueError:
            raise RedisError(f"somebody else has written to {self._meta}") from None

    async def revision(self) -> int:
        """The newest that was given out."""
        return int(await self.client.hget(self._meta, "revision") or 0)

    async def commit(self, epoch: str, known: int, id: str, writes: Sequence[Write]) -> tuple[list[int | None], int]:
        """Each write's revision, or None where its expectation did not hold; and the newest of all. Sent again with the
        same ``id``, what has been written stays as it is. ``known``: the newest revision of that epoch that this node
        knows of. Raises ``Forgotten`` where the server has less, ``Outgrown`` where all nodes have to be newer.
        """
        keys = [self._meta, self._records, self._live, self._ended]
        keys += [self._beats, self._floors, self.journal, self._history]
        script = self._start if any(write.expected is None for write in writes) else self._change
        args = (part for write in writes for part in _arguments(write))
        try:
            *revisions, newest = await script.run(self.client, keys, [VERSION, epoch, known, id, JOURNAL, *args])
        except ResponseError as error:
            if "FORGOTTEN" in str(error):
                raise Forgotten(str(error)) from error
            if "OUTGROWN" in str(error):
                raise Outgrown(str(error)) from error
            raise
        return [revision or None for revision in revisions], newest

    async def get(self, uuid: str) -> Activity | None:
        """One record."""
        return self.read(await self.client.hget(self._records, uuid))

    async def put_back(self, epoch: str, record: Activity) -> bool:
        """What the server has lost, or has again in an older version, becomes what it was; whether it had to. It keeps
        its start; what else is newer, such as another node's version of it, stays.
        """
        value = await self.client.hget(self._records, record.uuid)
        current = self.read(value)
        if value is not None and current is not None:
            was = _PUT_BACK.match(value)
            same = current.revision == record.revision
            if same or (int(was[1]) if was else current.revision) >= record.revision:
                return False
        write = Write(record, None if current is None else current.fence)
        await self.commit(epoch, 0, f"was={record.revision}", [write])
        return True

    async def many(self, uuids: Sequence[Any]) -> list[Activity]:
        """Those of the records that are there, in that order."""
        found: list[Activity | None] = []
        for at in range(0, len(uuids), CHUNK):
            found += map(self.read, await self.client.hmget(self._records, uuids[at : at + CHUNK]))
        return [record for record in found if record is not None]

    async def live(self) -> list[Activity]:
        """The records that have not ended."""
        return await self.many(sorted(await self.client.smembers(self._live)))

    async def ended(self, since: float, per_owner: int) -> list[Activity]:
        """What ended since then (seconds since the epoch), at most that many an owner."""
        young = await self.client.zrangebyscore(self._ended, since, "+inf")
        if len(young) <= per_owner:
            return await self.many(young)
        some, uuids = set(young), list[Any]()
        for newest in await self._of_each(lambda key: self.client.zrevrange(key, 0, per_owner - 1)):
            uuids += [uuid for uuid in newest if uuid in some]
        return await self.many(uuids)

    async def ended_after(self, revision: int) -> list[Activity]:
        """What ended after a revision."""
        uuids: list[Any] = []
        for key in (self._history, f"{self._history}{SYSTEM_USER}"):
            uuids += await self.client.zrangebyscore(key, f"({revision}", "+inf")
        return await self.many(uuids)

    async def entries(self, after: int, page: int) -> tuple[list[bytes], list[Activity]]:
        """The journal after a revision: the ids of its entries, and the records in them. ``page``: how many at once."""
        ids: list[bytes] = []
        records: list[Activity] = []
        while found := await self.client.xrange(
            self.journal, f"({ids[-1].decode() if ids else f'{after}-0'}", "+", page
        ):
            ids += [id for id, _ in found]
            read = (self.read(fields.get(b"record")) for _, fields in found)
            records += [record for record in read if record is not None]
        return ids, records

    async def weed(self, ids: Iterable[bytes]) -> None:
        """Delete from the journal what cannot be ours: nothing of that revision has been given out."""
        newest = await self.revision()
        foreign = [id for id in ids if (at := id.partition(b"-"))[2] != b"0" or int(at[0]) > newest]
        if foreign:
            await self.client.xdel(self.journal, *foreign)

    async def floors(self, kept: Collection[Activity], revision: int) -> dict[int, int]:
        """Per owner, the newest revision that is gone or not among the ended ones that are kept; of those up to
        ``revision``, for others may have ended while these were read.
        """
        uuids = {activity.uuid.encode() for activity in kept}
        gone = await self.client.hgetall(self._floors)

        async def left_out(key: str) -> int:
            at = 0
            while page := await self.client.zrevrange(key, at, at + CHUNK - 1, withscores=True):
                for uuid, score in page:
                    if score <= revision and uuid not in uuids:
                        return int(score)
                at += CHUNK
            return 0

        found = await self._of_each(left_out, gone)
        floors = {int(owner): max(int(gone[owner]), floor) for owner, floor in zip(gone, found, strict=True)}
        return {owner: floor for owner, floor in floors.items() if floor}

    async def history(self, scope: Scope, before: int | None, limit: int, skip: int) -> tuple[list[Activity], bool]:
        """Some ended records of a scope, newest end first, and whether there may be more behind them."""
        key = self._history if scope is EVERYTHING else f"{self._history}{scope}"
        newest = "+inf" if before is None else f"({before}"
        uuids = await self.client.zrevrangebyscore(key, newest, "-inf", start=skip, num=limit)
        return await self.many(uuids), len(uuids) == limit

    async def doomed(self, before: float, keep: int) -> list[Any]:
        """Up to a chunk of the uuids that ended before a time, or are beyond the newest ``keep``."""
        old = await self.client.zrangebyscore(self._ended, "-inf", f"({before}", start=0, num=CHUNK)
        if old:
            return list(old)
        excess = await self.client.zcard(self._history) - keep
        return list(await self.client.zrange(self._history, 0, min(excess, CHUNK) - 1)) if excess > 0 else []

    async def forget(self, uuids: Sequence[Any]) -> int:
        """Delete ended records; how many were there."""
        keys = [self._meta, self._records, self._ended, self._floors, self._outputs, self._history]
        return int(await self._forget.run(self.client, keys, uuids))

    async def keep(self, outputs: Mapping[str, str], room: int) -> None:
        """Keep what activities have printed; ``room``: bytes for all of it."""
        args = (part for output in outputs.items() for part in output)
        await self._keep.run(self.client, [self._meta, self._records, self._ended, self._outputs], [room, *args])

    async def output(self, uuid: str) -> str:
        """What is kept of what an activity has printed."""
        return (await self.client.hget(self._outputs, uuid) or b"").decode(errors="replace")

    async def beat(self, names: Collection[str]) -> None:
        """These have given a sign of life now."""
        await self._beat.run(self.client, [self._beats], names)

    async def quieten(self) -> None:
        """Forget signs of life that are older than any lease."""
        await self._quieten.run(self.client, [self._beats], [BEATS_AGE])

    async def silences(self, names: Collection[str]) -> dict[str, float]:
        """Seconds since each was heard of, by the server's clock."""
        listed = list(names)
        values = await self.client.hmget(self._beats, listed)
        seconds, micros = await self.client.time()
        now = int(seconds) + int(micros) / 1e6
        return {name: _silence(value, now) for name, value in zip(listed, values, strict=True)}

    def read(self, value: bytes | None) -> Activity | None:
        """A record as it is kept; None for what is none of ours, which is counted."""
        if value is None:
            return None
        try:
            head, _, record = value.partition(b"\n")
            revision, started = head.split(b" ", 2)[:2]
            return msgspec.structs.replace(_decode(record), revision=int(revision), started_revision=int(started))
        except (ValueError, msgspec.MsgspecError):
            if not self.dropped:
                _log.warning("something that is not a record is dropped; who else writes to this namespace?")
            self.dropped += 1
            return None

    async def _of_each(self, ask: Callable[[str], Awaitable[_T]], owners: Iterable[bytes] | None = None) -> list[_T]:
        """What the history of each owner answers; some of them together, for there may be many."""
        listed = list(await self.client.hkeys(self._floors) if owners is None else owners)
        found: list[_T] = []
        for at in range(0, len(listed), AT_ONCE):
            found += await asyncio.gather(*(ask(self._history + owner.decode()) for owner in listed[at : at + AT_ONCE]))
        return found


def _arguments(write: Write) -> tuple[Any, ...]:
    activity = write.activity
    return (
        activity.uuid,
        activity.owner,
        "" if write.expected is None else _fence(*write.expected),
        "" if write.based_on is None else write.based_on,
        _fence(*activity.fence),
        "" if activity.ended_at is None else repr(activity.ended_at),
        activity.started_revision or "",
        _encode(activity),
    )


def _fence(state: str, epoch: int) -> str:
    return f"{state} {epoch}"


def _silence(value: bytes | None, now: float) -> float:
    if value is None:
        return math.inf
    return max(0.0, now - int(value) / 1e3) if value.isdigit() else 0.0
