"""The way from this process to the Headway server: a sender for its jobs, and a thread for what must wait for it."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from headway.client import NO_RETRIES, Client, Job, Unreachable
from headway.client.jobs.news import fitted
from headway.core.errors import HeadwayError, Unavailable
from headway.integrations.celery.ticket import Ticket

ROUND = 0.1
"""Seconds between two looks at what is waited for, while something is."""

PATIENCE = 60.0
"""Seconds that a record which was announced may take; then it is left to the worker, which says it again."""

MAX_PENDING = 1_000
"""Records on their way, of which the oldest are given up when there are more."""

MAX_ROOTS = 1_000
"""Canvases that are kept in mind."""

TIMEOUT = 5.0
"""Seconds for an answer, and at the end for all."""

_log = logging.getLogger("headway")
_left_behind: list[Client] = []
"""In a forked child: the parent's clients. To take them apart would touch connections that the parent uses."""

HTTP_LOG = "httpx2"

Chore = Callable[[Client], bool]
"""Something to be done in the thread, which may wait; true when it is done, else it is tried again a little later."""


class Link:
    """One for each process: a forked child makes its own."""

    def __init__(self, url: str | None, token: str | None) -> None:
        self._url, self._token = url, token
        self._made: Client | None = None
        self._told = False
        logging.getLogger(HTTP_LOG).addFilter(_others)
        self._begin()

    def __repr__(self) -> str:
        return f"<Link {self._url} pending={len(self._pending)} chores={len(self._chores)}>"

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._awake = threading.Event()
        self._thread: threading.Thread | None = None
        self._pending: deque[tuple[Job, float]] = deque()
        self._chores: deque[tuple[Chore, float]] = deque()
        self._roots: OrderedDict[str, Job] = OrderedDict()
        self.active: dict[str, Job] = {}
        """The jobs that run in this process, by the id of the task."""
        self._at_exit = False
        self._closed = False
        self._rounds: list[tuple[float, Callable[[Client], None]]] = []

    def forked(self) -> None:
        """This is a child of the process that it was made in."""
        if self._made is not None:
            _left_behind.append(self._made)
            self._made = None
        self._begin()

    @property
    def client(self) -> Client:
        """Of this process."""
        if self._pid != os.getpid():
            self.forked()
        with self._lock:
            if self._made is None:
                self._made = Client(self._url, self._token, timeout=TIMEOUT, retries=NO_RETRIES)
            return self._made

    # Jobs

    def start(self, ticket: Ticket, **more: Any) -> Job:
        """The activity of a ticket, new or known; this process keeps it alive until it has ended or is left."""
        return self.client.activities.start(
            ticket.type, **{**ticket.options, "parent": self._parent(ticket.parent), **more}
        )

    def announce(self, ticket: Ticket) -> None:
        """See that there is a record of it, and no more: others keep it alive."""
        self._await_record(self.start(ticket))

    def _parent(self, parent: Ticket | str | None) -> Job | str | None:
        """A job of this process where there is one: its end then waits until the part has a record."""
        if isinstance(parent, Ticket):
            return self.active.get(parent.id) or self._root(parent)
        return next((job for job in list(self.active.values()) if parent is not None and job.uuid == parent), parent)

    def _root(self, ticket: Ticket) -> Job:
        with self._lock:
            job = self._roots.get(ticket.id)
            if job is None:
                job = self._roots[ticket.id] = self.start(ticket)
                self._await_record(job)
                if len(self._roots) > MAX_ROOTS:
                    self._roots.popitem(last=False)
            return job

    def _await_record(self, job: Job) -> None:
        if not self._at_exit:  # after the sender's own, so that this comes first
            self._at_exit = True
            atexit.register(self._leave_all)
        self._pending.append((job, time.monotonic()))
        if len(self._pending) > MAX_PENDING:
            leave(self._pending.popleft()[0])
        self._wake()

    # Chores

    def do(self, chore: Chore) -> None:
        """Do it in the thread, soon."""
        if self._pid != os.getpid():
            self.forked()
        self._chores.append((chore, time.monotonic()))
        self._wake()

    def hand_back(self, job: Job, **news: Any) -> None:
        """Say this of it, and nothing more from here: it goes on elsewhere."""

        def handed_back(client: Client) -> bool:
            if job.over:
                return True
            if job.uuid is None:
                return False
            try:
                client.activities.report(job.uuid, fitted(**news))
            except Unavailable:
                raise
            except HeadwayError:  # it has ended meanwhile, or nobody knows of it
                pass
            leave(job)
            return True

        self.do(handed_back)

    def every(self, seconds: float, work: Callable[[Client], None]) -> None:
        """Do it in the thread, again and again."""
        self._rounds.append((seconds, work))
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="headway-celery", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # the interpreter is on its way out, or there are no more threads to be had
                    self._thread = None
        self._awake.set()

    def _run(self) -> None:
        due: dict[int, float] = {}
        while not self._closed:
            busy = self._pending or self._chores
            self._awake.wait(ROUND if busy else min([seconds for seconds, _ in self._rounds], default=None))
            self._awake.clear()
            self._settle()
            for _ in range(len(self._chores)):
                self._try(*self._chores.popleft())
            now = time.monotonic()
            for number, (seconds, work) in enumerate(list(self._rounds)):
                if now >= due.get(number, 0.0):
                    due[number] = now + seconds
                    self._safely(work)
            if busy:
                time.sleep(ROUND / 2)

    def _settle(self) -> None:
        for _ in range(len(self._pending)):
            job, since = self._pending.popleft()
            late = time.monotonic() - since > PATIENCE
            if job.uuid is not None or job.over or late:
                leave(job)
                continue
            if job.problem is not None:
                self._tell(job.problem)
            self._pending.append((job, since))

    def _try(self, chore: Chore, since: float) -> None:
        done = self._safely(chore)
        if not done and time.monotonic() - since < PATIENCE:
            self._chores.append((chore, since))

    def _safely(self, work: Callable[[Client], Any]) -> Any:
        try:
            result = work(self.client)
        except HeadwayError as error:
            self._tell(error)
            return False
        except Exception:  # a fault of ours: the tasks go on
            _log.exception("a task could not be shown")
            return True
        self._told = False
        return result

    def _tell(self, error: HeadwayError) -> None:
        if isinstance(error, Unreachable) and not self._told:
            self._told = True
            _log.warning("tasks run, and are not shown until this changes: %s", error.message)

    def _leave_all(self) -> None:
        """Who has published a task and ends is no reason for its end."""
        if self._pid == os.getpid():
            for job, _ in list(self._pending):
                leave(job)

    def close(self) -> None:
        """Deliver what is still to be said; nothing is said after that."""
        if self._pid != os.getpid():
            return
        self._closed = True
        self._awake.set()
        if self._thread is not None:
            self._thread.join(TIMEOUT)
        if self._made is not None:
            self._leave_all()
            for chore, _ in list(self._chores):
                self._safely(chore)
            made, self._made = self._made, None
            made.close()


def leave(job: Job) -> None:
    """Say nothing more of it from here: somebody else goes on under its activity."""
    job._delivery.leave()


def _others(record: logging.LogRecord) -> bool:
    """A worker that logs at INFO would write two lines a second of our requests."""
    return not (record.threadName or "").startswith("headway")
