"""A task that a process of a worker has in hand, and what its request tells."""

# Celery has no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import os
from contextlib import AbstractContextManager, suppress
from typing import Any
from uuid import uuid4

from billiard.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from celery.exceptions import Retry

from headway.client import Job, State
from headway.core.errors import Cancelled
from headway.integrations.celery.ticket import Ticket, leaves, read
from headway.integrations.queues.ticket import HEADER, STOPS
from headway.wire import fitting

RUNS = "_headway"
"""Where Celery's own record of a run has ours: the same task may be here twice, when it is tried again."""


class Held:
    """A task that this process has in hand."""

    def __init__(self, ticket: Ticket, job: Job, request: Any = None) -> None:
        self.ticket: Ticket = ticket
        self.job: Job = job
        self.request: Any = request
        """Celery's own record of it."""
        self.receipt: str = uuid4().hex[:12]
        self.inside: AbstractContextManager[None] | None = None
        self.here: bool = False
        """It runs in this process, or has."""
        self.end: tuple[State, str | None] | None = None
        """How it ended, as the main process sees it."""
        self.stopped: bool = False
        """The pool process has ended itself, to stop it."""
        self.revoked: bool = False
        """It had not been handed to the pool when it was last looked at, and will not be."""
        self.gone_at: float | None = None
        """Monotonic time since which the worker does not have it any more."""

    def __repr__(self) -> str:
        return f"<Held {self.ticket.id} end={self.end} {self.job!r}>"

    @property
    def to_stop(self) -> bool:
        """Whether somebody wants it to stop."""
        return self.stopped or self.job.stop in STOPS

    @property
    def elsewhere(self) -> int | None:
        """The pool process that runs it."""
        pid: int | None = getattr(self.request, "worker_pid", None)
        return None if self.here or pid == os.getpid() else pid

    def tell(self, **news: Any) -> None:
        """Report, and leave it to the task when to stop."""
        with suppress(Cancelled):
            self.job.report(**news)


WORDS = {State.FAILED: "failed", State.LOST: "been lost", State.CANCELLED: "been cancelled"}


def outcome(held: Held, error: object) -> tuple[State, str | None]:
    """What a task has become that ended by an error, and what there is to say of it."""
    if held.to_stop and isinstance(error, Cancelled):
        return State.CANCELLED, None
    if isinstance(error, TimeLimitExceeded | SoftTimeLimitExceeded):
        limit = "".join(f" of {seconds:g} s" for seconds in error.args if isinstance(seconds, int | float))
        return (
            State.FAILED,
            f"{'soft' if isinstance(error, SoftTimeLimitExceeded) else 'hard'} time limit{limit} exceeded",
        )
    return State.FAILED, fitting.said(error) if isinstance(error, BaseException) else str(error)


def runs_again(task: Any) -> bool:
    return bool((task.acks_late and task.reject_on_worker_lost) or getattr(task, "retry_on_worker_lost", False))


def retried(request: Any, error: Retry) -> dict[str, Any]:
    number = 1 + (request.request_dict.get("retries") or 0)
    most = "" if request.task.max_retries is None else f" of {request.task.max_retries}"
    why = "" if error.exc is None else f": {error.exc}"
    return {"subtitle": f"retry {number}{most}{why}", "context": retries(number)}


def retries(number: int | None) -> dict[str, str]:
    """The member of the context that counts them."""
    return {"retries": str(number)} if number else {}


def followers(request: Any) -> list[Ticket]:
    """The tasks on record that do not run unless this one succeeds."""
    context = getattr(request, "_context", request)
    chord = getattr(context, "chord", None)
    found = leaves([*(getattr(context, "chain", None) or ()), *([chord] if chord else ())])
    tickets = [read(((each.get("options") or {}).get("headers") or {}).get(HEADER)) for each in found]
    return [ticket for ticket in tickets if ticket is not None]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def number(value: object) -> float | None:
    return value if isinstance(value, int | float) else None
