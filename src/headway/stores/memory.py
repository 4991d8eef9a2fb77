"""A store in this process: for tests, and for hosts whose activities need not survive them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence

from headway.core.activity import Activity
from headway.core.errors import Unavailable
from headway.core.lifecycle import stamped
from headway.ports import OUTPUT_ROOM, HistoryQuery, Publish, Snapshot, Write
from headway.stores.alone import Alone

TURN = 1_000
"""Ended records that are looked through at once: everything else on the event loop waits that long."""


class MemoryStore(Alone):
    """Records in a dict. Survives closing and opening again, not the process."""

    def __init__(self, *, output_room: int = OUTPUT_ROOM) -> None:
        """``output_room``: bytes that are kept of what activities have printed, all together."""
        self._epoch = secrets.token_hex(8)
        self._secret = secrets.token_bytes(32)
        self._revision = 0
        self._records: dict[str, Activity] = {}
        self._ended: dict[str, Activity] = {}
        self._floors: dict[int, int] = {}
        self._outputs: dict[str, str] = {}
        self._output_room = output_room
        self._publish: Publish | None = None

    def __repr__(self) -> str:
        return f"<MemoryStore revision={self._revision} records={len(self._records)} ended={len(self._ended)}>"

    async def open(self, publish: Publish) -> Snapshot:
        """See ``Store.open``."""
        self._publish = publish
        records = sorted(self._records.values(), key=lambda activity: activity.revision)
        return Snapshot(self._epoch, self._secret, dict(self._floors), records)

    async def commit(self, writes: Sequence[Write]) -> list[int | None]:
        """See ``Store.commit``."""
        if self._publish is None:
            raise Unavailable("the store is closed")
        revisions: list[int | None] = []
        changed: list[Activity] = []
        for write in writes:
            current = self._records.get(write.activity.uuid)
            if not write.holds(current):
                revisions.append(None)
                continue
            self._revision += 1
            record = stamped(write.activity, self._revision)
            self._records[record.uuid] = record
            if record.ended:
                self._ended[record.uuid] = record
            revisions.append(self._revision)
            changed.append(record)
        if changed:
            self._publish(changed)
        return revisions

    async def get(self, uuid: str) -> Activity | None:
        """See ``Store.get``."""
        return self._records.get(uuid)

    async def history(self, query: HistoryQuery) -> list[Activity]:
        """See ``Store.history``."""
        found: list[Activity] = []
        for place, activity in enumerate(reversed(list(self._ended.values()))):
            if place % TURN == TURN - 1:
                await asyncio.sleep(0)
            if query.admits(activity):
                found.append(activity)
            if len(found) == query.limit:
                break
        return found

    async def save_outputs(self, outputs: Mapping[str, str]) -> None:
        """See ``Store.save_outputs``."""
        if self._publish is None:
            raise Unavailable("the store is closed")
        for uuid, text in outputs.items():
            self._outputs.pop(uuid, None)
            if uuid in self._records:
                self._outputs[uuid] = text  # behind all that was saved before
        excess = sum(map(_size, self._outputs.values())) - self._output_room
        for uuid in sorted(self._outputs, key=lambda uuid: uuid not in self._ended):
            if excess <= 0:
                break
            excess -= _size(self._outputs.pop(uuid))

    async def output(self, uuid: str) -> str:
        """See ``Store.output``."""
        return self._outputs.get(uuid, "")

    async def prune(self, before: float, keep: int) -> int:
        """See ``Store.prune``."""
        excess = len(self._ended) - keep
        doomed = [
            activity
            for place, activity in enumerate(self._ended.values())
            if place < excess or (activity.ended_at or 0.0) < before
        ]
        for activity in doomed:
            del self._ended[activity.uuid], self._records[activity.uuid]
            self._outputs.pop(activity.uuid, None)
            self._floors[activity.owner] = max(self._floors.get(activity.owner, 0), activity.revision)
        return len(doomed)

    async def close(self) -> None:
        """See ``Store.close``."""
        self._publish = None


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
