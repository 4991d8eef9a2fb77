"""Headway under a load that is always the same. Argument, in hex: a folder for its data.

It is told ``prepare LOAD`` (see ``bench.load``) and ``pace SECONDS REPORTS``: then each activity makes so many reports
each tenth of a second, and it says what processor time all of its threads have used, but for the reports themselves.
These are made on the event loop's thread, in one go, so that its clock tells what they took.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from bench.frame import TITLE, TYPE, UNSTAMPED
from bench.load import TICK, Load
from bench.peers.hosting import LEASE, STREAMS, WIDE
from bench.peers.serving import lines, parts, tell
from headway import Activities, Limits, Principal, Reporter
from headway.core.activity import Activity, State
from headway.core.lifecycle import Report
from headway.core.policy import EVERYTHING
from headway.server.app import create_app
from headway.server.serve import Server, run
from headway.server.service import Service

LIMITS = Limits(live_per_owner=WIDE, live=WIDE, depth=64, history=WIDE)
TOTAL = 1_000_000_000
EACH = 4
"""Activities of an owner whom nothing changes for."""
AT_ONCE = 1_000
"""Starts that share a commit."""


class Growing:
    """The activities, what they say, and who watches them."""

    def __init__(self, activities: Activities) -> None:
        self._activities = activities
        self._reporters: list[Reporter] = []
        self._coming: deque[int] = deque()
        self._said = 0

    def identify(self, _: HTTPConnection) -> Principal:
        """Whoever connects is the next who is to watch."""
        return Principal(self._coming.popleft())

    async def told(self, line: str) -> None:
        match line.split():
            case ["prepare", load]:
                await self._prepare(msgspec.json.decode(load, type=Load))
                tell(live=len(self._activities.registry.live))
            case ["pace", seconds, reports]:
                tell(**await self._pace(round(float(seconds) / TICK), int(reports)))

    async def _prepare(self, load: Load) -> None:
        for _ in range(0, load.history, AT_ONCE):
            ended = await self._start([1] * min(AT_ONCE, load.history))
            await asyncio.gather(*(self._activities.finish(one.uuid, State.SUCCEEDED) for one in ended))
        await self._start([1] * load.live)
        users = [1 + number % load.users for number in range(max(load.changed, load.watchers))]
        others = range(2, 2 + load.owners + load.watched)
        if load.users > 1 and others:
            raise ValueError("the others would be users")
        await self._start([owner for owner in others for _ in range(EACH)])
        tree = await self._start(users[: load.changed])
        for _ in range(load.depth - 1):
            tree = await self._start(users[: load.changed], tree)
        self._reporters = [Reporter(self._activities, leaf) for leaf in tree]
        self._coming.extend(users[: load.watchers])
        self._coming.extend(others[load.owners :])

    async def _start(self, owners: list[int], parents: list[Activity] | None = None) -> list[Activity]:
        started: list[Activity] = []
        about = Report(title=TITLE, subtitle=UNSTAMPED, total=TOTAL)
        for first in range(0, len(owners), AT_ONCE):
            above: Iterable[Any] = [None] * len(owners) if parents is None else [parent.uuid for parent in parents]
            some = list(zip(owners, above, strict=True))[first : first + AT_ONCE]
            starts = [
                self._activities.create(TYPE, owner, parent=parent, lease=LEASE, report=about) for owner, parent in some
            ]
            started += [activity for activity, _ in await asyncio.gather(*starts)]
        return started

    async def _pace(self, ticks: int, reports: int) -> dict[str, float]:
        view = self._activities.feed(EVERYTHING).view
        revision, reporting = view.revision, 0.0
        begun, due = time.process_time(), time.monotonic()
        for _ in range(ticks):
            if reports:
                reporting += self._burst(reports)
            due += TICK
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        cpu = time.process_time() - begun - reporting
        late = max(0.0, time.monotonic() - due)
        return {"cpu": cpu, "reporting": reporting, "changes": view.revision - revision, "late": late}

    def _burst(self, reports: int) -> float:
        begun = time.thread_time()
        for reporter in self._reporters:
            report = reporter.report
            for completed in range(self._said, self._said + reports):
                report(completed=completed)
        self._said += reports
        return time.thread_time() - begun


async def serve(folder: Path) -> int:
    async with Activities(f"sqlite:{folder}", limits=LIMITS) as activities:
        growing = Growing(activities)
        service = Service(activities, growing.identify, streams=STREAMS)

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            listening = asyncio.get_running_loop().create_task(listen())
            yield
            listening.cancel()

        async def listen() -> None:
            async for line in lines():
                await growing.told(line)

        def ready(urls: list[str]) -> None:
            tell(port=int(urls[0].rpartition(":")[2]))

        return await Server(create_app(service, lifespan), port=0, on_ready=ready, on_stop=service.stop).serve()


run(serve(Path(parts()[0].decode())))
