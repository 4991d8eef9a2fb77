"""What a NATS server has room for: starts are refused before ends are, and output gives way to records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from headway.core.errors import StorageFull
from headway.stores import nats_archive, nats_room
from headway.stores.nats import NatsStore
from headway.stores.nats_streams import token, untoken
from headway.testing.opened import Opened, ending, starting
from tests.stores.nats_servers import NatsServer, nats_server

DEADLINE = 60.0
"""Seconds after which a test does not wait any longer."""

ROOM = 16_000
"""Bytes for output, where a test says nothing else."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
def url(server: NatsServer) -> str:
    return f"{server.url}?namespace={uuid4()}"


@asynccontextmanager
async def opened(url: str, room: int = ROOM) -> AsyncIterator[tuple[Opened, NatsStore]]:
    store = NatsStore(url, output_room=room)
    async with asyncio.timeout(DEADLINE):
        try:
            yield await Opened(store).open(), store
        finally:
            await store.close()


async def kept(store: Opened, *uuids: str) -> str:
    """Of which of them there is output."""
    return " ".join([uuid for uuid in uuids if await store.store.output(uuid)])


# Output


async def test_the_oldest_of_what_has_ended_makes_room(url: str) -> None:
    async with opened(url) as (store, _):
        await store.start("live")
        for uuid in ("a", "b.*", "c"):
            await store.run(uuid)
        for uuid in ("live", "b.*", "a"):
            await store.store.save_outputs({uuid: "é" * 2_500})
        assert await kept(store, "live", "a", "b.*", "c") == "live a b.*"
        await store.store.save_outputs({"c": "é" * 2_500})
        assert await kept(store, "live", "a", "b.*", "c") == "live b.* c"


async def test_what_is_saved_again_takes_no_more_room(url: str) -> None:
    async with opened(url) as (store, _):
        await store.run("a")
        await store.run("b")
        for _ in range(10):
            await store.store.save_outputs({"a": "x" * 7_000, "b": "y" * 7_000})
        assert await kept(store, "a", "b") == "a b"


async def test_live_ones_are_bounded_likewise(url: str) -> None:
    async with opened(url) as (store, _):
        for uuid in ("a", "b", "c"):
            await store.start(uuid)
            await store.store.save_outputs({uuid: "x" * 7_000})
        assert await kept(store, "a", "b", "c") == "b c"


async def test_much_makes_room_for_much(url: str) -> None:
    async with opened(url, 1_000_000) as (store, _):
        starts = [starting(f"a{n}") for n in range(400)]
        await store.commit(*starts)
        await store.commit(*(ending(start.activity) for start in starts))
        for at in range(0, 400, 100):
            await store.store.save_outputs({f"a{n}": "x" * 5_000 for n in range(at, at + 100)})
        left = (await kept(store, *(f"a{n}" for n in range(400)))).split()
        assert left[-100:] == [f"a{n}" for n in range(300, 400)]
        assert 150 <= len(left) <= 200


@pytest.mark.parametrize("key", ["a", "a-b_C9", "a.b", "*", "", "größer 🎬", "=", "a=b"])
def test_a_key_comes_back_from_its_subject(key: str) -> None:
    assert untoken(token(key)) == key


# Records


async def test_where_the_stream_is_limited_starts_are_refused_and_ends_go_on(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_room, "LOOK", 0.05)
    async with opened(url) as (store, nats):
        streams = nats._streams
        config = (await streams.ask(f"STREAM.INFO.{streams.records}"))["config"]
        await streams.ask(f"STREAM.UPDATE.{streams.records}", {**config, "max_bytes": 200_000})
        running = []
        with pytest.raises(StorageFull):
            for number in range(10_000):
                running.append(await store.start(f"a{number}"))
        assert len(running) > 100
        for activity in running:
            over = await store.end(activity)
            assert await store.store.get(activity.uuid) == over
        await streams.ask(f"STREAM.UPDATE.{streams.records}", {**config, "max_bytes": 1_000_000})
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    await store.start("again")
                    break
                except StorageFull:
                    await asyncio.sleep(0.05)


async def test_where_the_account_is_limited_starts_are_refused_and_ends_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_room, "LOOK", 0.05)
    account = "accounts { A { jetstream { max_file: 300KB }, users: [ { user: u, password: p } ] } }"
    with nats_server(tmp_path / "nats", account) as limited:
        async with opened(limited.url.replace("//", "//u:p@")) as (store, _):
            running = []
            with pytest.raises(StorageFull):
                for number in range(10_000):
                    running.append(await store.start(f"a{number}"))
            for activity in running:
                await store.end(activity)


async def test_output_gives_way_to_an_end_where_a_server_has_no_more_room(tmp_path: Path) -> None:
    with nats_server(tmp_path / "nats", jetstream="max_file_store: 400KB") as limited:
        async with opened(limited.url, 10_000_000) as (store, _):
            running = [await store.start(f"a{n}") for n in range(20)]
            with pytest.raises(StorageFull):
                for number in range(10_000):
                    await store.store.save_outputs({f"a{number % 20}": "x" * 30_000})
                    await store.start(f"b{number}")
            for activity in running:
                await store.end(activity)
            assert await store.store.output("a0") == ""


# Memory


async def test_a_node_begins_with_all_that_has_ended_lately_and_then_holds_the_newest_whole(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_archive, "REMEMBERED", 10)
    async with opened(url) as (store, _):
        await store.run("old", at=1_000.0)
        for number in range(30):
            await store.run(f"a{number}")
        async with opened(url) as (other, nats):
            assert [record.uuid for record in other.snapshot.activities] == [f"a{n}" for n in range(30)]
            assert dict(other.snapshot.floors) == {1: 3}
            assert len(nats._archive.recent) == 10
            assert await other.history(limit=100) == [*(f"a{n}" for n in reversed(range(30))), "old"]
