"""Orphans of operations fall to this process, which finds, signals and reaps them.

A grandchild that leaves its session and outlives its parents would become a child of init, where no link leads back
to the operation. While an operation runs, this process is a child subreaper (Linux, prctl(2) PR_SET_CHILD_SUBREAPER):
such orphans become its own children. It reaps those that belong to an operation and no other child, as a child's status
belongs to whoever started it. Elsewhere what has left the group is not found.

One thread does all the looking, once for all who have asked meanwhile: stopping three hundred operations takes no more
looks at the system than stopping one.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from headway.operations.process import proc
from headway.operations.process.lineage import Lineage, marks
from headway.operations.process.proc import Entry
from headway.operations.process.world import World

PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37

LOOK_EVERY = 1.0
"""Seconds between two looks for orphans, so that no crowd of zombies gathers while an operation runs."""

LINGER = 20
"""Further looks at our children alone before nobody is said to be there. They are quick: what forks and leaves all the
time is a new process each millisecond."""

GLANCE = 0.0001
"""Seconds between those."""

CHASE = 200
"""The most of them, when orphans keep coming."""


@dataclass(slots=True)
class Findings:
    """What a look has found of an operation."""

    living: list[Entry] = field(default_factory=list)
    """What runs or is stopped, oldest first."""
    restless: bool = False
    """Orphans came and died while we looked: there may be more, each too short-lived to be asked whose it is."""


@dataclass(slots=True)
class Request:
    """Somebody wants to know what lives of an operation, and to signal it."""

    lineage: Lineage
    signals: Sequence[int]
    answer: Callable[[Findings], None]
    findings: Findings = field(default_factory=Findings)

    @property
    def pursues(self) -> bool:
        """Whether it is worth to go on looking: to kill, or for the first sign of life. (Nobody is asked twice.)"""
        return signal.SIGKILL in self.signals or not (self.signals or self.findings.living)

    def freeze(self) -> None:
        """Before killing a group, stop it: while we look, it starts nothing, and its zombies keep their parents."""
        if signal.SIGKILL in self.signals:
            self.lineage.signal_group(signal.SIGSTOP)

    def look(self, world: World) -> None:
        """First look, then signal: a parent's death would cut the link to its children."""
        found = self.lineage.find(world)
        self.findings.living += found
        for signum in self.signals:
            self.lineage.signal(signum, found)


class Subreaper:
    """Makes this process a subreaper while it is used, or while an orphan that an operation left behind still lives."""

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
        self._requests: list[Request] = []
        self._carried: dict[Entry, list[str]] = {}
        self._thread: threading.Thread | None = None
        self._before = False

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """To be entered before an operation's first process is started, and around questions."""
        with self._lock:
            self._users += 1
            if self._thread is None:
                self._before = is_subreaper()
                be_subreaper(True)
                self._thread = threading.Thread(target=self._watch, name="headway-subreaper", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
            self._due.set()

    @contextlib.contextmanager
    def watching(self, lineage: Lineage) -> Iterator[None]:
        """The operation runs. What it leaves behind afterwards is still reaped when it dies."""
        with self._lock:
            self._running.append(lineage)
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(lineage)
                self._ended.append(lineage)

    async def ask(self, lineage: Lineage, *signals: int) -> Findings:
        """What lives of an operation, from a look that begins now; each gets the signals. To be used while `used`."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Findings] = loop.create_future()

        def take(findings: Findings) -> None:
            if not answered.done():
                answered.set_result(findings)

        def answer(findings: Findings) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
                loop.call_soon_threadsafe(take, findings)

        with self._lock:
            self._requests.append(Request(lineage, signals, answer))
        self._due.set()
        return await answered

    def _watch(self) -> None:
        while True:
            self._due.wait(LOOK_EVERY)
            self._due.clear()
            with self._lock:
                requests, self._requests = self._requests, []
            self._serve(requests)
            with self._lock:
                self._look_after_orphans()
                if not self._users and not self._ended:
                    be_subreaper(self._before)
                    self._thread = None
                    return

    def _serve(self, requests: list[Request]) -> None:
        if requests:
            for request in requests:
                request.freeze()
            world = self._everything(min(request.lineage.since for request in requests))
            for request in requests:
                request.look(world)
            self._linger({entry.pid for entry in world.children[os.getpid()]}, requests)
            for request in requests:
                request.answer(request.findings)

    def _everything(self, since: int) -> World:
        """All processes there are, with the marks of those started `since` then."""
        carried: dict[Entry, list[str]] = {}

        def recall(entry: Entry) -> Sequence[str]:
            # A mark once read is remembered: reading is what costs most, and a zombie's cannot be read any more.
            if entry.started < since:
                return ()
            key = replace(entry, parent=0, group=0, session=0, dead=False)
            if found := self._carried.get(key) or marks(entry):
                carried[key] = found
            return found

        world = World(proc.everything(), recall)
        self._carried = carried
        return world

    def _linger(self, seen: set[int], requests: list[Request]) -> None:
        """Look out for orphans that are there only for a moment at a time; `seen` are our children until now."""
        quiet = 0
        for _ in range(CHASE):
            requests = [request for request in requests if request.pursues]
            if not requests or quiet == LINGER:
                return
            came = World(proc.read_all(proc.children() - seen - self._reserved()), marks)
            if not came.processes:
                quiet += 1
                time.sleep(GLANCE)
                continue
            quiet = 0
            died = {entry.pid for entry in came.processes.values() if entry.dead}
            for request in requests:
                request.look(came)
                request.findings.restless |= bool(died)
            seen |= died

    def _look_after_orphans(self) -> None:
        orphans = World(proc.read_all(proc.children() - self._reserved()), marks)
        for lineage in self._running:
            lineage.find(orphans)
        self._ended = [lineage for lineage in self._ended if lineage.find(orphans)]

    def _reserved(self) -> set[int]:
        return {pid for lineage in self._running for pid in lineage.reserved}


subreaper: Subreaper = Subreaper()
"""The one of this process, as the attribute is the process's."""


def is_subreaper() -> bool:
    """Whether orphans fall to this process."""
    value = ctypes.c_int(0)
    _prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(value))
    return bool(value.value)


def be_subreaper(wanted: bool) -> None:
    """Whether orphans are to fall to this process; without effect where the system cannot do it."""
    _prctl(PR_SET_CHILD_SUBREAPER, int(wanted))


def _prctl(option: int, argument: object) -> None:
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(option, argument, 0, 0, 0)
