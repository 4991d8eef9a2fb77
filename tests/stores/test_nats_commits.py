"""Changes whose answers are lost on the way back from NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headway.core.activity import State
from headway.stores.nats import NatsStore
from headway.stores.nats_streams import Streams
from headway.testing.opened import Opened, ending, reporting, starting
from tests.stores.nats_servers import nats_server

DEADLINE = 60.0
"""Seconds after which a test does not wait any longer."""


class Unlucky:
    """The next answers to what is written about activities are lost: it stands all the same."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.losses = 0
        put = Streams.put

        async def putting(streams: Streams, stream: str, subject: str, *args: object, **more: object) -> int:
            sequence = await put(streams, stream, subject, *args, **more)  # type: ignore[arg-type]
            if self.losses and ".record." in subject:
                self.losses -= 1
                raise TimeoutError
            return sequence

        monkeypatch.setattr(Streams, "put", putting)


@asynccontextmanager
async def two(folder: Path) -> AsyncIterator[tuple[Opened, Opened]]:
    """Nodes on one server."""
    with nats_server(folder) as server:
        async with asyncio.timeout(DEADLINE):
            stores = [NatsStore(server.url) for _ in range(2)]
            try:
                first, second = [await Opened(store).open() for store in stores]
                yield first, second
            finally:
                for store in stores:
                    await store.close()


async def test_each_change_counts_once_and_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlucky = Unlucky(monkeypatch)
    async with two(tmp_path / "nats") as (here, there):
        unlucky.losses = 3
        activity = await here.start("a")
        unlucky.losses = 2
        assert await here.commit(reporting(activity, 40)) == [activity.revision + 1]
        unlucky.losses = 1
        over = await here.end(activity, state=State.FAILED)
        await there.store.sync()
        assert [record.uuid for record in there.published] == ["a"] * 3
        assert there.published[-1] == over


async def test_an_end_is_acknowledged_by_a_node_that_had_not_heard_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlucky = Unlucky(monkeypatch)
    async with two(tmp_path / "nats") as (here, there):
        assert isinstance(there.store, NatsStore)
        activity = await here.start("a")
        await there.store.sync()
        there.store._live.clear()  # as if it had not been told yet
        unlucky.losses = 1
        assert await there.commit(ending(activity)) == [activity.revision + 1]
        assert await here.commit(ending(activity, State.LOST)) == [None]


async def test_a_start_is_acknowledged_though_another_node_has_changed_it_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlucky = Unlucky(monkeypatch)
    monkeypatch.setattr("headway.stores.nats_commits.RETRY", 0.5)
    async with two(tmp_path / "nats") as (here, there):
        write = starting("a")
        unlucky.losses = 1
        asking = asyncio.create_task(here.commit(write))
        while not there.published:
            await asyncio.sleep(0.005)
        started = there.published[0]
        await there.end(started)
        assert await asking == [started.revision]
