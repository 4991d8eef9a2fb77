"""Changes on their way to NATS: each names the message that it replaces, and is tried again for a while."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from headway.core.activity import Activity
from headway.core.errors import StorageFull, Unavailable
from headway.core.lifecycle import stamped
from headway.ports import Write
from headway.stores.fullness import Fullness
from headway.stores.nats_address import TROUBLE
from headway.stores.nats_room import Room
from headway.stores.nats_streams import AT_ONCE, Overtaken, Refused, Streams, write
from headway.stores.position import Position

PATIENCE = 2.0
"""Seconds for which a commit is tried again while the server cannot be reached."""

RETRY = 0.05
"""Seconds between these tries."""

ANSWER = 0.75
"""Seconds in which a try is answered, or it went to a server that has gone. Sent anew, it is known again."""

_log = logging.getLogger("headway")


class Commits:
    """Of one node. Those of different activities do not wait for each other."""

    def __init__(
        self,
        streams: Streams,
        position: Position,
        live: Mapping[str, Activity],
        make_room: Callable[[], Awaitable[bool]],
    ) -> None:
        """``live``: the live activities, as far as has been told. ``make_room``: for an end; whether it did."""
        self.outgrown: bool = False
        """The namespace takes a newer release: nothing is changed any more."""
        self._streams = streams
        self._position = position
        self._live = live
        self._make_room = make_room
        self._room = Room(streams, live)
        self._fullness = Fullness(streams.name)
        self.waiting: bool = False
        """What a server that was away has left is being looked at: until then it could give a revision out again."""
        self.unheard: dict[int, Activity] = {}
        """What stands by the server's word, and has not come back yet, by revision."""
        self._asked: dict[str, int] = {}
        """The revision of each write that is asked for just now, by its id; 0 where it has not been heard of."""

    def heard(self, id: str, revision: int) -> None:
        """The write of that id stands, whether or not its answer has come."""
        if id in self._asked:
            self._asked[id] = revision

    async def make(self, writes: Sequence[Write]) -> list[int | None]:
        """See ``Store.commit``."""
        by_uuid: dict[str, list[int]] = {}
        for number, each in enumerate(writes):
            by_uuid.setdefault(each.activity.uuid, []).append(number)
        revisions: list[int | None] = [None] * len(writes)

        async def in_turn(numbers: Sequence[int]) -> None:
            for number in numbers:
                revision = revisions[number] = await self._written(writes[number])
                if revision is not None:
                    self.unheard[revision] = stamped(writes[number].activity, revision)

        chains = list(by_uuid.values())
        try:
            for at in range(0, len(chains), AT_ONCE):
                answers = await asyncio.gather(*map(in_turn, chains[at : at + AT_ONCE]), return_exceptions=True)
                for answer in answers:
                    if answer is not None:
                        raise answer
            await self._position.reach(max((revision for revision in revisions if revision), default=0))
        finally:
            for revision in filter(None, revisions):
                self.unheard.pop(revision, None)
        return revisions

    async def _written(self, each: Write) -> int | None:
        """Tried again for a while, under the same id: where the answer is lost, the change may stand."""
        if self.outgrown:
            raise Unavailable("this server is older than the others; use another one")
        id = secrets.token_hex(8)
        self._asked[id] = 0
        try:
            with self._fullness.told(starts=each.expected is None):
                return await self._insisted(each, id)
        finally:
            del self._asked[id]

    async def _insisted(self, each: Write, id: str) -> int | None:
        deadline, current = time.monotonic() + PATIENCE, self._live.get(each.activity.uuid)
        while True:
            try:
                try:
                    return await self._tried(each, current, id)
                except StorageFull:
                    if each.expected is None or not await self._make_room():
                        raise
                    continue
            except (*TROUBLE, Refused) as error:
                if isinstance(error, Refused) or time.monotonic() > deadline:
                    raise translated(error) from error
            await asyncio.sleep(RETRY)

    async def _tried(self, each: Write, current: Activity | None, id: str) -> int | None:
        """``current``: what is known of the record, which may be old."""
        uuid = each.activity.uuid
        if self.waiting:
            raise ConnectionError("what is left there is not known yet")
        if each.expected is None:
            current = None
            await self._room.take(len(write(each.activity)))
        elif current is None or not each.holds(current):
            current, written = await self._newest(uuid)
            if current is not None and written == id:  # by a try whose answer was lost
                return current.revision
        while each.holds(current):
            try:
                expected, subject = 0 if current is None else current.revision, self._streams.record(uuid)
                return await self._streams.put(
                    self._streams.records, subject, write(each.activity), expected, id, timeout=ANSWER
                )
            except Overtaken:
                current, written = await self._newest(uuid)
                if current is not None and written == id:
                    return current.revision
        if current is not None:
            await self._position.reach(current.revision)
        return self._asked[id] or None  # it may have stood, and been changed since

    async def _newest(self, uuid: str) -> tuple[Activity | None, str]:
        return await self._streams.get(uuid) or (None, "")


def translated(error: Exception) -> Unavailable | StorageFull:
    """What a caller is told."""
    if isinstance(error, StorageFull):
        return error
    # Not where it is and what it says: users read this. The log has it.
    _log.debug("the store failed", exc_info=error)
    return Unavailable("the store cannot be reached, or cannot take this now; try again in a moment")
