"""A thread of this process as an operation.

A thread cannot be stopped from outside. It is asked by a token, which it has to look at; one that does not is shown as
overdue for as long as it runs, and is never said to have stopped before it has.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

from headway.core.activity import Activity

T = TypeVar("T")

_asked: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar("headway_asked", default=None)


def asked_here() -> bool:
    """Whether whoever waits for this thread has been cancelled, for whatever reason, and so asks it to stop."""
    asked = _asked.get()
    return asked is not None and asked.is_set()


def on_its_own() -> None:
    """What this code goes on to do is not stopped with the thread that began it."""
    _asked.set(None)


class ThreadOperation:
    """Code in a thread that can be asked to stop: it looks at the record of its activity, where the request is."""

    def request_stop(self, activity: Activity) -> None:
        """Nothing to do."""


class Deserted(asyncio.CancelledError):
    """Nobody waits any longer for a thread that has not stopped; it runs on."""


class Thread(Generic[T]):
    """A function that runs in a thread of its own, in a copy of this context.

    No pool: long work would take its threads from everyone else. The thread does not hold up the exit of the process.
    """

    def __init__(self, function: Callable[..., T], args: tuple[Any, ...], name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._value: T | None = None
        self._error: BaseException | None = RuntimeError("the thread has ended without a result")
        self._stop = threading.Event()
        context = contextvars.copy_context()
        context.run(_asked.set, self._stop)
        target, run = context.run, (self._run, function, args)
        threading.Thread(target=target, args=run, name=name, daemon=True).start()

    async def wait(self) -> None:
        """Until it has ended; when this is cancelled, it has not."""
        await asyncio.wait({self._ended})

    async def finish(self) -> T:
        """What it returns, however often this is cancelled meanwhile: it is asked to stop then, and that is raised once
        it has returned.
        """
        interrupted: asyncio.CancelledError | None = None
        while not self._ended.done():
            try:
                await self.wait()
            except asyncio.CancelledError as error:
                interrupted = error
                self._stop.set()
        result = self.result()
        if interrupted is not None:
            raise interrupted
        return result

    async def give_up(self, patience: float) -> None:
        """Ask it to stop and wait so many seconds for that. Raises ``Deserted``."""
        self._stop.set()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({self._ended}, timeout=patience)
        if not self._ended.done():
            raise Deserted("the thread runs on")

    def result(self) -> T:
        """What it has returned. Raises what it has raised."""
        if self._error is not None:
            raise self._error
        return cast(T, self._value)

    def _run(self, function: Callable[..., T], args: tuple[Any, ...]) -> None:
        try:
            self._value = no_coroutine(function(*args))
            self._error = None
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            self._error = error
        finally:
            with suppress(RuntimeError):  # the loop was closed before: nobody is left to hear
                self._loop.call_soon_threadsafe(self._ended.set_result, None)


async def run_in_thread(function: Callable[..., T], *args: Any, name: str) -> T:
    """Call the function in a thread and wait for it; see ``Thread.finish``."""
    return await Thread(function, args, name).finish()


def no_coroutine(result: T) -> T:
    """The result of a plain function. Raises TypeError when it is a coroutine: the work, which would not be done."""
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError("the function returned a coroutine, which nobody would await; use a coroutine function")
    return result
