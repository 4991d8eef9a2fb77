"""A store of many nodes, in memory: what each node is told, and when, is the test's to say."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Mapping, Sequence

from headway.core.activity import Activity
from headway.core.errors import Unavailable
from headway.ports import Clock, HistoryQuery, Publish, Snapshot, Write
from headway.stores.memory import MemoryStore


class SharedServer:
    """What the nodes share: the records, the journal, the signs of life and their clock."""

    def __init__(self, clock: Clock) -> None:
        self.records = MemoryStore()
        self.journal: list[Activity] = []
        self.beats: dict[str, float] = {}
        self.clock = clock

    async def snapshot(self) -> Snapshot:
        return await self.records.open(self.journal.extend)


class SharedStore:
    """One node's way to it."""

    pace = 0.2

    def __init__(self, server: SharedServer) -> None:
        self.server = server
        self.away = False
        """It cannot be reached."""
        self.hangs = False
        """It takes questions, and does not answer them."""
        self.behind = False
        """What others commit is not heard of, until somebody waits for it."""
        self._read = 0
        self._publish: Publish | None = None
        self._nodes: list[SharedStore] = []

    def beside(self, *others: SharedStore) -> None:
        """These are nodes, too: they hear of what is committed here."""
        self._nodes = [self, *others]

    async def open(self, publish: Publish) -> Snapshot:
        snapshot = await self.server.snapshot()
        self._publish, self._read = publish, len(self.server.journal)
        return snapshot

    async def commit(self, writes: Sequence[Write]) -> list[int | None]:
        await self._hang()
        self._refuse()
        revisions = await self.server.records.commit(writes)
        for node in self._nodes or [self]:
            if node is self or not (node.behind or node.away):
                node.read()
        return revisions

    def read(self) -> None:
        """Publish what has been committed since the last time."""
        news, self._read = self.server.journal[self._read :], len(self.server.journal)
        if news and self._publish is not None:
            self._publish(news)

    async def sync(self) -> None:
        await self._hang()
        self._refuse()
        self.read()

    async def beat(self, names: Collection[str]) -> None:
        self._refuse()
        self.server.beats.update(dict.fromkeys(names, self.server.clock.monotonic()))

    async def silences(self, names: Collection[str]) -> Mapping[str, float]:
        self._refuse()
        now = self.server.clock.monotonic()
        return {name: now - self.server.beats.get(name, -math.inf) for name in names}

    async def get(self, uuid: str) -> Activity | None:
        self._refuse()
        return await self.server.records.get(uuid)

    async def history(self, query: HistoryQuery) -> list[Activity]:
        return await self.server.records.history(query)

    async def save_outputs(self, outputs: Mapping[str, str]) -> None:
        await self.server.records.save_outputs(outputs)

    async def output(self, uuid: str) -> str:
        return await self.server.records.output(uuid)

    async def prune(self, before: float, keep: int) -> int:
        return await self.server.records.prune(before, keep)

    async def close(self) -> None:
        self._publish = None

    async def _hang(self) -> None:
        while self.hangs:
            await asyncio.sleep(0.01)

    def _refuse(self) -> None:
        if self.away or self._publish is None:
            raise Unavailable("the store cannot be reached")
