"""Both clients behind one face: a test is written once, and run for threads and on an event loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, Self

import pytest

from headway.client import AsyncClient, Client
from headway.client.live.replica import Replica
from headway.core.errors import HeadwayError
from headway.wire.notifications import ActivityNotification, SnapshotNotification
from headway.wire.row import Row
from tests.client.scripted_server import eventually
from tests.client.streams import lives, told

DRIVERS = pytest.mark.parametrize("driver", ["sync", "async"])
HANGS = 120.0
"""Seconds after which a test is taken to hang."""


class Both:
    """A client, and where it lives: this thread, or a loop in another."""

    def __init__(self, driver: str, url: str, token: str | None = "t0k3n", **options: Any) -> None:
        self.is_async = driver == "async"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.client: Any = (AsyncClient if self.is_async else Client)(url, token, **options)

    def __enter__(self) -> Self:
        if self.is_async:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.do(lambda client: client.aclose() if self.is_async else client.close())
        finally:
            if self.is_async:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join(HANGS)
            self._loop.close()

    def do(self, use: Callable[[Any], Any]) -> Any:
        """What comes of using the client."""
        return self.begin(use).result(HANGS) if self.is_async else use(self.client)

    def begin(self, use: Callable[[Any], Any]) -> Future[Any]:
        """The same beside this thread."""
        if self.is_async:
            return asyncio.run_coroutine_threadsafe(self._awaited(use), self._loop)
        future: Future[Any] = Future()
        threading.Thread(target=self._used, args=(use, future), daemon=True).start()
        return future

    def watch(self, **arguments: Any) -> Looking:
        return Looking(self, self.do(lambda client: client.activities.watch(**arguments)))

    def follow(self, response: Any) -> Looking:
        return Looking(self, self.do(lambda client: client.activities.follow(response)))

    async def _awaited(self, use: Callable[[Any], Any]) -> Any:
        value = use(self.client)
        return await value if inspect.isawaitable(value) else value

    def _used(self, use: Callable[[Any], Any], future: Future[Any]) -> None:
        try:
            future.set_result(use(self.client))
        except Exception as error:
            future.set_exception(error)


class Looking(Iterator[Any]):
    """A watch of either client."""

    def __init__(self, both: Both, watch: Any) -> None:
        self.both = both
        self.watch = watch

    @property
    def replica(self) -> Replica:
        found: Replica = self.watch.replica
        return found

    def __next__(self) -> Any:
        found = self.begin_next().result(HANGS)
        if found is None:
            raise StopIteration
        return found

    def begin_next(self) -> Future[Any]:
        """The next notification, when it comes; None when there is none any more."""
        return self.both.begin(lambda _: anext(self.watch, None) if self.both.is_async else next(self.watch, None))

    def close(self) -> None:
        """From a thread or task that is not the one that waits."""
        self.both.do(lambda _: self.watch.aclose() if self.both.is_async else self.watch.close())

    def first(self, count: int) -> list[tuple[str, list[str]]]:
        """So many notifications, in short."""
        return [told(next(self)) for _ in range(count)]


class Recorder:
    """Reads a watch to its end, beside the test."""

    def __init__(self, looking: Looking) -> None:
        self.told: list[Any] = []
        self.error: HeadwayError | None = None
        self._looking = looking
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        eventually(lambda: self.told or self.error)  # the snapshot: from now on nothing is missed
        return self

    def __exit__(self, *_: object) -> None:
        self._looking.close()
        self._thread.join(HANGS)
        assert not self._thread.is_alive()

    def life(self, uuid: str) -> list[str]:
        """What was told of an activity, but its updates; being in a snapshot is ``there``."""
        return lives(list(self.told)).get(uuid, [])

    def last(self, uuid: str) -> Row:
        """The activity as it was last told."""
        rows = [
            each.row for each in list(self.told) if isinstance(each, ActivityNotification) and each.row.uuid == uuid
        ]
        return rows[-1]

    @property
    def replica(self) -> Replica:
        return self._looking.replica

    @property
    def snapshots(self) -> int:
        return sum(isinstance(each, SnapshotNotification) for each in list(self.told))

    def _read(self) -> None:
        try:
            for notification in self._looking:
                self.told.append(notification)
        except HeadwayError as error:
            self.error = error
