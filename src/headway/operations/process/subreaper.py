"""Orphans of operations fall to this process, which reaps them (Linux, prctl(2) PR_SET_CHILD_SUBREAPER).

A grandchild that leaves its session and outlives its parents would become a child of init, where no link leads back
to the operation. While an operation runs, this process is a child subreaper: such orphans become its own children.
It reaps those that belong to an operation and no other child, as a child's status belongs to whoever started it.

Elsewhere this does nothing: what left the group is not found.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import threading

from headway.operations.process import proc
from headway.operations.process.lineage import Lineage, marks

PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37

LOOK_EVERY = 1.0
"""Seconds between two looks for orphans, so that no crowd of zombies gathers while an operation runs."""


class Subreaper:
    """Makes this process a subreaper while an operation runs, or an orphan that one left behind still lives."""

    def __init__(self) -> None:
        self._clear()
        # A forked child is no subreaper, has no such thread, and is not the parent of its parent's children.
        os.register_at_fork(after_in_child=self._clear)

    def _clear(self) -> None:
        self._lock = threading.Lock()
        self._due = threading.Event()
        self._users = 0
        self._running: list[Lineage] = []
        self._ended: list[Lineage] = []
        self._thread: threading.Thread | None = None
        self._before = 0

    def begin(self) -> None:
        """To be called before an operation's first process is started; pairs with `end`."""
        with self._lock:
            self._users += 1
            if self._thread is None and sys.platform == "linux":
                self._before = _get()
                _set(1)
                self._thread = threading.Thread(target=self._watch, name="headway-subreaper", daemon=True)
                self._thread.start()

    def enlist(self, lineage: Lineage) -> None:
        """Look after the orphans of this operation."""
        with self._lock:
            self._running.append(lineage)

    def dismiss(self, lineage: Lineage) -> None:
        """The operation is over; what it left behind is still reaped when it dies."""
        with self._lock:
            self._running.remove(lineage)
            self._ended.append(lineage)

    def end(self) -> None:
        """To be called after that, also if nothing could be started."""
        with self._lock:
            self._users -= 1
        self._due.set()

    def _watch(self) -> None:
        while True:
            self._due.wait(LOOK_EVERY)
            self._due.clear()
            with self._lock:
                self._look()
                if not self._users and not self._ended:
                    _set(self._before)
                    self._thread = None
                    return

    def _look(self) -> None:
        reserved = {pid for lineage in self._running for pid in lineage.reserved}
        orphans = {entry.pid: entry for entry in proc.children(but=reserved)}
        marks_of = functools.cache(marks)
        for lineage in self._running:
            lineage.take(orphans, marks_of)
        self._ended = [lineage for lineage in self._ended if lineage.take(orphans, marks_of)]


subreaper = Subreaper()
"""The one of this process, as the attribute is the process's."""


def _set(value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, value, 0, 0, 0)


def _get() -> int:
    value = ctypes.c_int(0)
    ctypes.CDLL(None, use_errno=True).prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(value), 0, 0, 0)
    return value.value
