"""Whose turn it is in a process of the pool, so that a signal meets the task that it is for and never the next one.

Celery's main process knows which process runs a task only as far as it has been told: by the time its signal arrives,
that one may have finished and gone on to another task, above all where the pool's processes take their tasks from a
common pipe. So nothing is sent from there. The process that runs the task hears of the cancel itself and ends itself,
under a lock that it needs to begin and to end a task.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Collection

from headway.client import Job


class Turn:
    """What a process of the pool runs."""

    def __init__(self, terminates: bool) -> None:
        self.terminates: bool = terminates
        """Whether a task that is to stop is ended with its process; otherwise it has to look by itself."""
        self._lock = threading.Lock()
        self._job: Job | None = None

    def __repr__(self) -> str:
        return f"<Turn {self._job!r}>"

    def take(self, job: Job, stops: Collection[str], grace: float) -> None:
        """A task begins. ``stops``: reasons for which it is stopped; ``grace``: seconds between SIGTERM, which a task
        may handle, and SIGKILL.
        """
        with self._lock:
            self._job = job

        def stop(reason: str) -> None:
            if self.terminates and reason in stops:
                again = threading.Timer(grace, self.signal, (job, signal.SIGKILL))
                again.daemon = True
                again.start()
                self.signal(job, signal.SIGTERM)

        job.on_stop(stop)

    def signal(self, job: Job, number: signal.Signals) -> None:
        """Signal this process, if that is still what it runs."""
        with self._lock:
            if self._job is job:
                os.kill(os.getpid(), number)

    def end(self) -> None:
        """It has returned."""
        with self._lock:
            self._job = None
