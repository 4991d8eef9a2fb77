"""Which processes belong to an operation, wherever they went.

A process of ours is known by any of these, each of which holds where another one fails:

- it is in the group of the operation's first process, or in its session or one that a process of ours made (also when
  its parents are gone, and when it is a zombie);
- it carries the operation's mark in its environment (also after ``setsid`` and a double fork);
- it descends from one of those (also with an environment of its own);
- it was one of them when we looked before (also when it has become an orphan since);
- where the operation is all that this process runs (`exclusive`): it is a child of this process.

So what a program that shares this process with other work can miss is a process that clears its environment, leaves the
session and becomes an orphan, all between two looks, and the zombie of one that left the session, became an orphan and
died between two looks. It never takes a stranger for one of its own.

Without ``/proc`` (macOS) only the group is known.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping

from headway.operations.process import proc
from headway.operations.process.proc import Entry
from headway.operations.process.world import World

VARIABLE = "HEADWAY_OPERATION"
"""Holds the marks of the operations that a process belongs to, outermost first, separated by colons."""


def marked(environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """A new mark, and the environment with it. An operation within an operation carries both marks."""
    mark = secrets.token_hex(16)
    outer = environment.get(VARIABLE)
    return mark, {**environment, VARIABLE: f"{outer}:{mark}" if outer else mark}


def marks(entry: Entry) -> list[str]:
    """The marks that a process carries."""
    carried = "" if entry.dead else proc.variable(entry.pid, VARIABLE)
    return carried.split(":") if carried else []


class Lineage:
    """The processes of one operation. Safe to use from several threads."""

    def __init__(
        self, leader: int, session: int, mark: str, *, helpers: Iterable[int] = (), exclusive: bool = False
    ) -> None:
        """`leader` is the operation's first process, `helpers` are ours in its session and are never signalled."""
        self.leader = leader
        self.mark = mark
        first = proc.read(leader)
        self.since: int = first.started if first is not None else 0
        """When it began; in clock ticks since boot."""
        self._session = session
        self._helpers = frozenset(helpers)
        self._exclusive = exclusive
        self._me = os.getpid()
        # Of our own session we own nothing, and a session that we cannot see (0) is not one.
        self._strange = (os.getsid(0), 0)
        self._known: dict[int, int] = {}
        # Until released, the leader is unreaped, so its number still names its group and session, and nothing else.
        self._held = True
        self._lock = threading.Lock()

    @property
    def reserved(self) -> frozenset[int]:
        """Children that others wait for: not to be reaped here."""
        return self._helpers | {self.leader} if self._held else frozenset()

    def find(self, world: World) -> list[Entry]:
        """The operation's processes in it that run or are stopped, oldest first. Reaps the dead that fell to us."""
        if not proc.AVAILABLE:
            return [Entry(self.leader, self._me, self.leader, 0, 0, False)] if self._group_exists() else []
        with self._lock:
            found = self._family(world)
            for entry in found:
                self._note(entry)
        living = [entry for entry in found if not entry.dead and entry.pid not in self._helpers]
        return sorted(living, key=lambda entry: entry.started)

    def signal(self, signum: int, living: Iterable[Entry]) -> None:
        """Signal the group, which no member escapes by forking, then each of `living` that has left it."""
        self.signal_group(signum)
        for entry in living:
            if entry.group != self.leader or not self._held:
                proc.send(entry, signum)

    def signal_group(self, signum: int) -> None:
        """Signal the process group of the operation, as long as that is what its number means."""
        with self._lock, contextlib.suppress(ProcessLookupError, PermissionError):
            if self._held:
                os.killpg(self.leader, signum)

    def release(self) -> None:
        """The leader is about to be reaped: from now on its number means nothing."""
        self.find(World(proc.read_all(proc.children() - self.reserved), marks))
        with self._lock:
            self._held = False
            self._helpers = frozenset()

    def _note(self, entry: Entry) -> None:
        if entry.dead and entry.parent == self._me and entry.pid not in self.reserved:
            proc.reap(entry.pid)
            self._known.pop(entry.pid, None)
        else:  # a zombie, too: when its parent dies, it falls to us
            self._known[entry.pid] = entry.started

    def _family(self, world: World) -> list[Entry]:
        found: dict[int, Entry] = {}
        waiting = list(self._evident(world))
        while waiting:
            entry = waiting.pop()
            if entry.pid in found or entry.session in self._strange:
                continue
            found[entry.pid] = entry
            waiting += world.children[entry.pid]
            # A session that one of ours is in holds no stranger: sessions are made or inherited, never joined.
            waiting += world.sessions[entry.session]
        return list(found.values())

    def _evident(self, world: World) -> Iterator[Entry]:
        """Those that belong to the operation by themselves, whatever their relations."""
        for pid, started in self._known.items():
            if (entry := world.processes.get(pid)) is not None and entry.started == started:
                yield entry
        yield from world.marked[self.mark]
        if self._held:
            yield from world.sessions[self._session]
            yield from world.groups[self.leader]
        if self._exclusive:
            yield from (entry for entry in world.children[self._me] if entry.started >= self.since)

    def _group_exists(self) -> bool:
        with self._lock, contextlib.suppress(ProcessLookupError, PermissionError):
            # macOS says "not permitted" of a group of zombies.
            if self._held:
                os.killpg(self.leader, 0)
                return True
        return False
