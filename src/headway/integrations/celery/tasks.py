"""What Celery has no signal for: progress by ``update_state``, the last look before a task runs, and what becomes of a
request in the worker that has it.
"""

# Celery has no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from celery.exceptions import Ignore
from celery.utils.imports import symbol_by_name

from headway.core.errors import Cancelled


class Observer(Protocol):
    """Whom it is told."""

    def progressed(self, id: str, meta: Mapping[str, Any]) -> None:
        """A task has said how far it is."""

    def may_run(self, id: str) -> bool:
        """False for a task that has been cancelled before it began."""

    def runs(self, request: Any) -> AbstractContextManager[None]:
        """The block is the work of a task."""

    def failed(self, request: Any, error: Exception) -> bool:
        """A request has not succeeded; true when it counts as revoked, whatever Celery makes of it."""


def instrument(task: Any, observer: Observer) -> None:
    """Once for each task, before the worker takes up its work."""
    if vars(task).get("_headway_instrumented"):
        return
    task._headway_instrumented = True
    task.update_state = _telling(task, task.update_state, observer)
    task.run = _looking(task, task.run, observer)
    task.Request = _observed(symbol_by_name(task.Request), observer)


def _telling(task: Any, update_state: Any, observer: Observer) -> Any:
    @functools.wraps(update_state)
    def told(task_id: str | None = None, state: Any = None, meta: Any = None, **more: Any) -> Any:
        if isinstance(meta, Mapping):
            observer.progressed(task_id or task.request.id, meta)
        return update_state(task_id=task_id, state=state, meta=meta, **more)

    return told


def _looking(task: Any, run: Any, observer: Observer) -> Any:
    @functools.wraps(run)
    def looked(*args: Any, **kwargs: Any) -> Any:
        id = task.request.id
        if id is None or task.request.called_directly:
            return run(*args, **kwargs)
        try:
            if observer.may_run(id):
                with observer.runs(task.request):
                    return run(*args, **kwargs)
        except Cancelled:
            if observer.may_run(id):  # of something else, that it has waited for
                raise
        task.backend.mark_as_revoked(id, "cancelled", request=task.request)
        raise Ignore

    return looked


def _observed(base: Any, observer: Observer) -> Any:
    class Request(base):  # type: ignore[misc]
        def on_failure(self, exc_info: Any, *args: Any, **options: Any) -> Any:
            error = exc_info.exception
            error = getattr(error, "exc", None) or error if type(error).__name__ == "ExceptionWithTraceback" else error
            if observer.failed(self, error) and not self._already_revoked:
                return self._announce_revoked("terminated", True, "SIGTERM", False)
            return super().on_failure(exc_info, *args, **options)

    return Request
