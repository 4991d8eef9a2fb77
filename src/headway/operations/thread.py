"""A thread of this process as an operation.

A thread cannot be stopped from outside. It is asked by a token, which it has to look at; one that does not is shown as
overdue for as long as it runs, and is never said to have stopped before it has.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from headway.core.activity import Activity

T = TypeVar("T")


class ThreadOperation:
    """Code in a thread that can be asked to stop."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        """Set once a cancel is on record."""

    def request_stop(self, activity: Activity) -> None:
        """Set the token."""
        self.asked.set()


async def run_in_thread(
    function: Callable[..., T], *args: Any, name: str, cancelled: Callable[[], object] = lambda: None
) -> T:
    """Call the function in a thread of its own, in a copy of this context, and wait for it, however often this task is
    cancelled meanwhile: that is raised once the function has returned. ``cancelled`` is called at each.

    No pool: long work would take its threads from everyone else. The thread does not hold up the exit of the process.
    """
    done: concurrent.futures.Future[T] = concurrent.futures.Future()
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_carry, done, function, args), name=name, daemon=True).start()
    waiting = asyncio.wrap_future(done)
    interrupted: asyncio.CancelledError | None = None
    while not waiting.done():
        try:
            await asyncio.wait({waiting})
        except asyncio.CancelledError as error:
            interrupted = error
            cancelled()
    if interrupted is not None and waiting.exception() is None:
        raise interrupted
    return waiting.result()


def _carry(done: concurrent.futures.Future[T], function: Callable[..., T], args: tuple[Any, ...]) -> None:
    try:
        result = function(*args)
        done.set_result(result)
    except (Exception, asyncio.CancelledError, SystemExit) as error:
        done.set_exception(error)
    finally:
        if not done.done():
            done.set_exception(RuntimeError("the thread has ended without a result"))
