"""What is read from NATS is told so that no start hides behind what came later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from headway.core.activity import Activity
from headway.stores.nats import NatsStore
from headway.stores.nats_feed import Batch, Message
from headway.testing.opened import Opened, reporting
from tests.stores.nats_servers import NatsServer, nats_server

DEADLINE = 60.0
"""Seconds after which a test does not wait any longer."""


def begun(after: int, last: int) -> Batch:
    """One whose stream ended there when it was asked."""
    batch = Batch(after)
    batch.gap = False
    batch.whole_at(last)
    return batch


def added(batch: Batch, *sequences: int) -> list[int]:
    """What can be told when these have come."""
    for sequence in sequences:
        batch.add(Message(sequence, "", b"", ""))
    return [message.sequence for message in batch.told()]


def test_what_follows_on_is_told_as_it_comes() -> None:
    batch = begun(7, 7)
    assert added(batch, 8) == [8]
    assert added(batch, 9, 10) == [9, 10]
    assert added(batch) == []


def test_what_was_there_in_the_beginning_is_told_at_once() -> None:
    batch = begun(0, 5)
    assert added(batch, 1, 2) == []
    assert added(batch, 3, 4) == []
    assert added(batch, 5) == [1, 2, 3, 4, 5]


def test_before_it_is_known_what_was_there_nothing_is_told() -> None:
    assert added(Batch(0), 1) == []


def test_behind_a_gap_nothing_is_told_before_all_has_come_that_was_there_then() -> None:
    batch = begun(0, 0)
    assert added(batch, 1) == [1]
    assert added(batch, 3) == []
    assert batch.gap
    batch.gap = False
    batch.whole_at(6)
    assert added(batch, 4, 5) == []
    assert added(batch, 6) == [3, 4, 5, 6]
    assert added(batch, 7) == [7]


def test_a_gap_in_what_is_kept_back_is_one_more() -> None:
    batch = begun(0, 0)
    assert added(batch, 2) == []
    batch.gap = False
    batch.whole_at(3)
    assert added(batch, 4) == []
    batch.gap = False
    batch.whole_at(5)
    assert added(batch, 5) == [2, 4, 5]


def test_what_was_deleted_is_not_waited_for_when_nothing_more_comes() -> None:
    batch = begun(0, 9)
    assert added(batch, 1, 2) == []
    batch.all_came()
    assert added(batch) == [1, 2, 9]
    assert added(batch, 10) == [10]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


class Reader:
    """What a node publishes; and what began behind its back."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.revision = 0
        self.hidden: list[Activity] = []

    def __call__(self, records: Sequence[Activity]) -> None:
        new = [record for record in records if record.uuid not in self.seen]
        self.hidden += [record for record in new if record.started_revision <= self.revision]
        self.seen |= {record.uuid for record in new}
        self.revision = records[-1].revision


async def test_no_start_is_hidden_from_a_node_that_is_behind(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headway.stores.nats_commits.PATIENCE", DEADLINE)  # a busy machine is not an outage
    url = f"{server.url}?namespace={uuid4()}"
    here, there, reader = Opened(NatsStore(url)), NatsStore(url), Reader()
    async with asyncio.timeout(DEADLINE):
        await here.open()
        await there.open(reader)

        async def work(name: int) -> None:
            for number in range(20):
                activity = await here.start(f"{name}-{number}")
                await here.commit(reporting(activity, 10))
                await here.end(activity)

        working = [asyncio.create_task(work(name)) for name in range(100)]
        while not all(task.done() for task in working):
            await asyncio.sleep(0.05)
            there._feed.cut()  # it is behind again
        await asyncio.gather(*working)
        await there.sync()
        assert len(reader.seen) == 2_000
        assert reader.hidden == []
        await there.close()
        await here.store.close()


async def test_what_somebody_deletes_last_holds_up_nobody(server: NatsServer, tmp_path: Path) -> None:
    url = f"{server.url}?namespace={uuid4()}"
    here, there = Opened(NatsStore(url)), Opened(NatsStore(url))
    async with asyncio.timeout(DEADLINE):
        await here.open()
        kept = await here.run("kept")
        gone = await here.run("gone")
        assert isinstance(here.store, NatsStore)
        assert await here.store._streams.forget([gone.uuid]) == 1
        await there.open()
        assert list(there.snapshot.activities) == [kept]
        await there.store.close()
        await here.store.close()
