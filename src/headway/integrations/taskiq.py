"""taskiq: its tasks as activities.

One line where the broker is made, which publishers and workers import::

    from headway.integrations.taskiq import HeadwayMiddleware

    broker = ListQueueBroker("redis://").with_middlewares(HeadwayMiddleware())

In a task, ``headway.current()`` is its activity. A cancel stops a task that is a coroutine function; in others, which
run in a thread, ``headway.current().check_cancelled()`` or a report is where they learn of it.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any, Unpack

from taskiq import AsyncTaskiqDecoratedTask, TaskiqMessage, TaskiqMiddleware, TaskiqResult
from taskiq.exceptions import NoResultError

from headway.core.errors import Cancelled
from headway.integrations.queues.stopping import stoppable
from headway.integrations.queues.ticket import HEADER
from headway.integrations.queues.tracker import Options, Run, Tracker, running

__all__ = ["HeadwayMiddleware"]

_Task = AsyncTaskiqDecoratedTask[Any, Any]


class HeadwayMiddleware(TaskiqMiddleware):
    """Shows the tasks of a broker."""

    def __init__(self, **options: Unpack[Options]) -> None:
        """``options``: see ``Options``."""
        super().__init__()
        self.tracker: Tracker = Tracker("taskiq", **options)
        self._again: set[str] = set()

    def startup(self) -> None:
        """The broker starts, in a worker or where tasks are published."""
        if self.broker.is_worker_process:
            self.tracker.work()

    async def shutdown(self) -> None:
        """The broker stops."""
        await asyncio.to_thread(self.tracker.close)

    # Where tasks are published

    def pre_send(self, message: TaskiqMessage) -> TaskiqMessage:
        """A task is about to be sent, for the first time or again."""
        if _run_of(message) is not None:  # it is tried again
            self._again.add(message.task_id)
        known = message.labels.pop(HEADER, None)
        header = self.tracker.header(message.task_name, message.task_id, known, message.args, message.kwargs)
        if header is not None:
            message.labels[HEADER] = header
        return message

    def post_send(self, message: TaskiqMessage) -> None:
        """It has been sent."""
        if _run_of(message) is None:
            self.tracker.announce(message.labels.get(HEADER))

    # Where they run: all of this in one asyncio task, and its context

    async def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        """A task is about to run."""
        task = self.broker.find_task(message.task_name)
        if task is None or not self.tracker.wants(message.task_name):
            return message
        header = message.labels.get(HEADER)
        run = self.tracker.begin(message.task_name, message.task_id, header, args=message.args, kwargs=message.kwargs)
        run.task = message
        _let_look(task)
        run.enter()
        await run.may_begin_async()
        if (callback := asyncio.current_task()) is not None:
            callback.add_done_callback(lambda _: run.abandon())
        return message

    def on_error(self, message: TaskiqMessage, result: TaskiqResult[Any], exception: BaseException) -> None:
        """It has raised."""
        if (run := _run_of(message)) is not None:
            run.error = exception

    def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        """It has returned or raised, and if it is to be tried again, that has been seen to."""
        run = _run_of(message)
        if run is None:
            return
        run.exit()
        skipped = isinstance(result.error, NoResultError) and not isinstance(run.error, NoResultError)
        if message.task_id in self._again or skipped:
            self._again.discard(message.task_id)
            run.retried(int(message.labels.get("_retries", 1)), _most(message), run.error)
        elif not run.over:
            run.ended(None if isinstance(run.error, NoResultError) else run.error)


def _run_of(message: TaskiqMessage) -> Run | None:
    run = running()
    return run if run is not None and run.ticket.id == message.task_id else None


def _most(message: TaskiqMessage) -> int | None:
    """How often it is tried again; the label counts the first time, too."""
    return int(message.labels["max_retries"]) - 1 if "max_retries" in message.labels else None


def _let_look(task: _Task) -> None:
    """Let it look, before it begins, whether it may: no hook of taskiq's can keep it from running."""
    function = task.original_func
    if isinstance(function, _Looking) or hasattr(function, "_headway"):
        return
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def looked(*args: Any, **kwargs: Any) -> Any:
            run = running()
            if run is None:
                return await function(*args, **kwargs)
            with _Look(run):
                return await stoppable(run, lambda: function(*args, **kwargs))

        looked._headway = True  # type: ignore[attr-defined]
        task.original_func = looked
    else:
        task.original_func = _Looking(function)


class _Looking:
    """A plain function that looks. It can be sent to another process, where it does not know of a run."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        run = running()
        if run is None:
            return self._function(*args, **kwargs)
        with _Look(run):
            return self._function(*args, **kwargs)


class _Look:
    """A task that is to stop does not begin, and is not tried again."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __enter__(self) -> None:
        if self._run.over:
            self.__exit__()
            raise Cancelled("the task was cancelled before it began")

    def __exit__(self, *_: object) -> None:
        if self._run.to_stop:
            self._run.task.labels["retry_on_error"] = False
