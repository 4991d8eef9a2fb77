"""How far a journal has been read, and who waits for it."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count


class Position:
    """A revision that grows. Used on one event loop."""

    def __init__(self, revision: int = 0) -> None:
        self.revision: int = revision
        """Everything up to here has been published."""
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()

    def __repr__(self) -> str:
        return f"<Position {self.revision} waiting={len(self._waiting)}>"

    def advance(self, revision: int) -> None:
        """Everything up to there has been published."""
        self.revision = max(self.revision, revision)
        while self._waiting and self._waiting[0][0] <= self.revision:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    def fail(self, error: Exception) -> None:
        """Nothing more will be published: so everyone who waits is told."""
        for _, _, future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    async def reach(self, revision: int) -> None:
        """Wait until everything up to there has been published. Raises what ``fail`` was told."""
        if revision <= self.revision:
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (revision, next(self._order), future))
        await future
