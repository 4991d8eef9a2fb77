"""Nodes and their store, those who work with them, and those who watch: whatever was acknowledged is told to every
watcher, once, whatever happens meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from headway.client import AsyncClient
from headway.client.retries import Retries
from headway.core.activity import State
from headway.core.errors import HeadwayError, NotFound
from headway.core.lifecycle import Report
from headway.wire.notifications import ActivityNotification, ResyncNotification, SnapshotNotification
from tests.e2e.serving import Serving
from tests.faults.fault_proxy import FaultProxy
from tests.stores.nats_servers import NatsServer, nats_server
from tests.stores.redis_servers import RedisServer, redis_server

WORKERS = 6

StoreServer = RedisServer | NatsServer
SERVERS: dict[str, Callable[[Path], AbstractContextManager[StoreServer]]] = {
    # With everysec it keeps back what it has acknowledged while its disk is busy; killed then, and with it the only
    # node that knows, it has lost that.
    "redis": lambda folder: redis_server(folder, "--appendfsync", "always"),
    "nats": nats_server,
}

T = TypeVar("T")


class Node:
    """A server of its own, and its way to the store."""

    def __init__(self, folder: Path, proxy: FaultProxy, scheme: str) -> None:
        self.proxy = proxy
        self.serving = Serving(folder / "data", "--store", f"{scheme}://127.0.0.1:{proxy.port}")
        self.serving.data.mkdir(parents=True)

    async def restart(self) -> None:
        """After a power cut."""
        await asyncio.to_thread(self.serving.kill)
        await asyncio.to_thread(self.serving.start)

    async def become(self, program: Sequence[str]) -> None:
        """Stop in good order, and start as another release."""
        await asyncio.to_thread(self.serving.stop)
        self.serving.program = program
        await asyncio.to_thread(self.serving.start)


class Cluster:
    """Two nodes, their store, those who work, and those who watch."""

    def __init__(self, store: StoreServer, nodes: list[Node], token: str) -> None:
        self.store = store
        self.nodes = nodes
        self.started: set[str] = set()
        self.ended: set[str] = set()
        """What has been acknowledged."""
        self.told: list[Counter[tuple[str, str]]] = []
        """To each watcher: how often of an activity what."""
        self._began = 0
        """Those who have been told what there was in the beginning."""
        self._clients = [
            AsyncClient(node.serving.url, token, timeout=5, retries=Retries(strategy="none")) for node in nodes
        ]

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()

    async def through(self, happenings: Awaitable[None]) -> None:
        """Work and watch while these things happen; then look at what was told: all that was acknowledged, once."""
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(self._watch(client)) for client in self._clients]
            await _until(lambda: self._began == len(self.nodes))
            working = [group.create_task(self._work(stopping)) for _ in range(WORKERS)]
            await happenings
            stopping.set()
            await asyncio.gather(*working)
            for told in self.told:
                await _until(lambda told=told: all(told[uuid, "ended"] for uuid in self.ended))  # type: ignore[misc]
            for watcher in watching:
                watcher.cancel()
        assert self._began == len(self.nodes)  # nobody had to begin anew
        for told in self.told:
            for kind, acknowledged in (("started", self.started), ("ended", self.ended)):
                wrong = {uuid: told[uuid, kind] for uuid in acknowledged if told[uuid, kind] != 1}
                assert wrong == {}, (kind, wrong)
            assert {event: count for event, count in told.items() if count > 1 and event[1] != "updated"} == {}

    async def _work(self, stopping: asyncio.Event) -> None:
        """Start activities and end them, each word to whichever node."""
        while not stopping.is_set():
            key = str(uuid4())
            row = await self._insisted(lambda client, key=key: client.activities.create("t", key=key, lease=600))  # type: ignore[misc]
            self.started.add(row.uuid)
            with suppress(HeadwayError):
                await random.choice(self._clients).activities.report(row.uuid, Report(progress=40))
            await self._insisted(lambda client, uuid=row.uuid: self._end(client, uuid))  # type: ignore[misc]
            self.ended.add(row.uuid)

    async def _watch(self, client: AsyncClient) -> None:
        """For ever, on one node, from its cursor on after each break."""
        told: Counter[tuple[str, str]] = Counter()
        self.told.append(told)
        async with client.activities.watch(type="t") as watch:
            async for news in watch:
                assert not isinstance(news, ResyncNotification)
                self._began += isinstance(news, SnapshotNotification)
                if isinstance(news, ActivityNotification):
                    told[news.row.uuid, news.kind.value] += 1

    async def _end(self, client: AsyncClient, uuid: str) -> None:
        try:
            await client.activities.finish(uuid, State.SUCCEEDED)
        except HeadwayError as error:
            # Where the answer to the first try was lost, the second finds it ended.
            if error.code != "already_ended":
                raise

    async def _insisted(self, asking: Callable[[AsyncClient], Awaitable[T]]) -> T:
        while True:
            try:
                return await asking(random.choice(self._clients))
            except NotFound:
                raise
            except HeadwayError:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def cluster(folder: Path, scheme: str = "redis") -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        store: StoreServer = stack.enter_context(SERVERS[scheme](folder / scheme))
        nodes: list[Node] = []
        for name in ("a", "b"):
            proxy = await stack.enter_async_context(FaultProxy(store.port))
            node = Node(folder / name, proxy, scheme)
            nodes.append(node)
            await asyncio.to_thread(node.serving.start)
            stack.push_async_callback(asyncio.to_thread, node.serving.__exit__)
        token = (nodes[0].serving.data / "admin.token").read_text().strip()
        made = Cluster(store, nodes, token)
        stack.push_async_callback(made.close)
        yield made


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.05)
