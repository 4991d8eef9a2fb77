"""Whose turn it is in a process of the pool, so that a signal meets the task that it is for and never the next one.

Celery's main process knows which process runs a task only as far as it has been told: by the time its signal arrives,
that one may have finished and gone on to another task. So nothing is sent from there. The process that runs the task
hears of the cancel itself and ends itself, under a lock that it needs to begin and to end the work of a task: what
Celery does afterwards, as to send what follows in a chain, is not cut. Before, it leaves word in a pipe to the main
process, which may hear of the end before it hears of the cancel.

A worker without an event loop (its broker's transport has none: files, memory) has one pipe and one lock for all of its
pool's processes, and after the end of one the others may wait for that lock forever. There no process is ended.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from headway.integrations.celery.held import Held
from headway.integrations.queues.ticket import STOPS


class Turn:
    """What a process of the pool runs, and ends with itself once it is to stop."""

    def __init__(self, last_words: LastWords) -> None:
        self.last_words: LastWords = last_words
        self._lock = threading.Lock()
        self._held: Held | None = None

    def __repr__(self) -> str:
        return f"<Turn {self._held!r}>"

    @contextmanager
    def of(self, held: Held) -> Iterator[None]:
        """In the block the task runs. Between SIGTERM, which it may handle, and SIGKILL it has its grace."""
        with self._lock:
            self._held = held

        def stop(reason: str) -> None:
            if reason in STOPS:
                again = threading.Timer(held.ticket.grace, self._signal, (held, signal.SIGKILL))
                again.daemon = True
                again.start()
                self._signal(held, signal.SIGTERM)

        held.job.on_stop(stop)
        try:
            yield
        finally:
            with self._lock:
                self._held = None

    def _signal(self, held: Held, number: signal.Signals) -> None:
        """Signal this process, if that is still what it runs."""
        with self._lock:
            if self._held is held:
                self.last_words.leave(held.ticket.id)
                os.kill(os.getpid(), number)


class LastWords:
    """A pipe in which the processes of a pool say which task they end themselves for. Made before they are forked."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._known: set[str] = set()

    def leave(self, id: str) -> None:
        """In a process of the pool: this task is about to be ended."""
        with suppress(BlockingIOError):  # nobody has listened for long, and that is no reason to wait
            os.write(self._writer, f"{id}\n".encode())

    def were_of(self, id: str) -> bool:
        """In the main process: whether that has been said of the task."""
        with suppress(BlockingIOError):
            while said := os.read(self._reader, 65_536):  # whole lines, for shorter ones than a pipe's are never cut
                self._known.update(said.decode().split())
        return id in self._known

    def forget(self, id: str) -> None:
        """It has ended."""
        self._known.discard(id)

    def close(self) -> None:
        """In the main process, once there are no others."""
        os.close(self._reader)
        os.close(self._writer)
