"""``activities.start(...)``: a block of code is the operation, and its way out decides the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Unpack

from headway.context import current, within
from headway.core.activity import Activity, State
from headway.core.errors import Cancelled, HeadwayError, ParentEnding, Unavailable
from headway.live import Operation
from headway.operations.options import StartOptions, attributes_of
from headway.operations.task import TaskOperation
from headway.operations.thread import Deserted, ThreadOperation
from headway.reporter import Reporter
from headway.wire import fitting, requests

if TYPE_CHECKING:
    from headway.hub import Activities

_log = logging.getLogger("headway")


class Start:
    """An operation about to start; for one block, ``async with`` in a coroutine or ``with`` in a thread.

    Leaving the block normally is ``succeeded``, with an exception ``failed``; the exception goes on to the caller.
    Inside, a cancel is an ``asyncio.CancelledError``: it comes by itself to a coroutine, and to a thread where that
    asks for it (``activity.check_cancelled()``). Outside it is a ``Cancelled``, so that it stops nothing but the block.
    When someone else cancels the task, that stays what it is; it ends the activity as ``cancelled`` too.
    """

    def __init__(
        self,
        activities: Activities,
        type: str,
        operation: Operation | None = None,
        **options: Unpack[StartOptions],
    ) -> None:
        """``operation``: what is asked to stop, if not the block. Raises ``InvalidInput`` for what a rule forbids."""
        self._activities = activities
        self._operation = operation
        self._entered = False
        self._creating: asyncio.Future[tuple[Activity, bool]] | None = None
        self._attributes = {"type": type, **attributes_of(type, options)}
        parent = options.get("parent")
        self._parent = parent if isinstance(parent, Reporter) else None

    async def __aenter__(self) -> Reporter:
        """Returns once the start is on record. Raises what ``Activities.create`` raises, and ``Cancelled`` when it was
        to stop before it had begun.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("activities.start() must be entered inside a task")
        self._task = TaskOperation(task)
        self._enter_once()
        with self._stopping():
            try:
                return self._enter(await self._activities.portal.run(self._begin, self._operation or self._task))
            except asyncio.CancelledError as error:
                self._activities.portal.send(self._disown)
                ours = await self._task.over()  # or what ends it would cancel a task that has gone on
                if ours and self._task.asked:
                    raise Cancelled("the activity was cancelled as it began") from error
                raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._inside.__exit__(None, None, None)
        stop = error if error is not None else await self._children_ended()
        asked = self._reporter.cancel_requested or self._task.asked
        ours = await self._task.over()
        with suppress(Unavailable):  # the hub's loop has ended before this one
            # Another cancel lets the job go, and its end is recorded all the same.
            await self._activities.portal.carry(self._end, stop)
        if ours and asked and isinstance(stop, asyncio.CancelledError):
            raise self._cancelled() from error
        if not ours and error is None:
            raise asyncio.CancelledError

    def __enter__(self) -> Reporter:
        """As ``__aenter__``, for a thread; raises RuntimeError in a coroutine."""
        self._enter_once()
        with self._stopping():
            try:
                return self._enter(self._activities.portal.call(self._begin, self._operation or ThreadOperation()))
            except KeyboardInterrupt:
                self._activities.portal.send(self._disown)
                raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._inside.__exit__(None, None, None)
        # When what is around the block has to stop too, the cancel is not over with the block.
        asked = self._reporter.cancel_requested and not current().cancel_requested
        try:
            self._activities.portal.call_back(self._end, error)
        except Unavailable:  # the loop has ended before the thread: what is open is given up at the next start
            pass
        except KeyboardInterrupt:  # whoever does not want to wait for the store goes, and the end is recorded
            self._activities.portal.send(self._end, error)
            raise
        if asked and isinstance(error, asyncio.CancelledError):
            raise self._cancelled() from error

    def _enter_once(self) -> None:
        if self._entered:
            raise RuntimeError("activities.start() is for one block; call it again for another")
        self._entered = True

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """A part cannot be begun any more once the whole is to stop: in the code of the whole, that is its cancel."""
        try:
            yield
        except ParentEnding as refused:
            if self._parent is None or not self._parent.cancel_requested:
                raise
            raise asyncio.CancelledError(refused.message) from refused

    # On the hub's loop

    async def _begin(self, operation: Operation) -> Reporter:
        self._creating = asyncio.ensure_future(self._activities.create(operation=operation, **self._attributes))
        # Shielded: a start that is on its way to the store cannot be called back, only ended.
        activity, _ = await asyncio.shield(self._creating)
        self._reporter = Reporter(self._activities, activity)
        return self._reporter

    async def _disown(self) -> None:
        """Nobody comes to the block any more: end what has been started, if it has been."""
        if self._creating is None:
            return
        await asyncio.wait({self._creating})
        if not self._creating.cancelled() and self._creating.exception() is None:
            self._reporter = Reporter(self._activities, self._creating.result()[0])
            await self._end(asyncio.CancelledError())

    async def _end(self, error: BaseException | None) -> None:
        """Record the end, however long the store takes: the work is over, and no trouble of ours may reach it."""
        try:
            await self._activities.insist(lambda: self._record(error))
        except HeadwayError as refused:  # given up meanwhile, by force
            _log.info("activity %s: its end was not recorded: %s", self._reporter.uuid, refused.message)
        except Exception:  # a fault of ours or of the store
            _log.exception("activity %s: its end could not be recorded", self._reporter.uuid)

    def _enter(self, reporter: Reporter) -> Reporter:
        self._reporter = reporter
        self._inside: AbstractContextManager[None] = within(reporter)
        self._inside.__enter__()
        return reporter

    def _cancelled(self) -> Cancelled:
        request = self._reporter.activity.cancel
        reason = None if request is None else request.reason
        return Cancelled(f"the activity was cancelled{f': {reason}' if reason else ''}")

    async def _children_ended(self) -> asyncio.CancelledError | None:
        try:
            with suppress(Unavailable):
                await self._activities.portal.run(self._activities.registry.childless, self._reporter.uuid)
        except asyncio.CancelledError as cancelled:
            return cancelled
        return None

    async def _record(self, error: BaseException | None) -> None:
        if error is None or (isinstance(error, SystemExit) and not error.code):
            await self._finish(State.SUCCEEDED)
        elif isinstance(error, Deserted):  # it has not ended: whoever opens the store next gives it up
            await self._ask("task_cancelled")
        elif self._was_stopped(error):
            await self._ask("keyboard_interrupt" if isinstance(error, KeyboardInterrupt) else "task_cancelled")
            await self._finish(State.CANCELLED)
        else:
            await self._finish(State.FAILED, fitting.text(fitting.said(error), requests.MAX_ERROR))

    def _was_stopped(self, error: BaseException) -> bool:
        if isinstance(error, Cancelled):  # of a part of it, which was asked because this was, or alone
            return self._reporter.cancel_requested
        return isinstance(error, asyncio.CancelledError | KeyboardInterrupt)

    async def _ask(self, reason: str) -> None:
        """Put on record that it was to stop: as what it is a part of was asked to, or else for this reason."""
        request = self._reporter.request
        by, why = (None, reason) if request is None else (request.by, request.reason)
        await self._activities.request_cancel(self._reporter.uuid, by=by, reason=why, required=True)

    async def _finish(self, state: State, error: str | None = None) -> None:
        await self._activities.registry.childless(self._reporter.uuid)
        await self._activities.finish(self._reporter.uuid, state, error=error)
