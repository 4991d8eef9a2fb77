"""A coroutine of this process as an operation.

It is stopped by cancelling its task, again each second until its grace is over: a coroutine may swallow one cancel, by
mistake or to clean up. What swallows them all is shown as overdue; nothing harder exists for a coroutine.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from headway.core.activity import DEFAULT_GRACE, Activity, State
from headway.core.errors import HeadwayError, NotCancellable
from headway.core.lifecycle import Report
from headway.core.policy import ADMIN_USER
from headway.core.text import clean, shortened
from headway.reporter import Reporter
from headway.wire import bags, requests, rules

if TYPE_CHECKING:
    from headway.hub import Activities

RECANCEL = 1.0
"""Seconds between two cancels of a task that does not stop."""

_log = logging.getLogger("headway")


class TaskOperation:
    """A task that can be asked to stop."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self._left = 0
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def request_stop(self, activity: Activity) -> None:
        """Cancel the task, and again each second of the activity's grace."""
        self._left = max(1, round(activity.grace / RECANCEL))
        self._press()

    def over(self) -> None:
        """The operation has left its block: what follows in the task is no longer its business."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()

    def _press(self) -> None:
        if self._over or self._task.done() or self._left <= 0:
            return
        self._left -= 1
        self._task.cancel()
        self._timer = self._task.get_loop().call_later(RECANCEL, self._press)


class TaskActivity:
    """``async with activities.start(...)``: the block is the operation, its way out decides the end.

    Leaving it normally is ``succeeded``; an exception is ``failed``; being cancelled is ``cancelled``. The exception,
    also the ``CancelledError``, goes on to the caller.
    """

    def __init__(
        self,
        activities: Activities,
        type: str,
        *,
        title: str = "",
        subtitle: str = "",
        owner: int = ADMIN_USER,
        cancellable: bool = True,
        context: Mapping[str, Any] | None = None,
        parent: str | None = None,
        grace: float = DEFAULT_GRACE,
    ) -> None:
        self._activities = activities
        self._type = rules.activity_type("type", type)
        self._owner = owner
        self._parent = parent
        self._attributes: dict[str, Any] = {"cancellable": cancellable, "grace": grace}
        self._news = Report(
            title=shortened(clean(title), requests.MAX_TITLE),
            subtitle=shortened(clean(subtitle), requests.MAX_SUBTITLE),
            context=None if context is None else bags.CONTEXT("context", context),
        )

    async def __aenter__(self) -> Reporter:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("activities.start() must be entered inside a task")
        self._operation = TaskOperation(task)
        # Shielded: a start that is on its way to the store cannot be called back, only ended.
        creating = asyncio.ensure_future(self._create())
        try:
            self._reporter = Reporter(self._activities, await asyncio.shield(creating))
        except asyncio.CancelledError:
            self._operation.over()
            creating.add_done_callback(self._abandon)
            raise
        return self._reporter

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self._activities.registry.childless(self._reporter.uuid)
        except asyncio.CancelledError as cancelled:
            await self._leave(cancelled)
            raise
        await self._leave(error)

    async def _leave(self, error: BaseException | None) -> None:
        self._operation.over()
        # Shielded: another cancel lets the job go, and its end is recorded all the same.
        await asyncio.shield(asyncio.ensure_future(self._end(error)))

    async def _create(self) -> Activity:
        activity, _ = await self._activities.create(
            self._type,
            self._owner,
            parent=self._parent,
            operation=self._operation,
            report=self._news,
            **self._attributes,
        )
        return activity

    def _abandon(self, creating: asyncio.Future[Activity]) -> None:
        if not creating.cancelled() and creating.exception() is None:
            self._reporter = Reporter(self._activities, creating.result())
            self._ending = asyncio.ensure_future(self._end(asyncio.CancelledError()))

    async def _end(self, error: BaseException | None) -> None:
        """Record the end, however long the store takes: the work is over, and no trouble of ours may reach it."""
        try:
            await self._activities.insist(lambda: self._record(error))
        except HeadwayError as refused:  # given up meanwhile, by force
            _log.info("activity %s: its end was not recorded: %s", self._reporter.uuid, refused.message)

    async def _record(self, error: BaseException | None) -> None:
        if error is None:
            await self._finish(State.SUCCEEDED)
        elif isinstance(error, asyncio.CancelledError):
            try:
                await self._activities.request_cancel(self._reporter.uuid, reason="task_cancelled")
            except NotCancellable:
                await self._finish(State.FAILED, "its task was cancelled")
            else:
                await self._finish(State.CANCELLED)
        else:
            said = shortened(clean(f"{type(error).__name__}: {error}"), requests.MAX_ERROR)
            await self._finish(State.FAILED, said)

    async def _finish(self, state: State, error: str | None = None) -> None:
        await self._activities.registry.childless(self._reporter.uuid)
        await self._activities.finish(self._reporter.uuid, state, error=error)
