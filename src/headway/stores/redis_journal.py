"""The journal of a namespace, read by one connection of a process: whoever has committed, all changes come from here.

An entry is a change, its id the revision. Where entries are missing (they were trimmed while this node was cut off, or
somebody has deleted them) the records themselves tell what has changed: each as it stands now.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from headway.core.activity import Activity
from headway.ports import Publish
from headway.stores.position import Position
from headway.stores.redis_address import TROUBLE
from headway.stores.redis_records import Records

BLOCK = 2_000
"""Milliseconds that a read may wait for an entry."""

ENTRIES = 1_000
"""That are read at once."""

RETRY = 0.25
"""Seconds between two tries to reach the server."""

_log = logging.getLogger("headway")


class Journal:
    """Publishes what is committed, in order."""

    def __init__(
        self, records: Records, position: Position, publish: Publish, reconnected: Callable[[], Awaitable[None]]
    ) -> None:
        """``records``: over a connection that may be kept waiting. ``reconnected``: called after each failure, before
        it goes on; it may raise what a connection raises.
        """
        self.lost: bool = False
        """The server cannot be reached."""
        self._records = records
        self._position = position
        self._publish = publish
        self._reconnected = reconnected

    async def follow(self) -> None:
        """Read on until cancelled."""
        while True:
            try:
                if self.lost:
                    await self._reconnected()
                    await self._catch_up()
                    self._back()
                await self._read()
            except TROUBLE as error:
                if not self.lost:
                    _log.warning("the store cannot be reached: %s", error)
            except Exception:  # a fault of ours, or of whoever was told: nothing would ever be heard again
                _log.exception("the journal cannot be read")
            else:
                continue
            self.lost = True
            await asyncio.sleep(RETRY)

    async def _read(self) -> None:
        position, key = self._position.revision, self._records.journal
        for _, entries in await self._records.client.xread({key: f"{position}-0"}, count=ENTRIES, block=BLOCK) or ():
            if _follow_on(position, [id for id, _ in entries]):
                found = (self._records.read(fields.get(b"record")) for _, fields in entries)
                self._tell(found, position + len(entries))
            else:
                await self._records.weed(id for id, _ in entries)  # or it would come again at once
                await self._catch_up()

    async def _catch_up(self) -> None:
        """Tell of everything that has changed since, by looking at the records."""
        before = self._position.revision

        async def look() -> list[Activity]:
            return [*await self._records.live(), *await self._records.ended_after(before)]

        found, newest = await as_of_one_moment(self._records, look)
        self._tell((record for record in found if record.revision > before), newest)

    def _tell(self, records: Iterable[Activity | None], revision: int) -> None:
        told: Sequence[Activity] = [record for record in records if record is not None]
        if told:
            self._publish(told)
        self._position.advance(revision)

    def _back(self) -> None:
        self.lost = False
        _log.warning("the store can be reached again")


async def as_of_one_moment(
    records: Records, look: Callable[[], Awaitable[Iterable[Activity]]]
) -> tuple[list[Activity], int]:
    """What a look at many records finds, as it all stood at one revision, by ascending revision; and which that is.

    They change while they are looked at, and a record that is newer than the rest must not hide when it began. What the
    journal tells of that time brings all to the same moment.
    """
    while True:
        began = await records.revision()
        found = {record.uuid: record for record in await look()}
        wanted = max((record.revision for record in found.values()), default=0)
        ids, changed = await records.entries(began, ENTRIES)
        if began + len(ids) >= wanted and _follow_on(began, ids):
            found.update((record.uuid, record) for record in changed)
            return sorted(found.values(), key=_place), began + len(ids)
        await records.weed(ids)


def _place(record: Activity) -> int:
    return record.revision


def _follow_on(revision: int, ids: Sequence[bytes]) -> bool:
    """Whether these entries are all that follow on a revision: nothing between has been trimmed, or is not ours."""
    return list(ids) == [b"%d-0" % number for number in range(revision + 1, revision + 1 + len(ids))]
