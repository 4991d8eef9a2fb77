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
            revisions = [_revision(id) for id, _ in entries]
            if revisions == list(range(position + 1, position + 1 + len(revisions))):
                self._tell((self._records.read(fields.get(b"record")) for _, fields in entries), revisions[-1])
            else:
                await self._catch_up()

    async def _catch_up(self) -> None:
        """Tell of everything that has changed since, by looking at the records."""
        before, newest = self._position.revision, await self._records.revision()
        records = [*await self._records.live(), *await self._records.ended_after(before)]
        # What has changed again since then is in the journal.
        missed = {record.uuid: record for record in records if before < record.revision <= newest}
        in_order: list[Activity] = sorted(missed.values(), key=lambda record: record.revision)
        self._tell(in_order, newest)

    def _tell(self, records: Iterable[Activity | None], revision: int) -> None:
        told: Sequence[Activity] = [record for record in records if record is not None]
        if told:
            self._publish(told)
        self._position.advance(revision)

    def _back(self) -> None:
        self.lost = False
        _log.warning("the store can be reached again")


def _revision(id: bytes) -> int:
    """Of an entry; -1 for what is none of ours."""
    revision, _, rest = id.partition(b"-")
    return int(revision) if rest == b"0" and revision.isdigit() else -1
