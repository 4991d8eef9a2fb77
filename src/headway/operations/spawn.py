"""``activities.spawn(...)``: an operation that goes on by itself while its starter does something else."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from headway.core.activity import Activity
from headway.core.errors import Cancelled, HeadwayError
from headway.correlation import forget
from headway.operations.options import StartOptions
from headway.operations.start import Start
from headway.operations.thread import Thread, ThreadOperation, on_its_own
from headway.reporter import Reporter

if TYPE_CHECKING:
    from headway.hub import Activities

T = TypeVar("T")
Work = Callable[[Reporter], Coroutine[Any, Any, T]]
_log = logging.getLogger("headway")
_running: set[asyncio.Task[Any]] = set()
"""The event loop itself holds its tasks only weakly."""


class Spawned(Generic[T]):
    """An operation that was started by ``spawn``."""

    def __init__(self, activities: Activities, reporter: Reporter, task: asyncio.Task[T]) -> None:
        self._activities = activities
        self._reporter = reporter
        self._task = task

    def __repr__(self) -> str:
        return f"<Spawned {self.uuid} {self.activity.state.value} {self.activity.progress.percent}%>"

    @property
    def uuid(self) -> str:
        """The id clients follow and cancel it by."""
        return self._reporter.uuid

    @property
    def activity(self) -> Activity:
        """The newest committed record."""
        return self._reporter.activity

    async def result(self) -> T:
        """What its function returns, once its end is on record. Raises what it raises, and ``Cancelled``.

        Whoever gives up waiting does not stop it.
        """
        try:
            return await asyncio.shield(self._task)
        except asyncio.CancelledError:
            if self._task.cancelled():
                raise Cancelled("the task of the activity was cancelled") from None
            raise

    async def wait(self) -> Activity:
        """The record of its end, however it ends."""
        await asyncio.wait({self._task})
        return self.activity

    async def cancel(self, *, by: int | None = None, reason: str | None = None) -> Activity:
        """Ask it to stop, as its program may also where users may not; it has stopped when ``wait`` returns."""
        return await self._activities.portal.run(
            self._activities.request_cancel, self.uuid, by=by, reason=reason, required=True
        )


async def spawn(
    activities: Activities,
    type: str,
    function: Callable[..., Coroutine[Any, Any, T] | T],
    args: tuple[Any, ...],
    options: StartOptions,
) -> Spawned[T]:
    """Run a coroutine function in a task, any other function in a thread; returns once the start is on record."""
    if is_coroutine_function(function):
        coroutine = cast(Callable[..., Coroutine[Any, Any, T]], function)
        return await supervised(activities, Start(activities, type, **options), lambda _: coroutine(*args))
    return await _in_thread(activities, type, cast(Callable[..., T], function), args, options)


async def supervised(activities: Activities, start: Start, work: Work[T]) -> Spawned[T]:
    """Do the work in a task that nobody has to wait for; returns once its start is on record."""
    started: asyncio.Future[Reporter] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(_run(start, started, work))
    _running.add(task)
    task.add_done_callback(functools.partial(_ended, started))
    either: set[asyncio.Future[Any]] = {task, started}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if not started.done():
        await task  # raises why it could not be started
    return Spawned(activities, started.result(), task)


def is_coroutine_function(function: Callable[..., object]) -> bool:
    """Whether calling it gives a coroutine; also for objects that are called, and for partials of either."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isclass(function):  # an object of it may give one, the class itself does not
        return False
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


async def _in_thread(
    activities: Activities, type: str, function: Callable[..., T], args: tuple[Any, ...], options: StartOptions
) -> Spawned[T]:
    async def work(reporter: Reporter) -> T:
        thread = Thread(function, args, f"headway {type}")
        try:
            await thread.wait()
        except asyncio.CancelledError:  # nobody else has the task: its loop is ending
            await thread.give_up(0.0 if reporter.cancel_requested else reporter.activity.grace)
        return thread.result()

    return await supervised(activities, Start(activities, type, ThreadOperation(), **options), work)


async def _run(start: Start, started: asyncio.Future[Reporter], work: Work[T]) -> T:
    async with start as reporter:
        started.set_result(reporter)
        forget()  # what it goes on to start is no longer the business of whoever spawned it
        on_its_own()
        try:
            return await work(reporter)
        except SystemExit as leaving:  # let through, it would end the event loop and all that runs on it
            if leaving.code:
                raise RuntimeError(f"the operation was left by sys.exit({leaving.code!r})") from leaving
            return cast(T, None)


def _ended(started: asyncio.Future[Reporter], task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if task.cancelled() or not started.done():  # why it could not be started is raised to whoever spawns it
        return
    error = task.exception()
    # The record has one line of it, and nobody may ever ask for the result.
    if error is not None and not isinstance(error, HeadwayError):
        _log.error("an operation has failed", exc_info=error)
