"""The event loop that a hub lives on, and the way to it from threads, from other loops, and from programs that have
none.

A hub belongs to the loop that opened it. Where a thread needs one first, a loop of its own is started for it, on a
thread that ends with the process.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from headway.core.errors import Unavailable
from headway.forks import REFUSAL

P = ParamSpec("P")
T = TypeVar("T")


class Portal:
    """Where the hub's coroutines run."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._private: threading.Thread | None = None
        self._forked = False
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
        """Await a coroutine on the hub's loop, from whichever loop this is."""
        loop = self._loop
        if loop is None or loop is asyncio.get_running_loop():
            return await function(*args, **kwargs)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(function(*args, **kwargs), loop))

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

        waiting = _submitted(awaited(), self._loop or self._started())
        try:
            return waiting.result()
        except concurrent.futures.CancelledError:
            raise Unavailable("the event loop of these activities has ended") from None
        except KeyboardInterrupt:
            waiting.cancel()
            raise

    def forked(self) -> None:
        """In a forked child: the loop is the parent's, and nothing runs on the copy of it."""
        self._loop, self._private, self._forked = None, None, True

    def stop(self) -> None:
        """End the loop that was started for the hub, if one was."""
        with self._starting:
            loop, thread = self._loop, self._private
            if thread is None or loop is None:
                return
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            self._loop = self._private = None

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


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run(loop: asyncio.AbstractEventLoop) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop().run_forever()
