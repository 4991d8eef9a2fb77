"""The handle of a job that is reported: between the job's threads and the sender's."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from headway.client.exchange import Answer, Request
from headway.client.news import fitted
from headway.client.outbox import Outbox
from headway.core.activity import State
from headway.core.errors import HeadwayError
from headway.wire import fitting
from headway.wire.requests import MAX_ERROR
from headway.wire.row import Row

UNRECORDED = 2.0
"""Seconds that a job which no server has heard of so far may take to say its last words."""

Stopped = Callable[[str], None]
"""Told why the job is to stop: ``cancel_requested``, ``abandoned`` or ``lease_lost``. Called in the sender's thread."""

_log = logging.getLogger("headway")


class Job:
    """The handle of one job. Its methods may be called from any thread, and none of them waits."""

    def __init__(self, outbox: Outbox, loop: asyncio.AbstractEventLoop, on_stop: Stopped | None) -> None:
        self._outbox = outbox
        self._loop = loop
        self._on_stop = on_stop
        self._lock = threading.Lock()
        self._woken = False
        self._said = asyncio.Event()
        self._learned = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Job {self._outbox!r}>"

    @property
    def uuid(self) -> str | None:
        """The activity it is reported under; None while no server has heard of it."""
        return self._outbox.uuid

    @property
    def state(self) -> str | None:
        """The state its activity was last seen in."""
        return self._outbox.state

    @property
    def stop(self) -> str | None:
        """Why it is to stop; None while it is not."""
        return self._outbox.stop

    @property
    def problem(self) -> HeadwayError | None:
        """What keeps its record from being complete; None while all is well."""
        return self._outbox.problem

    def report(self, progress: float | None = None, **news: Any) -> None:
        """Say how the work stands; what is not given stays as it was.

        ``progress``: percent 0..100, or -1 for indeterminate; ``completed`` of ``total``, counted in ``unit``;
        ``title``, ``subtitle``; ``context`` and ``response``, flat, merged into what is there.
        """
        report = fitted(progress=progress, **news)
        with self._lock:
            self._outbox.report(report)
        self._wake()

    def finish(self, state: State, error: str | None = None) -> None:
        """Say how the work ended; the first word counts."""
        with self._lock:
            self._outbox.finish(state, fitting.text(error, MAX_ERROR))
        self._wake()

    def _wake(self) -> None:
        """Let the sender look, once for any number of reports."""
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # closed: nobody sends any more
                self._loop.call_soon_threadsafe(self._notice)

    # For the sender, in its thread

    def _notice(self) -> None:
        self._woken = False
        self._said.set()

    async def due(self) -> bool:
        """Wait until there is something to send; False when there will be nothing more."""
        while not self._outbox.over:
            self._said.clear()
            with self._lock:
                left = self._outbox.due() - time.monotonic()
            if left <= 0:
                return True
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._said.wait()
        return False

    def next(self) -> Request:
        """What to send."""
        with self._lock:
            return self._outbox.next(time.monotonic())

    def answered(self, answer: Answer) -> None:
        """What came of it."""
        self._learn(partial(self._outbox.answered, answer))

    def unanswered(self, error: HeadwayError) -> None:
        """Nothing came of it."""
        self._learn(partial(self._outbox.unanswered, error))

    def seen(self, row: Row) -> None:
        """What else was learned of it."""
        self._learn(partial(self._outbox.seen, row))

    async def recorded(self) -> str | None:
        """Wait until there is a record; its uuid, or None when there is nothing more to learn of it."""
        await self._until(lambda: self._outbox.over or self._outbox.uuid is not None)
        return None if self._outbox.over else self._outbox.uuid

    async def flushed(self) -> None:
        """Hurry, and wait until all has been said or there is no hope that it can be."""
        with self._lock:
            self._outbox.hurry(time.monotonic())
        self._said.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(UNRECORDED):
                await self._until(lambda: self._outbox.uuid is not None or self._settled())
        if self._outbox.uuid is not None:
            await self._until(self._settled)

    def leave(self) -> None:
        """Send nothing more."""
        with self._lock:
            self._outbox.leave()

    def _settled(self) -> bool:
        return self._outbox.over or self._outbox.hopeless

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._learned.clear()
            await self._learned.wait()

    def _learn(self, event: Callable[[float], None]) -> None:
        before = self._outbox.stop
        with self._lock:
            event(time.monotonic())
        self._learned.set()
        self._said.set()  # when something is due may have changed
        if self._outbox.stop is not None and before is None and self._on_stop is not None:
            try:
                self._on_stop(self._outbox.stop)
            except Exception:
                _log.exception("a job's reaction to a stop failed")
