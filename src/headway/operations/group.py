"""A task group whose tasks are children of one activity."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from headway.core.errors import Cancelled

if TYPE_CHECKING:
    from headway.operations.options import StartOptions
    from headway.operations.start import Start
    from headway.reporter import Reporter

T = TypeVar("T")


class TaskGroup:
    """An ``asyncio.TaskGroup`` where each task is an activity below its parent.

    As there, the first that fails cancels the others, and leaving the block waits for all and raises an
    ``ExceptionGroup`` of what failed. A child that a user cancels stops alone: a request to stop goes down a tree,
    never up.
    """

    def __init__(self, parent: Reporter) -> None:
        self._parent = parent
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._tasks.__aexit__(kind, error, traceback)

    def create_task(
        self, coroutine: Coroutine[Any, Any, T], type: str, **options: Unpack[StartOptions]
    ) -> asyncio.Task[T]:
        """Run the coroutine in a task that is a child of the activity; options as of ``Activities.start``.

        In it, ``headway.current()`` is the child. Raises ``InvalidInput`` for what a rule forbids.
        """
        with ExitStack() as undo:
            undo.callback(coroutine.close)
            running = _run(self._parent.start(type, **options), coroutine)
            undo.callback(running.close)
            task = self._tasks.create_task(running)
            # Whatever keeps it from being awaited, a cancel before its first step among it.
            closing = undo.pop_all()
            task.add_done_callback(lambda _: closing.close())
            return task


async def _run(start: Start, coroutine: Coroutine[Any, Any, T]) -> T:
    child: Reporter | None = None
    try:
        async with start as child:
            return await coroutine
    except Cancelled as cancelled:
        # That of something else, which it has waited for: it has failed. Before there is a child, it is its own.
        if child is not None and not child.cancel_requested:
            raise
        raise asyncio.CancelledError(*cancelled.args) from cancelled
