"""What a worker says of its tasks.

The main process has a job for each task that it has in hand: it keeps the activity alive while the task waits, hears of
cancels, and knows what became of a pool process that says nothing any more. Where the pool is of processes, the one
that runs the task has a job of its own under the same activity: that tells the progress and how the task ended.
"""

# Celery has no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any

import celery.worker.state as worker_state
from billiard.exceptions import Terminated, TimeLimitExceeded, WorkerLostError
from celery.concurrency.prefork import TaskPool
from celery.exceptions import Ignore, Reject, Retry

from headway.client import Client, OnLoss, State
from headway.context import within
from headway.integrations.celery.held import (
    RUNS,
    WORDS,
    Held,
    followers,
    is_gone,
    number,
    outcome,
    retried,
    retries,
    runs_again,
)
from headway.integrations.celery.jobs import Jobs
from headway.integrations.celery.keeper import Keeper
from headway.integrations.celery.publishing import Rules
from headway.integrations.celery.tasks import instrument
from headway.integrations.celery.ticket import (
    CONTEXT,
    NOT_RUN,
    Ticket,
    read,
)
from headway.integrations.celery.turn import LastWords, Turn
from headway.integrations.queues.keeper import cancelled
from headway.integrations.queues.ticket import HEADER, QUEUED, RECEIPT, RETURNED, RUNNING, STOPS
from headway.wire import fitting

SETTLING = 2.0
"""Seconds that a pool process has to tell how its task ended, before the main process does."""

_log = logging.getLogger("headway")
_running: ContextVar[Held | None] = ContextVar("headway_celery", default=None)


class Worker:
    """One process of a worker: its main process, or one of its pool."""

    def __init__(self, rules: Rules, jobs: Jobs, *, terminate: bool) -> None:
        self._rules = rules
        self._jobs = jobs
        self._link = jobs.link
        self._terminates = terminate
        self._controller: Any = None
        self._turn: Turn | None = None
        self._main: int | None = None
        self._held: dict[str, Held] = {}
        self._again: set[str] = set()
        self._keeper = Keeper(rules.app)

    def __repr__(self) -> str:
        return f"<Worker held={len(self._held)} {self._link!r}>"

    @property
    def _in_pool(self) -> bool:
        return self._main is not None and os.getpid() != self._main

    def running(self) -> Ticket | None:
        """The ticket of the task that this code is part of."""
        held = _running.get()
        return None if held is None else held.ticket

    def again(self, id: str) -> None:
        """A task is published again from within itself."""
        self._again.add(id)

    # Life of the process

    def begins(self, sender: Any = None, **_: Any) -> None:
        """A worker is about to begin: ``worker_init``."""
        self._main, self._controller = os.getpid(), sender
        self._turn = Turn(LastWords())
        for task in sender.app.tasks.values():
            if self._rules.wants(task.name):
                instrument(task, self)
        self._link.every(1.0, self._look)

    def pool_process_begins(self, **_: Any) -> None:
        """``worker_process_init``; in a pool without processes it is the main one that is told."""
        if self._in_pool:
            self._link.forked()
            self._link.quiet = True
            self._jobs.forked()
            self._held, self._again = {}, set()
            if not (self._terminates and self._controller.use_eventloop):
                self._turn = None

    def ends(self, **_: Any) -> None:
        """``worker_shutdown``, ``worker_process_shutdown``: what it still has in hand goes back to the broker."""
        for held in list(self._held.values()):
            if held.end is not None or self._in_pool:
                continue
            if held.elsewhere and held.ticket.id not in worker_state.requests:  # it has run
                held.job.leave()
            else:
                began = held.here or held.elsewhere or held.request is None
                self._requeued(held, QUEUED if began or held.request.eta is None else None)
        self._link.close()

    # A task in the main process

    def received(self, request: Any = None, **_: Any) -> None:
        """The worker has a task in hand: ``task_received``."""
        ticket = self._ticket(request.name, request.id, request.request_dict.get(HEADER))
        if ticket is None:
            return
        if (before := self._held.get(ticket.id)) is not None:  # delivered anew, after a connection was lost
            before.job.leave()
        # If its record is lost, whoever runs it makes another: a process of the pool, or else this one.
        on_loss = OnLoss.STOP if issubclass(self._controller.pool_cls, TaskPool) else OnLoss.CONTINUE
        held = Held(ticket, self._jobs.start(ticket, on_loss=on_loss, raise_on_cancel=True), request)
        self._held[ticket.id] = held
        place = {RECEIPT: held.receipt, "worker": str(request.hostname)}
        later = request.eta is not None and not request.request_dict.get("retries")  # which has more to say
        held.tell(context=place, subtitle=f"begins at {request.eta:%Y-%m-%d %H:%M:%S %Z}" if later else None)
        held.job.on_stop(lambda reason: self._revoke(held, reason))

    def _revoke(self, held: Held, reason: str) -> None:
        # A pool process that runs it learns of it by itself. What Celery has revoked, it has told of.
        if reason in STOPS and held.ticket.id not in worker_state.revoked:
            _log.info("Task %s[%s] is asked to stop by Headway", held.request.name, held.ticket.id)
            worker_state.revoked.add(held.ticket.id)

    def revoked(self, request: Any = None, expired: bool = False, **_: Any) -> None:
        """Celery does not run it, or no longer: ``task_revoked``."""
        held = self._held.get(request.id)
        if held is None:
            ticket = self._ticket(request.task, request.id, getattr(request, HEADER, None))
            if ticket is None:
                return
            held = Held(ticket, self._jobs.start(ticket, on_loss=OnLoss.STOP))
        if expired:
            self._ended(held, State.FAILED, "expired before it began", followers(request))
        else:
            self._ended(held, State.CANCELLED, None, followers(request))

    def failed(self, request: Any, error: Exception) -> bool:
        """See ``tasks.Observer``."""
        held = self._held.get(request.id)
        if held is None:
            return False
        if held.request is not request:  # it has come back before its former run was told of
            if isinstance(error, Retry) and held.elsewhere is None:  # else it has told so itself
                held.tell(**retried(request, error))
            return False
        left, died = followers(request), isinstance(error, WorkerLostError)
        held.stopped = self._turn is not None and self._turn.last_words.were_of(request.id)
        if isinstance(error, Terminated) or (
            held.to_stop and (died or isinstance(error, SystemExit | KeyboardInterrupt))
        ):
            self._ended(held, State.CANCELLED, None, left)
            return True
        if died and runs_again(request.task):
            self._requeued(held, "queued again, for its process died")
        elif died:
            self._ended(held, State.LOST, fitting.said(error), left)
        elif isinstance(error, Retry):
            self._requeued(held, **retried(request, error))
        elif isinstance(error, Reject) and error.requeue:
            self._requeued(held, QUEUED)
        elif isinstance(error, Ignore):
            self._ignored(held, left)
        else:
            self._ended(held, *outcome(held, error), left, at_once=isinstance(error, TimeLimitExceeded))
        return False

    def _ignored(self, held: Held, rest: Iterable[Ticket]) -> None:
        if held.to_stop or held.ticket.id in worker_state.revoked:
            self._ended(held, State.CANCELLED, None, rest, at_once=False)
        elif held.elsewhere or held.ticket.id in self._again:  # the pool process knows, or it has been replaced
            self._requeued(held, QUEUED)
        else:
            self._ended(held, State.SUCCEEDED, None, ())

    def _requeued(self, held: Held, subtitle: str | None, context: Mapping[str, str] | None = None) -> None:
        """It goes on, and not here: whoever has it next keeps it alive, and before that all do."""
        self._forget(held)
        place = {CONTEXT: QUEUED, RETURNED: held.receipt, **(context or {})}
        self._link.hand_back(held.job, subtitle=subtitle, context=place)

    def _ended(
        self, held: Held, state: State, error: str | None, rest: Iterable[Ticket], *, at_once: bool = True
    ) -> None:
        """How it ended. ``rest``: what does not run now; ``at_once``: the pool process cannot say it."""
        if held.end is not None:
            return
        held.end, held.gone_at = (state, error), time.monotonic()
        for ticket in rest:
            why = fitting.text(f"{NOT_RUN}{held.ticket.title} has {WORDS[state]}", 500)
            self._jobs.start(ticket).finish(State.FAILED, why)
        if at_once or held.elsewhere is None:
            self._say(held)

    def _say(self, held: Held) -> None:
        self._forget(held)
        state, error = held.end or (State.SUCCEEDED, None)
        if state is State.CANCELLED and not held.to_stop:  # revoked by Celery's own means
            self._link.do(lambda client: cancelled(client, held.job))
        else:
            held.job.finish(state, error)

    def _forget(self, held: Held) -> None:
        self._again.discard(held.ticket.id)
        if self._turn is not None:
            self._turn.last_words.forget(held.ticket.id)
        if self._held.get(held.ticket.id) is held:
            del self._held[held.ticket.id]
        if self._jobs.active.get(held.ticket.id) is held.job:
            del self._jobs.active[held.ticket.id]

    def _ticket(self, name: str, id: str, header: object) -> Ticket | None:
        if not self._rules.wants(name):
            return None
        ticket = read(header)
        return ticket if ticket is not None and ticket.id == id else self._rules.ticket(name, id)

    # Where a task runs

    def prerun(self, task_id: str = "", task: Any = None, **_: Any) -> None:
        """It begins: ``task_prerun``."""
        request = task.request
        held = self._held.get(task_id)
        if request.is_eager:
            return
        if held is None or (held.job.over and not held.to_stop):  # its record has been lost while nobody was there
            ticket = self._ticket(task.name, task_id, getattr(request, HEADER, None))
            if ticket is None:
                return
            job = self._jobs.start(ticket, on_loss=OnLoss.CONTINUE, raise_on_cancel=True)
            held = self._held[task_id] = Held(ticket, job, None if held is None else held.request)
        held.here = True
        setattr(request, RUNS, held)
        self._jobs.active[task_id] = held.job
        held.inside = within(held.job)  # type: ignore[arg-type]
        held.inside.__enter__()
        _running.set(held)
        held.tell(subtitle="", context={CONTEXT: RUNNING, "worker": str(request.hostname), **retries(request.retries)})

    def postrun(self, task_id: str = "", task: Any = None, state: str = "", retval: Any = None, **_: Any) -> None:
        """It has returned, or raised: ``task_postrun``."""
        held: Held | None = getattr(task.request, RUNS, None)
        if held is None or held.inside is None:
            return
        held.inside.__exit__(None, None, None)
        held.inside = None
        _running.set(None)
        again = task_id in self._again
        if not self._in_pool:
            if state == "SUCCESS":
                self._ended(held, State.SUCCEEDED, None, ())
            return  # its request is told of all else
        self._forget(held)
        if held.to_stop and state in ("IGNORED", None):  # None: by SystemExit, which a handler of SIGTERM may raise
            held.job.finish(State.CANCELLED)
        elif state == "SUCCESS" or (state == "IGNORED" and not again):
            held.job.finish()
        elif state == "FAILURE":
            held.job.finish(*outcome(held, retval))
        else:
            held.job.leave()

    def may_run(self, id: str) -> bool:
        """See ``tasks.Observer``."""
        # Celery itself looks at what is revoked only before a task goes to the pool: that may be long before it begins.
        held = self._held.get(id)
        return id not in worker_state.revoked and (held is None or not held.to_stop)

    def runs(self, request: Any) -> AbstractContextManager[None]:
        """See ``tasks.Observer``."""
        held: Held | None = getattr(request, RUNS, None)
        if held is None or self._turn is None or not self._in_pool:
            return nullcontext()
        return self._turn.of(held)

    def progressed(self, id: str, meta: Mapping[str, Any]) -> None:
        """See ``tasks.Observer``."""
        held = self._held.get(id)
        if held is None:
            return
        # Raises ``Cancelled`` once it is to stop.
        texts = [str(meta[name]) for name in ("status", "message", "description") if meta.get(name)]
        held.job.report(
            progress=number(meta.get("percent", meta.get("progress"))),
            completed=number(meta.get("current", meta.get("done"))),
            total=number(meta.get("total")),
            subtitle=texts[0] if texts else None,
        )

    # Now and then, in the main process

    def _look(self, client: Client) -> None:
        """What nobody tells us of: a task that succeeded in a pool process, or a pool process that has gone."""
        now = time.monotonic()
        for held in list(self._held.values()):
            there = held.ticket.id in worker_state.requests
            if held.gone_at is not None:
                if held.job.over or now - held.gone_at > SETTLING:
                    self._say(held)
            elif held.elsewhere and not there:
                held.gone_at = now
            elif (held.to_stop and is_gone(held.elsewhere)) if held.elsewhere else self._never_runs(held):
                self._ended(held, State.CANCELLED, None, followers(held.request))
        self._keeper.look(client)

    def _never_runs(self, held: Held) -> bool:
        """Whether it has been revoked for a while and not been handed to the pool: it will not be any more."""
        waits = not held.here and held.ticket.id in worker_state.revoked and held.request._apply_result is None
        known, held.revoked = held.revoked, waits
        return known and waits
