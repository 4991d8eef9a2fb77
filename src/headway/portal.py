"""The event loop that a hub lives on, and the way to it from threads, from other loops, and from programs that have
none.

A hub belongs to the loop that opened it. Where a thread needs one first, a loop of its own is started for it, on a
thread that ends with the process; a program that has never closed its hub by then has it closed.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import inspect
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

from headway.core.errors import Unavailable
from headway.forks import REFUSAL

P = ParamSpec("P")
T = TypeVar("T")

LOOK = 1.0
"""Seconds between two looks at whether a loop that owes an answer is still there."""

STOPPING = 5.0
"""Seconds that the tasks on a loop of our own get to end with it."""


serving: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("headway_serving", default=None)
"""The loop of the server that runs this code; threads that a framework hands work to have it in their context."""


class Portal:
    """Where the hub's coroutines run."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._private: threading.Thread | None = None
        self._forked = False
        self._close: Callable[[], Awaitable[object]] | None = None
        self._starting = threading.Lock()

    def __repr__(self) -> str:
        return f"<Portal loop={self._loop!r} private={self.private}>"

    @property
    def private(self) -> bool:
        """Whether the loop was started for the hub alone."""
        return self._private is not None

    def attach(self) -> None:
        """The running loop is where the hub lives. Raises RuntimeError when it lives on another."""
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop.is_closed():
            raise RuntimeError(
                "the event loop that these activities lived on has ended without closing them; where each request gets "
                "a loop of its own, as in a bare TestClient(app), use `with TestClient(app) as client:`"
            )
        if self._loop is not None and self._loop is not loop:
            raise RuntimeError(
                "these activities live on another event loop: open them first on the one that is to serve them "
                "(async with activities), or reach them from elsewhere by activities.call()"
            )
        self._loop = loop

    def detach(self) -> None:
        """The hub is closed and may be opened on another loop."""
        if self._private is None:
            self._loop = None

    async def run(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await a coroutine on the hub's loop, from whichever loop this is; raises ``Unavailable`` once that ended."""
        loop = self._loop
        if loop is None or loop is asyncio.get_running_loop():
            return await function(*args, **kwargs)
        return await asyncio.wrap_future(_submitted(function(*args, **kwargs), loop))

    async def carry(self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """As ``run``; but it goes on when whoever awaits it is cancelled, or when that one's loop ends."""
        loop = self._loop
        if loop is None or loop is asyncio.get_running_loop():
            return await asyncio.shield(asyncio.ensure_future(function(*args, **kwargs)))
        return await asyncio.shield(asyncio.wrap_future(_submitted(function(*args, **kwargs), loop)))

    def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await it on the hub's loop from a thread, in the context of the caller; starts a loop if there is none.

        Raises RuntimeError in a coroutine, which has to await instead, and ``Unavailable`` in a forked child.
        """
        if _in_a_loop():
            raise RuntimeError("this thread runs an event loop, which must not wait: use `await` and `async with` here")
        if self._forked:
            raise Unavailable(REFUSAL)

        async def awaited() -> T:
            return await function(*args, **kwargs)

        loop, coroutine = self._loop or _handed_out_by() or self._started(), awaited()
        try:
            return _answer(_submitted(coroutine, loop), loop)
        finally:
            if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                coroutine.close()  # or it would be complained of that nobody has awaited it

    def call_back(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """As ``call``, for what was begun there: raises ``Unavailable`` where there is no loop any more."""
        if self._loop is None:
            raise Unavailable("the event loop of these activities has ended")
        return self.call(function, *args, **kwargs)

    def send(self, function: Callable[P, Coroutine[Any, Any, object]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Begin it on the hub's loop, from anywhere, and do not wait; nothing if there is no loop any more."""
        if self._loop is not None:
            with suppress(Unavailable):
                _submitted(function(*args, **kwargs), self._loop)

    def close_at_exit(self, close: Callable[[], Awaitable[object]]) -> None:
        """Call ``close`` on a loop that was started for the hub if the program ends before it has been stopped."""
        if self._private is not None and self._close is None:
            self._close = close
            atexit.register(self._exit)

    def forked(self) -> None:
        """In a forked child: the loop is the parent's, and nothing runs on the copy of it."""
        self._loop, self._private, self._forked = None, None, True

    def stop(self) -> None:
        """End the loop that was started for the hub, if one was. What does not end with it ends with the process."""
        with self._starting:
            loop, thread = self._loop, self._private
            if thread is None or loop is None:
                return
            atexit.unregister(self._exit)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(STOPPING)
            self._loop = self._private = self._close = None

    def _exit(self) -> None:
        if self._private is None or self._close is None:  # a forked child, say
            return
        # Executors are over by now, so no store can wait for its thread in one; it has written everything down before.
        with suppress(Unavailable, RuntimeError):
            self.call(self._close)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                loop = self._loop = asyncio.new_event_loop()
                self._private = threading.Thread(target=_run, args=(loop,), name="headway-loop", daemon=True)
                self._private.start()
            return self._loop


def _submitted(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> concurrent.futures.Future[T]:
    try:
        return asyncio.run_coroutine_threadsafe(coroutine, loop)
    except RuntimeError:
        coroutine.close()
        raise Unavailable("the event loop of these activities has ended") from None


def _answer(waiting: concurrent.futures.Future[T], loop: asyncio.AbstractEventLoop) -> T:
    try:
        # A loop may end with this in its inbox, and then nobody answers.
        while not concurrent.futures.wait({waiting}, LOOK).done:
            if loop.is_closed():
                raise Unavailable("the event loop of these activities has ended")
        return waiting.result()
    except concurrent.futures.CancelledError:
        raise Unavailable("the event loop of these activities has ended") from None
    except KeyboardInterrupt:
        waiting.cancel()
        raise


def _handed_out_by() -> asyncio.AbstractEventLoop | None:
    """The loop that gave this thread its work, as far as it is told: the hub of a server has to live there, also if an
    endpoint in a thread is the first to need it.
    """
    loop = serving.get()
    if loop is None and "anyio" in sys.modules:
        with suppress(RuntimeError):  # not one of its threads, or not asyncio's
            loop = import_module("anyio.from_thread").run_sync(asyncio.get_running_loop)
    return loop if loop is not None and loop.is_running() else None


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run(loop: asyncio.AbstractEventLoop) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop().run_forever()
