"""What stores keep of what activities have printed: so much in all, and what that costs on disk."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headway.stores.memory import MemoryStore
from headway.stores.sqlite import SqliteStore
from headway.stores.sqlite_outputs import CHUNK, chunks
from headway.testing.opened import Opened
from tests.stores.databases import left_by_a_crash, opened
from tests.stores.disks import Disk

ROOM = 16_000


@pytest.fixture(params=["memory", "sqlite"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], MemoryStore | SqliteStore]:
    """A store with little room."""
    if request.param == "memory":
        return lambda: MemoryStore(output_room=ROOM)
    return lambda: SqliteStore(tmp_path / "data", output_room=ROOM)


@asynccontextmanager
async def opening(store: MemoryStore | SqliteStore) -> AsyncIterator[Opened]:
    """An open store inside the block."""
    opened = await Opened(store).open()
    try:
        yield opened
    finally:
        await store.close()


async def kept(store: Opened, *uuids: str) -> str:
    """Of which of them there is output."""
    return " ".join([uuid for uuid in uuids if await store.store.output(uuid)])


async def test_the_oldest_of_what_has_ended_makes_room(new_store: Callable[[], MemoryStore | SqliteStore]) -> None:
    async with opening(new_store()) as store:
        await store.start("live")
        for uuid in ("a", "b", "c"):
            await store.run(uuid)
        for uuid in ("live", "b", "a"):
            await store.store.save_outputs({uuid: "é" * 2_500})
            await asyncio.sleep(0.002)  # saved at another moment
        assert await kept(store, "live", "a", "b", "c") == "live a b"
        await store.store.save_outputs({"c": "é" * 2_500})
        assert await kept(store, "live", "a", "b", "c") == "live a c"


async def test_what_is_saved_again_takes_no_more_room(new_store: Callable[[], MemoryStore | SqliteStore]) -> None:
    async with opening(new_store()) as store:
        await store.run("a")
        await store.run("b")
        for _ in range(10):
            await store.store.save_outputs({"a": "x" * 7_000, "b": "y" * 7_000})
        assert await kept(store, "a", "b") == "a b"


async def test_live_ones_are_bounded_likewise(new_store: Callable[[], MemoryStore | SqliteStore]) -> None:
    async with opening(new_store()) as store:
        for uuid in ("a", "b", "c"):
            await store.start(uuid)
            await store.store.save_outputs({uuid: "x" * 7_000})
            await asyncio.sleep(0.002)  # saved at another moment
        assert await kept(store, "a", "b", "c") == "b c"


async def test_output_outlives_a_crash(tmp_path: Path) -> None:
    store = await opened(tmp_path / "data")
    await store.start("a")
    await store.store.save_outputs({"a": "text"})
    assert isinstance(store.store, SqliteStore)
    async with opening(SqliteStore(left_by_a_crash(store.store))) as left:
        assert await left.store.output("a") == "text"
    await store.store.close()


def test_much_output_is_written_in_pieces() -> None:
    many = {str(n): "x" * 65_536 for n in range(40)}
    pieces = list(chunks(many))
    assert {uuid: text for piece in pieces for uuid, text in piece.items()} == many
    assert max(sum(map(len, piece.values())) for piece in pieces) == CHUNK
    assert list(chunks({})) == []


async def test_on_a_full_disk_output_is_dropped_and_the_reserve_left_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "data")
    async with opening(store) as held:
        await held.start("a")
        await store.save_outputs({"a": "before"})
        store._reserve = disk = Disk(store)
        await disk.fill()
        await store.save_outputs({"a": "x" * 60_000})
        assert (await store.output("a"), disk.given_up, store._full) == ("before", False, False)
        disk.has_room = True
        await store._call(disk.take)
        await store.save_outputs({"a": "after"})
        assert await store.output("a") == "after"


async def test_while_starts_are_refused_output_is_dropped(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "data")
    async with opening(store) as held:
        await held.start("a")
        store._reserve = disk = Disk(store)
        disk.has_room, disk.given_up = False, True  # whenever it is asked
        store._full = True
        before = store.transactions
        await store.save_outputs({"a": "text"})
        assert store.transactions == before
