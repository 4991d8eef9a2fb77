"""Each store keeps the contract of the port."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from headway.ports import Store
from headway.stores.memory import MemoryStore
from headway.stores.nats import NatsStore
from headway.stores.redis import RedisStore
from headway.stores.sqlite import SqliteStore
from headway.testing.durable_stores import DurableStoreContract
from headway.testing.stores import StoreContract
from tests.stores.nats_servers import NatsServer, nats_server
from tests.stores.redis_servers import RedisServer, binaries, redis_server


class TestMemoryStore(StoreContract):
    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.same = MemoryStore()

    def store(self) -> Store:
        return self.same


class TestSqliteStore(DurableStoreContract):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "data"

    def store(self) -> Store:
        return SqliteStore(self.folder)

    async def crashed(self, store: Store) -> Store:
        # A kill leaves what is in the files, also what only the kernel holds so far; a copy sees just that.
        assert isinstance(store, SqliteStore)
        left = store.folder.with_name(f"{store.folder.name}-left")
        shutil.copytree(store.folder, left)
        return SqliteStore(left)

    def transactions(self, store: Store) -> int:
        assert isinstance(store, SqliteStore)
        return store.transactions


@pytest.fixture(scope="module", params=list(binaries()))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp(request.param), binary=binaries()[request.param]) as running:
        yield running


class TestRedisStore(DurableStoreContract):
    @pytest.fixture(autouse=True)
    def place(self, server: RedisServer) -> None:
        self.url = f"{server.url}?namespace={uuid4()}"

    def store(self) -> Store:
        return RedisStore(self.url)

    async def crashed(self, store: Store) -> Store:
        return RedisStore(self.url)  # what is left is on the server

    def transactions(self, store: Store) -> int:
        assert isinstance(store, RedisStore)
        return store.transactions


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


class TestNatsStore(DurableStoreContract):
    @pytest.fixture(autouse=True)
    def place(self, nats: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("headway.stores.nats_commits.PATIENCE", 60.0)  # a busy machine is not an outage
        self.url = f"{nats.url}?namespace={uuid4()}"

    def store(self) -> Store:
        return NatsStore(self.url)

    async def crashed(self, store: Store) -> Store:
        return NatsStore(self.url)  # what is left is on the server

    async def test_many_commits_share_few_transactions(self) -> None:
        """A server takes each message by itself; but they do not wait for each other."""
        async with self.opened() as store:
            await asyncio.gather(*(store.start(f"a{n}") for n in range(1000)))
            assert len(store.published) == 1000
