"""What tests of the hub share: a store that can be made to fail, and waiting for a condition."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from headway.admission import Limits
from headway.core.activity import Activity
from headway.core.policy import EVERYTHING, Scope
from headway.core.view import Event, Resync
from headway.hub import Activities
from headway.ports import HistoryQuery, Publish, Snapshot, Store, Write
from headway.stores.alone import Alone
from headway.stores.memory import MemoryStore
from headway.testing import FakeClock

DEADLINE = 60.0
"""Seconds after which a test stops waiting."""


class FaultyStore(Alone):
    """A store that fails and hangs when told to, and remembers what it was asked to commit."""

    def __init__(self, inner: Store | None = None) -> None:
        self.inner = inner or MemoryStore()
        self.commits: list[list[Write]] = []
        self.saves = 0
        self.failure: Exception | None = None
        self.failing: Callable[[Write], bool] = lambda write: True
        self.holding: Callable[[Write], bool] = lambda write: True
        self._gate = asyncio.Event()
        self._gate.set()

    def hold(self) -> None:
        """Let commits hang from now on, those of ``holding``."""
        self._gate.clear()

    def release(self) -> None:
        """Let them go on."""
        self._gate.set()

    async def open(self, publish: Publish) -> Snapshot:
        return await self.inner.open(publish)

    async def commit(self, writes: Sequence[Write]) -> list[int | None]:
        self.commits.append(list(writes))
        if any(map(self.holding, writes)):
            await self._gate.wait()
        if self.failure is not None and any(map(self.failing, writes)):
            raise self.failure
        return await self.inner.commit(writes)

    async def get(self, uuid: str) -> Activity | None:
        return await self.inner.get(uuid)

    async def history(self, query: HistoryQuery) -> list[Activity]:
        return await self.inner.history(query)

    async def save_outputs(self, outputs: Mapping[str, str]) -> None:
        self.saves += 1
        if self.failure is not None:
            raise self.failure
        await self.inner.save_outputs(outputs)

    async def output(self, uuid: str) -> str:
        return await self.inner.output(uuid)

    async def prune(self, before: float, keep: int) -> int:
        return await self.inner.prune(before, keep)

    async def close(self) -> None:
        await self.inner.close()


class Hub(Activities):
    """A hub with a clock that obeys."""

    def __init__(self, store: Store | str = "memory:", *, limits: Limits | None = None) -> None:
        self.time = FakeClock()
        super().__init__(store, clock=self.time, limits=limits)

    async def run(self, owner: int = 1, **attributes: Any) -> Activity:
        """A new activity of a remote worker."""
        attributes = {"cancellable": True, "lease": 30.0, **attributes}
        activity, _ = await self.create("t", owner, **attributes)
        return activity

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, with a round each second; the rounds of the real clock are over from then on."""
        assert self._liveness._rounds is not None
        self._liveness._rounds.cancel()
        while seconds > 0:
            self.time.advance(min(1.0, seconds))
            seconds -= 1.0
            await self._liveness.round()

    async def stand_still(self, seconds: float) -> None:
        """Let time pass while nothing of this process runs."""
        await self.pass_time(0)
        self.time.advance(seconds)
        await self._liveness.round()

    async def die(self) -> None:
        """Stop as if the process had been killed: nothing is written down any more."""
        tasks = (self._liveness._rounds, self._liveness._pruning, self._flusher._task)
        for task in tasks:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def told(self, since: int = 0, scope: Scope = EVERYTHING) -> list[Event | Resync]:
        """Everything there is to tell after a revision."""
        told: list[Event | Resync] = []
        while not told or since != self.feed(scope).view.revision:
            news = self.feed(scope).view.since(since)
            if isinstance(news, Resync):
                return [*told, news]
            if not news:
                break
            told += news
            since = news[-1].revision
        return told

    async def story(self, uuid: str, since: int = 0) -> list[str]:
        """The kinds of event told of one activity."""
        return [e.kind.value for e in await self.told(since) if isinstance(e, Event) and e.activity.uuid == uuid]

    def now_is(self, uuid: str) -> Activity:
        """The newest record."""
        activity = self.registry.known(uuid)
        assert activity is not None
        return activity


@asynccontextmanager
async def hub(store: Store | str = "memory:", *, limits: Limits | None = None) -> AsyncIterator[Hub]:
    """An open hub; nothing inside may take longer than the deadline."""
    async with asyncio.timeout(DEADLINE), Hub(store, limits=limits) as activities:
        yield activities


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.001)
