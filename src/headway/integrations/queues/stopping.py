"""How a task that is a coroutine is stopped: as any operation on an event loop is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from headway.core.errors import Cancelled
from headway.integrations.queues.tracker import Run

AGAIN = 1.0
"""Seconds between two cancels of one that goes on."""

T = TypeVar("T")


async def stoppable(run: Run, work: Callable[[], Awaitable[T]]) -> T:
    """Do the work; once the run is to stop, cancel it, again each second until its grace is over.

    Raises ``Cancelled`` if that has stopped it: to the library an error like any other.
    """
    canceller = _Canceller(run.ticket.grace)
    run.on_stop(canceller.begin)
    try:
        return await work()
    except asyncio.CancelledError:
        if canceller.alone:
            raise Cancelled("the task was asked to stop") from None
        raise
    finally:
        canceller.end()


class _Canceller:
    """Cancels the asyncio task that it was made in. It does so while that waits for something in the work, and only
    then: its callbacks run when it does not.
    """

    def __init__(self, grace: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._grace = grace
        self._asked = 0
        self._next: asyncio.TimerHandle | None = None
        self._over = False

    def begin(self) -> None:
        """In any thread."""
        with suppress(RuntimeError):  # the loop is closed, and so is the task
            self._loop.call_soon_threadsafe(self._ask)

    @property
    def alone(self) -> bool:
        """Nobody else has cancelled the task."""
        return self._task is not None and 0 < self._asked == self._task.cancelling()

    def end(self) -> None:
        """The work is over."""
        self._over = True
        if self._next is not None:
            self._next.cancel()
        for _ in range(self._asked):
            if self._task is not None:
                self._task.uncancel()

    def _ask(self) -> None:
        if self._over or self._task is None:
            return
        self._task.cancel()
        self._asked += 1
        if self._asked * AGAIN < self._grace:
            self._next = self._loop.call_later(AGAIN, self._ask)
