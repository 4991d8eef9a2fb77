"""A coroutine of this process as an operation.

It is stopped by cancelling its task, again each second until its grace is over: a coroutine may swallow one cancel, by
mistake or to clean up. What swallows them all is shown as overdue; nothing harder exists for a coroutine.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from headway.core.activity import Activity

RECANCEL = 1.0
"""Seconds between two cancels of a task that does not stop."""


class TaskOperation:
    """A block of a task that can be asked to stop. The task may go on after the block, so its cancels are counted."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self._loop = task.get_loop()
        self._before = task.cancelling()
        self._pressed = self._left = 0
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def request_stop(self, activity: Activity) -> None:
        """Cancel the task, and again each second of the activity's grace. From the hub's loop, which may be another."""
        self._left = max(1, round(activity.grace / RECANCEL))
        if _running_loop() is self._loop:
            self._press()
        else:
            with suppress(RuntimeError):  # that loop has ended, and the task with it
                self._loop.call_soon_threadsafe(self._press)

    @property
    def asked(self) -> bool:
        """Whether the block has been asked to stop."""
        return self._pressed > 0

    async def over(self) -> bool:
        """The task leaves the block: take back our cancels. True if nobody else wants the task cancelled.

        As ``asyncio.timeout`` does: whoever is outside must not be stopped by a cancel that was meant for the block.
        """
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        for _ in range(self._pressed):
            self._task.uncancel()
        if self._pressed:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # a cancel that has not been delivered yet comes now, instead of later elsewhere
        return self._task.cancelling() <= self._before

    def _press(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._over or self._task.done() or self._left <= 0:
            return
        self._left -= 1
        self._pressed += 1
        self._task.cancel()
        self._timer = self._loop.call_later(RECANCEL, self._press)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
