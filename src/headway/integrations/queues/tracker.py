"""The thin contract that all queues keep: what is published gets a ticket, and what runs is a run of it."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from typing import Any, TypedDict, Unpack
from uuid import uuid4

from headway.client import Job, OnLoss, State
from headway.client.jobs.news import fitted_type
from headway.client.options import URL_VARIABLE
from headway.context import current, within
from headway.core.errors import Cancelled, HeadwayError
from headway.integrations.queues import keeper
from headway.integrations.queues.keeper import Keeper
from headway.integrations.queues.link import Link
from headway.integrations.queues.ticket import QUEUED, RECEIPT, RETURNED, RUNNING, STOPS, Ticket, read, title_of
from headway.reporter import Reporter
from headway.wire import fitting

LEASE = 30.0
"""Seconds without a sign of life after which a task counts as lost."""

GRACE = 10.0
"""Seconds that a task has to stop."""

PATIENCE = 1.0
"""Seconds that a task waits to hear whether it may begin; not at all while the server cannot be reached."""

LOOK = 0.003
"""Seconds between two looks for that."""

_log = logging.getLogger("headway")
_running: ContextVar[Run | None] = ContextVar("headway_run", default=None)


class Options(TypedDict, total=False):
    """What can be said of all tasks."""

    url: str | None
    """Of the Headway server; or else ``HEADWAY_URL``."""
    token: str | None
    """What opens it; or else ``HEADWAY_TOKEN``. Tasks for other users than the token's own need one of an admin."""
    app: str
    """A name for the workers that look after each other's tasks; that of the library, if not said."""
    tasks: Collection[str] | Callable[[str], bool] | None
    """Names of those to show, or what tells of a name whether it is one; all, if not said."""
    title: Callable[[str, Any, Any], str] | None
    """Of a task, from its name, args and kwargs; its name, if not said."""
    owner: int | Callable[[], int | None] | None
    """The user whose they are, or what tells that where one is published; the token's user, if not said. A task that
    is published by another, or within an activity, is for the same user.
    """
    lease: float
    """Seconds without a sign of life after which a task counts as lost; default 30."""
    grace: float
    """Seconds that it has to stop when asked to; default 10."""


class Tracker:
    """Shows the tasks of one library that this process publishes or runs."""

    def __init__(self, library: str, **options: Unpack[Options]) -> None:
        self.library: str = library
        self.app: str = options.get("app") or library
        self.grace: float = options.get("grace", GRACE)
        self.keeper: Keeper = Keeper(library, self.app)
        self.link: Link = Link(options.get("url"), options.get("token"))
        self.runs: set[Run] = set()
        """Those of this process."""
        self._options = options

    def __repr__(self) -> str:
        return f"<Tracker {self.library} runs={len(self.runs)} {self.link!r}>"

    def wants(self, name: str) -> bool:
        """Whether tasks of that name are shown."""
        tasks = self._options.get("tasks")
        return tasks is None or (tasks(name) if callable(tasks) else name in tasks)

    # Where a task is published

    def header(self, name: str, id: str, known: object = None, args: Any = (), kwargs: Any = None) -> str | None:
        """What the message of a task is to carry that is about to be published; None for one that is not shown.

        ``known``: the header that it has, for one that is published again goes on under the same activity.
        """
        try:
            if not self.wants(name):
                return None
            if (ticket := read(known)) is not None and ticket.id == id:
                return str(known)
            return self._ticket(name, id, uuid4().hex, args, kwargs).header
        except Exception:  # a fault of ours or of who made the options: the task is published all the same
            _log.exception("task %s cannot be shown", name)
            return None

    def announce(self, header: object) -> None:
        """A task is published: see that there is a record of it, where a server is known. Waits for nothing."""
        ticket = read(header)
        if ticket is None or not (self._options.get("url") is not None or URL_VARIABLE in os.environ):
            return
        try:
            self.link.every(keeper.SELDOM, self.keeper.look)
            self.link.announce(self._start(ticket))
        except Exception:  # a fault of ours
            _log.exception("task %s could not be announced", ticket.id)

    def _ticket(self, name: str, id: str, word: str, args: Any = (), kwargs: Any = None) -> Ticket:
        options = self._options
        title, said = options.get("title"), options.get("owner")
        run, activity = _running.get(), current()
        embedded = activity.activity.owner if activity and isinstance(activity, Reporter) else None
        return Ticket(
            library=self.library,
            id=id,
            key=f"{self.library}:{id}:{word}",
            type=fitted_type(name.replace(":", ".")),
            title=title_of(name if title is None else title(name, args, kwargs or {})),
            app=self.app,
            owner=embedded or (run and run.ticket.owner) or (said() if callable(said) else said),
            parent=(activity.uuid or None) if activity else None,
            lease=options.get("lease", LEASE),
            grace=self.grace,
        )

    def _start(self, ticket: Ticket, **more: Any) -> Job:
        # A job of this process where there is one: its end then waits until the part has a record.
        parent = next((run.job for run in list(self.runs) if ticket.parent and run.job.uuid == ticket.parent), None)
        return self.link.start(ticket.type, **{**ticket.options, "parent": parent or ticket.parent, **more})

    # Where tasks run

    def work(self) -> None:
        """This process runs tasks, and looks after those that wait."""
        self.link.every(keeper.LOOK, self.keeper.look)

    def begin(self, name: str, id: str, header: object, word: str = "", args: Any = (), kwargs: Any = None) -> Run:
        """A run of a task is about to begin; ``word``: tells tasks of the same id apart that carry no header."""
        ticket = read(header)
        if ticket is None or ticket.id != id:
            ticket = self._ticket(name, id, word, args, kwargs)
        run = Run(self, ticket)
        self.runs.add(run)
        return run

    def close(self) -> None:
        """Deliver what is still to be said, and let go of threads and connections."""
        self.link.close()


class Run:
    """One run of a task, in the process that runs it."""

    def __init__(self, tracker: Tracker, ticket: Ticket) -> None:
        self.ticket: Ticket = ticket
        self.receipt: str = uuid4().hex[:12]
        self.task: Any = None
        """What the library has of it."""
        self.error: BaseException | None = None
        """What it has raised, as far as that is known."""
        self.over: bool = False
        """It has ended, or goes on elsewhere."""
        self._tracker = tracker
        self._inside: AbstractContextManager[None] | None = None
        self._outside: Run | None = None
        self.job: Job = self._start()
        self._before = self.job

    def __repr__(self) -> str:
        return f"<Run {self.ticket.id} {self.job!r}>"

    def _start(self, **more: Any) -> Job:
        return self._tracker._start(self.ticket, on_loss=OnLoss.CONTINUE, raise_on_cancel=True, **more)

    @property
    def to_stop(self) -> bool:
        """Whether somebody wants it to stop."""
        return self.job.stop in STOPS

    def again(self) -> Job:
        """A job of its own under the same activity, in a process that was forked from the one that began it."""
        return self._start()

    # Its begin

    def may_begin(self) -> bool:
        """Ask the server; false if the task is to stop, and so must not begin. In doubt it may."""
        ends = time.monotonic() + PATIENCE
        while self._undecided(ends):
            time.sleep(LOOK)
        return self._begins()

    async def may_begin_async(self) -> bool:
        """The same, on an event loop."""
        ends = time.monotonic() + PATIENCE
        while self._undecided(ends):  # noqa: ASYNC110 - the sender knows nothing of this event loop
            await asyncio.sleep(LOOK)
        return self._begins()

    def _undecided(self, ends: float) -> bool:
        job, link = self.job, self._tracker.link
        if job.problem is not None and job.uuid is None:
            link.failed(job.problem)
        elif time.monotonic() > ends:
            link.away = link.away or time.monotonic() - link.heard_at > 2 * PATIENCE
        elif not job.over and job.uuid is None:
            return not link.away
        if self._before is job and not self.to_stop and self._has_no_place():
            job.leave()
            self.job = self._start(key=None, parent=None if job.uuid is None else self.ticket.parent)
            return not link.away
        return False

    def _has_no_place(self) -> bool:
        """Its record has ended, for it has run before; or it is a part of something that has ended."""
        refused = isinstance(self.job.problem, HeadwayError) and 400 <= self.job.problem.status < 500
        return self.job.over or (refused and self.job.uuid is None and self.ticket.parent is not None)

    def _begins(self) -> bool:
        if self.to_stop:
            self.job.finish(State.CANCELLED)
            self._forget()
            return False
        self.tell(subtitle="", context={self.ticket.library: RUNNING, RECEIPT: self.receipt})
        return True

    # While it runs

    def enter(self, reporter: Any = None) -> None:
        """For what this thread or asyncio task does from now on, this is the task,"""
        self._outside = _running.get()
        _running.set(self)
        self._inside = within(reporter or self.job)  # type: ignore[arg-type]
        self._inside.__enter__()

    def exit(self) -> None:
        """until now."""
        if self._inside is not None:
            self._inside.__exit__(None, None, None)
            self._inside = None
            _running.set(self._outside)

    def tell(self, **news: Any) -> None:
        """Report, and leave it to the task when to stop."""
        with suppress(Cancelled):
            self.job.report(**news)

    def on_stop(self, reaction: Callable[[], None]) -> None:
        """Call it, in another thread, once somebody wants it to stop."""
        self.job.on_stop(lambda reason: reaction() if reason in STOPS else None)

    # How it ended

    def ended(self, error: BaseException | None = None) -> None:
        """It has returned, or raised."""
        if error is None:
            self.finish(State.SUCCEEDED)
        elif self.to_stop and isinstance(error, Cancelled | asyncio.CancelledError):
            self.finish(State.CANCELLED)
        else:
            self.finish(State.FAILED, fitting.said(error))

    def finish(self, state: State, error: str | None = None) -> None:
        """It has ended so."""
        self._forget()
        if state is State.CANCELLED and not self.to_stop:  # by the library's own means
            self._tracker.link.do(lambda client: keeper.cancelled(client, self.job))
        else:
            self.job.finish(state, error)

    def retried(self, number: int | None, most: int | None = None, error: BaseException | str | None = None) -> None:
        """It has failed and will be tried again: the same activity goes on."""
        count = "" if number is None else f" {number}" if most is None else f" {number} of {most}"
        why = "" if error is None else f": {error if isinstance(error, str) else fitting.said(error)}"
        self.handed_back(f"retry{count}{why}", **({} if number is None else {"retries": str(number)}))

    def handed_back(self, subtitle: str = QUEUED, **context: str) -> None:
        """It lies in the broker again."""
        self._forget()
        place = {self.ticket.library: QUEUED, RETURNED: self.receipt, **context}
        self._tracker.link.hand_back(self.job, subtitle=subtitle, context=place)

    def abandon(self) -> None:
        """Whatever was to become of it, it did not: whoever has it next tells."""
        if not self.over:
            self.handed_back()

    def leave(self) -> None:
        """Another process tells how it ended."""
        self._forget()
        self.job.leave()

    def _forget(self) -> None:
        self.over = True
        self._tracker.runs.discard(self)


def running() -> Run | None:
    """The run that this code is part of."""
    return _running.get()
