"""The probe behind ``GET /ready``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from headway.core.errors import StorageFull, Unavailable
from headway.core.policy import EVERYTHING
from headway.hub import Activities
from headway.ports import HistoryQuery, Write
from headway.server import probe as probes
from headway.server.probe import INTERVAL, Probe
from headway.stores.memory import MemoryStore
from headway.testing.clock import FakeClock


class Store(MemoryStore):
    """Counts what is committed, and fails or hangs when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0
        self.error: Exception | None = None
        self.hangs = False
        self.goes_on = asyncio.Event()
        self.full = False

    async def commit(self, writes: Sequence[Write]) -> list[int | None]:
        self.commits += 1
        if self.full and any(write.expected is None for write in writes):
            raise StorageFull
        if self.error is not None:
            raise self.error
        if self.hangs:
            await self.goes_on.wait()
        return await super().commit(writes)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def activities(store: Store, clock: FakeClock) -> AsyncIterator[Activities]:
    async with Activities(store, clock=clock) as opened:
        yield opened


async def test_it_is_ready_when_a_start_comes_back(activities: Activities) -> None:
    assert await Probe(activities).ready()


async def test_nobody_sees_what_it_starts(activities: Activities) -> None:
    probe = Probe(activities)
    await probe.ready()
    for scope in (EVERYTHING, 1, 2):
        assert activities.list(scope) == []
        assert activities.feed(scope).view.revision == 0
        assert await activities.history(HistoryQuery(scope)) == []


async def test_it_starts_one_activity_however_often_it_is_asked(activities: Activities, clock: FakeClock) -> None:
    probe = Probe(activities)
    for _ in range(5):
        assert await probe.ready()
        clock.advance(INTERVAL)
    assert len(activities.registry.live) == 1


async def test_rounds_are_shared_and_not_more_than_one_a_second(
    activities: Activities, store: Store, clock: FakeClock
) -> None:
    probe = Probe(activities)
    assert await asyncio.gather(*[probe.ready() for _ in range(100)]) == [True] * 100
    assert store.commits == 1
    clock.advance(INTERVAL / 2)
    await probe.ready()
    assert store.commits == 1
    clock.advance(INTERVAL / 2)
    await probe.ready()
    assert store.commits == 2


@pytest.mark.parametrize("error", [Unavailable("away"), StorageFull()])
async def test_it_is_not_ready_while_the_store_is_away_and_recovers(
    activities: Activities, store: Store, clock: FakeClock, error: Exception
) -> None:
    probe = Probe(activities)
    for trouble in (error, None, error, None):
        store.error = trouble
        assert await probe.ready() is (trouble is None)
        clock.advance(INTERVAL)


async def test_it_is_not_ready_while_the_disk_takes_no_starts_although_it_was_before(
    activities: Activities, store: Store, clock: FakeClock
) -> None:
    probe = Probe(activities)
    for full in (False, True, False):
        store.full = full
        assert await probe.ready() is not full
        clock.advance(INTERVAL)


async def test_it_is_not_ready_when_a_round_takes_too_long(
    activities: Activities, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "PATIENCE", 0.01)
    store.hangs = True
    assert not await Probe(activities).ready()
    store.goes_on.set()


async def test_one_who_leaves_does_not_end_the_round_of_others(activities: Activities, store: Store) -> None:
    probe = Probe(activities)
    leaving, staying = (asyncio.create_task(probe.ready()) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying
    assert store.commits == 1


async def test_it_ends_when_the_hub_closes(store: Store) -> None:
    activities = await Activities(store).open()
    assert await Probe(activities).ready()
    await activities.close()  # else this would wait for its grace to pass
    assert list(activities.registry.live) == []
