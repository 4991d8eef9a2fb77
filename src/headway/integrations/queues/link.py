"""The way from this process to the Headway server: a sender for its jobs, and a thread for what must wait for it."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from headway import forks
from headway.client import NO_RETRIES, Client, Job, Unreachable
from headway.client.jobs.news import fitted
from headway.core.errors import HeadwayError, Unavailable

ROUND, AWAY = 0.05, 1.0
"""Seconds between two looks at what is waited for, while something is; the latter while there is no server."""

FOREVER = 1e6

PATIENCE = 60.0
"""Seconds that a record which was announced may take; then it is left to the worker, which says it again."""

MAX_PENDING = 1_000
"""Records on their way, of which the oldest are given up when there are more."""

TIMEOUT = 5.0
"""Seconds for an answer."""

SAID = 60.0
"""Seconds for which a refusal has been said, though others meet none: so it is with too many activities."""

CLOSING = 2.0
"""Seconds that records on their way have when this is closed; none while the server cannot be reached."""

_log = logging.getLogger("headway")
_left_behind: list[Client] = []
"""In a forked child: the parent's clients. To take them apart would touch connections that the parent uses."""

Chore = Callable[[Client], bool]
"""Something to be done in the thread, which may wait; true when it is done, else it is tried again a little later."""


class Link:
    """One for each process: a forked child makes its own."""

    def __init__(self, url: str | None, token: str | None) -> None:
        self._url, self._token = url, token
        self._made: Client | None = None
        self.quiet: bool = False
        """Another process of the same program says what keeps tasks from being shown."""
        logging.getLogger("httpx2").addFilter(_others)
        self._begin()

    def __repr__(self) -> str:
        return f"<Link {self._url} away={self.away} pending={len(self._pending)} chores={len(self._chores)}>"

    def _begin(self) -> None:
        self.away: bool = False
        """The server could not be reached when that was last tried."""
        self.heard_at: float = 0.0
        """Monotonic time when it last answered to what is done in the thread."""
        self._lock = threading.RLock()
        self._awake, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._pending: deque[tuple[Job, float]] = deque()
        self._chores: deque[tuple[Chore, float]] = deque()
        self._rounds: dict[Callable[[Client], None], float] = {}
        self._due: dict[Callable[[Client], None], float] = {}
        self._told = self._at_exit = False
        self._told_at = 0.0

    def forked(self) -> None:
        """This is a child of the process that it was made in."""
        if self._made is not None:
            _left_behind.append(self._made)
            self._made = None
        self._begin()

    @property
    def client(self) -> Client:
        """Of this process."""
        with self._lock:
            if self._made is None:
                self._made = Client(self._url, self._token, timeout=TIMEOUT, retries=NO_RETRIES)
                forks.tell(self)
            return self._made

    # What is asked of it, in any thread

    def start(self, type: str, **options: Any) -> Job:
        """An activity, new or known; this process keeps it alive until it has ended or is left."""
        return self.client.activities.start(type, **options)

    def announce(self, job: Job) -> None:
        """See that there is a record of it, and no more: others keep it alive."""
        if not self._at_exit:  # after the sender's own, so that this comes first
            self._at_exit = True
            atexit.register(self.close)
        self._pending.append((job, time.monotonic()))
        if len(self._pending) > MAX_PENDING:
            self._pending.popleft()[0].leave()
        self._wake()

    def do(self, chore: Chore) -> None:
        """Do it in the thread, soon."""
        self._chores.append((chore, time.monotonic()))
        self._wake()

    def every(self, seconds: float, work: Callable[[Client], None]) -> None:
        """Do it in the thread, again and again, at least so often."""
        self._rounds[work] = min(seconds, self._rounds.get(work, seconds))
        self._wake()

    def hand_back(self, job: Job, **news: Any) -> None:
        """Say this of it, and nothing more from here: it goes on elsewhere."""
        left = False

        def handed_back(client: Client) -> bool:
            nonlocal left
            if job.over and not left:
                return True
            if job.uuid is None:
                return False
            left, unsaid = True, job.leave()
            if job.sending:  # or what it has said before could be what is heard last
                return False
            try:
                client.activities.report(job.uuid, unsaid.then(fitted(**news)))
            except Unavailable:
                raise
            except HeadwayError:  # it has ended meanwhile, or nobody knows of it
                pass
            return True

        self.do(handed_back)

    def settle(self) -> None:
        """See that what was announced is on record, unless that takes long."""
        ends = time.monotonic() + CLOSING
        while (self._pending or self._chores) and self._thread is not None and not self.away:
            if time.monotonic() > ends:
                break
            time.sleep(ROUND / 5)

    def close(self) -> None:
        """Deliver what is still to be said; nothing is said after that, unless it is used again."""
        atexit.unregister(self.close)
        self.settle()
        self._closing.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join(TIMEOUT)
        for job, _ in self._pending:
            job.leave()
        made, self._made = self._made, None
        if made is not None:
            made.close()
        self._begin()

    # In the thread

    def _wake(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="headway-tasks", daemon=True)
                try:
                    thread.start()
                    self._thread = thread
                except RuntimeError:  # the interpreter is on its way out, or there are no more threads to be had
                    _log.debug("no thread for what waits for the server", exc_info=True)
        self._awake.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            busy = self._pending or self._chores
            if busy:
                self._closing.wait(AWAY if self.away else ROUND)
            else:
                self._awake.wait(max(0.0, min(self._due.values(), default=FOREVER) - time.monotonic()))
            self._awake.clear()
            self._settle()
            for _ in range(len(self._chores)):
                self._try(*self._chores.popleft())
            for work, seconds in list(self._rounds.items()):
                if time.monotonic() >= self._due.get(work, 0.0):
                    self._safely(work)
                    self._due[work] = time.monotonic() + seconds

    def _settle(self) -> None:
        for _ in range(len(self._pending)):
            job, since = self._pending.popleft()
            if job.uuid is not None or job.over or time.monotonic() - since > PATIENCE:
                job.leave()
                continue
            if job.problem is not None:
                self.failed(job.problem)
            self._pending.append((job, since))

    def _try(self, chore: Chore, since: float) -> None:
        if not self._safely(chore) and time.monotonic() - since < PATIENCE:
            self._chores.append((chore, since))

    def _safely(self, work: Callable[[Client], Any]) -> Any:
        try:
            result = work(self.client)
        except HeadwayError as error:
            self.failed(error)
            return False
        except Exception:  # a fault of ours: the tasks go on
            _log.exception("a task could not be shown")
            return True
        self.heard_at = time.monotonic()
        if self.away or self.heard_at - self._told_at > SAID:
            self.away = self._told = False
        return result

    def failed(self, error: HeadwayError) -> None:
        """What keeps tasks from being shown: said once, until that has changed; now and then, if it comes and goes."""
        if isinstance(error, Unreachable):
            self.away = True
        if not self._told and not self.quiet:
            self._told, self._told_at = True, time.monotonic()
            _log.warning("tasks run, and are not shown until this changes: %s", error.message)


def _others(record: logging.LogRecord) -> bool:
    """A worker that logs at INFO would write two lines a second of our requests."""
    return not (record.threadName or "").startswith("headway")
