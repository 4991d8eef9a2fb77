"""The activities of a host application: open before its first request, closed after its last, its streams in between.

For Starlette, FastAPI and Litestar, and for any other host by a Starlette around it::

    app = FastAPI(lifespan=lifespan(activities, headway))
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import FrameType
from typing import Protocol

from headway.hub import Activities

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What asks a server to stop."""


class Served(Protocol):
    """What holds connections open, as ``ActivitiesApp`` does."""

    async def stop(self) -> None:
        """End the open streams."""


def lifespan(activities: Activities, *served: Served) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """What a framework takes as its ``lifespan``; a host that has one of its own enters this in it.

    ``served``: the applications whose streams are ended as soon as the process is asked to stop. A server such as
    uvicorn says so to nobody, waits until every connection has ended, and only then ends the lifespan: an event stream,
    which never ends by itself, would keep it for ever. Where signals cannot be listened to, outside of the main thread,
    streams end with the lifespan, and the server needs a limit of its own (``--timeout-graceful-shutdown``).
    """

    @asynccontextmanager
    async def running(_: object = None) -> AsyncIterator[None]:
        loop, stopping = asyncio.get_running_loop(), set[asyncio.Task[None]]()

        async def stop() -> None:
            await asyncio.gather(*(one.stop() for one in served))

        async with activities:
            with _heard(lambda: loop.call_soon_threadsafe(lambda: stopping.add(loop.create_task(stop())))):
                yield
            await stop()

    return running


@contextmanager
def _heard(asked: Callable[[], object]) -> Iterator[None]:
    """Hear of the signals before the server's own handlers do; where it has none, they do what they always did."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        asked()
        before = handlers[signal.Signals(number)]
        if callable(before):
            before(number, frame)

    listened = [number for number, before in handlers.items() if callable(before)]
    for number in listened:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in listened:
            if signal.getsignal(number) is handle:
                signal.signal(number, handlers[number])
