"""A broadcaster with connections that were handed over, and what was written to each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from headway.server.broadcast import Broadcaster
from headway.server.cohorts import Cohorts, Direct
from headway.server.ending import Ending
from headway.server.extension import Outlet, Reader
from tests.server.feeds import World

NEVER = 1_000.0


class Connection:
    """A connection that is handed over, and what was written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.endings: list[tuple[Ending, bytes]] = []
        self.reader: Reader | None = None
        self.on_write: Callable[[], object] = lambda: None

    def attach(self, reader: Reader) -> Outlet:
        self.reader = reader
        return self

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.on_write()

    def finish(self, ending: Ending, last: bytes) -> None:
        self.endings.append((ending, last))

    def pause(self) -> None:
        assert self.reader is not None
        self.reader.paused()

    def resume(self) -> None:
        assert self.reader is not None
        self.reader.resumed()

    def go(self) -> None:
        assert self.reader is not None
        self.reader.gone()

    def told(self) -> list[tuple[str, str]]:
        """Kind and uuid of the events of activities."""
        return [(told["event"], told["uuid"]) for told in self.notifications()]

    def notifications(self) -> list[Any]:
        return [data["ActivityNotification"] for data in self.events() if "ActivityNotification" in data]

    def events(self) -> list[Any]:
        """The data of all events, out of one chunk for each write."""
        read = []
        for chunk in self.written:
            size, _, rest = chunk.partition(b"\r\n")
            assert len(rest) == int(size, 16) + 2
            blocks = rest[:-2].split(b"\n\n")[:-1]
            read += [json.loads(block.split(b"\n")[1].removeprefix(b"data: ")) for block in blocks]
        return read


class Stage:
    """A broadcaster, and connections that watch through it."""

    def __init__(self, ping: float = NEVER, stall: float = NEVER) -> None:
        self.world = World()
        self.broadcaster = Broadcaster(ping, stall)
        self.joined: list[Connection] = []
        self.released: list[Connection] = []

    def join(self, scope: int = 1, *, since: int | None = None, snapshot: bool = False, **how: Any) -> Connection:
        """A watcher from now on, or from ``since``. ``how``: see ``World.join``."""
        made, channel = Connection(), self.world.join(scope, **how)
        self.joined.append(made)
        watcher = Direct(self.broadcaster, channel)

        def release() -> None:
            self.world.channels.leave(channel)
            self.released.append(made)

        watcher.release = release

        def begin() -> tuple[list[bytes], int]:
            if not snapshot:
                return [], channel.position if since is None else since
            first, position = channel.snapshot()
            return [first], position

        assert watcher.join(made.attach, begin)
        return made

    def cohorts(self) -> list[list[Direct]]:
        """Who stands together, of the one channel there is."""
        ((audience, *_),) = [self.broadcaster._audiences.values()]
        assert isinstance(audience, Cohorts)
        return [list(cohort.writes) for cohort in audience._cohorts if cohort.writes]

    def tick(self, now: float) -> None:
        """A look at the clock."""
        for audience in self.broadcaster._audiences.values():
            list(audience.tick(now))

    @property
    def tasks(self) -> set[str]:
        return {task.get_name() for task in asyncio.all_tasks()} & {"headway-broadcast", "headway-ping"}


@asynccontextmanager
async def staged(ping: float = NEVER, stall: float = NEVER) -> AsyncIterator[Stage]:
    """A stage that all leave in the end, and nothing is left of."""
    stage = Stage(ping, stall)
    yield stage
    for connection in stage.joined:
        connection.go()
    await turns()
    assert (stage.tasks, len(stage.broadcaster), len(stage.world.channels)) == (set(), 0, 0)
    assert len(stage.released) == len(stage.joined)


async def turns(count: int = 5) -> None:
    """Let what is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)
