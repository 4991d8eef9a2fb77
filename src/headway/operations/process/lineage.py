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
import signal
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set

from headway.operations.process import proc
from headway.operations.process.proc import Entry

VARIABLE = "HEADWAY_OPERATION"
"""Holds the marks of the operations that a process belongs to, outermost first, separated by colons."""

ORPHAN_LOOKS = 100
"""Looks at orphans alone for each at everything. They are quick: what forks and leaves all the time is a new process
each millisecond, and must be seen within that."""


def marked(environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """A new mark, and the environment with it. An operation within an operation carries both marks."""
    mark = secrets.token_hex(16)
    outer = environment.get(VARIABLE)
    return mark, {**environment, VARIABLE: f"{outer}:{mark}" if outer else mark}


def marks(entry: Entry) -> list[str]:
    """The marks that a process carries."""
    return [] if entry.dead else proc.variable(entry.pid, VARIABLE).split(":")


class Lineage:
    """The processes of one operation. Safe to use from several threads."""

    def __init__(
        self, leader: int, session: int, mark: str, *, helpers: Iterable[int] = (), exclusive: bool = False
    ) -> None:
        """`leader` is the operation's first process, `helpers` are ours in its session and are never signalled."""
        self.leader = leader
        self.mark = mark
        self.reserved = frozenset((leader, *helpers))
        """Children that others wait for: not to be reaped here."""
        self._session = session
        self._exclusive = exclusive
        self._me = os.getpid()
        self._strange = (os.getsid(0), 0)
        self._known: dict[int, int] = {}
        self.restless = False
        """Whether orphans died while we last looked: there may be more of them, each too short-lived to be asked."""
        first = proc.read(leader)
        self._since = first.started if first is not None else 0
        # Until released, the leader is unreaped, so its number still names its group and session, and nothing else.
        self._held = True
        self._lock = threading.Lock()

    def living(self) -> list[Entry]:
        """All processes of the operation that run or are stopped, oldest first. Reaps the dead that fell to us."""
        if not proc.AVAILABLE:
            return [Entry(self.leader, self._me, self.leader, 0, 0, False)] if self._group_exists() else []
        return self.take(proc.table()) or self._fleeting(lambda entry: None)

    def signal(self, signum: int) -> list[Entry]:
        """Signal all of it; returns what lived before."""
        # First look, then signal: a parent's death would cut the link to its children.
        living = self.living()
        self.signal_group(signum)
        for entry in living:
            if entry.group != self.leader or not self._held:
                proc.send(entry, signum)
        return living

    def kill(self) -> list[Entry]:
        """SIGKILL whatever is found; returns it. To be repeated until nothing is: who is forking may slip through."""
        living = self.living()
        self.signal_group(signal.SIGKILL)
        for entry in living:
            proc.send(entry, signal.SIGKILL)
        return living + self._fleeting(lambda entry: proc.send(entry, signal.SIGKILL))

    def signal_group(self, signum: int) -> None:
        """Signal the operation's process group, which no member escapes by forking."""
        if self._held:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.leader, signum)

    def take(self, table: Mapping[int, Entry], marks: Callable[[Entry], list[str]] = marks) -> list[Entry]:
        """Find the operation's processes in `table`, remember them, reap dead children of ours; returns the living."""
        found = self._family(table, marks)
        with self._lock:
            for entry in found:
                if entry.dead and entry.parent == self._me and not (self._held and entry.pid in self.reserved):
                    proc.reap(entry.pid)
                    self._known.pop(entry.pid, None)
                else:  # a zombie, too: when its parent dies, it falls to us
                    self._known[entry.pid] = entry.started
        return sorted((entry for entry in found if not entry.dead), key=lambda entry: entry.started)

    def release(self) -> None:
        """The leader is about to be reaped: from now on its number means nothing."""
        self.take(self._orphans())
        self._held = False

    def _family(self, table: Mapping[int, Entry], marks: Callable[[Entry], list[str]]) -> list[Entry]:
        children, members = defaultdict(list), defaultdict(list)
        for entry in table.values():
            children[entry.parent].append(entry)
            members[entry.session].append(entry)
        found: dict[int, Entry] = {}
        waiting = [entry for entry in table.values() if self._owns(entry, marks)]
        while waiting:
            entry = waiting.pop()
            if entry.pid not in found:
                found[entry.pid] = entry
                waiting += children[entry.pid]
                # A session that one of ours is in holds no stranger: sessions are made or inherited, never joined.
                if entry.session not in self._strange:
                    waiting += members[entry.session]
        helpers = self.reserved - {self.leader} if self._held else frozenset()
        return [entry for pid, entry in found.items() if pid not in helpers]

    def _owns(self, entry: Entry, marks: Callable[[Entry], list[str]]) -> bool:
        """Whether the process is one of the operation's by itself, whatever its relations."""
        if self._known.get(entry.pid) == entry.started:
            return True
        if entry.started < self._since or entry.session in self._strange:
            return False
        if self._held and (entry.session == self._session or entry.group == self.leader):
            return True
        return (self._exclusive and entry.parent == self._me) or self.mark in marks(entry)

    def _fleeting(self, act: Callable[[Entry], None]) -> list[Entry]:
        """Catch what is there only for a moment at a time; `act` must be as quick."""
        found: list[Entry] = []
        dead: set[int] = set()
        self.restless = False
        for look in range(ORPHAN_LOOKS):
            orphans = self._orphans(dead)
            for entry in self.take(orphans):
                act(entry)
                found.append(entry)
            died = {pid for pid, entry in orphans.items() if entry.dead}
            self.restless = self.restless or bool(look and died)
            dead |= died
        return found

    def _orphans(self, but: Set[int] = frozenset()) -> dict[int, Entry]:
        reserved = self.reserved if self._held else frozenset()
        return {entry.pid: entry for entry in proc.children(reserved | but)}

    def _group_exists(self) -> bool:
        if not self._held:
            return False
        try:
            os.killpg(self.leader, 0)
        except (ProcessLookupError, PermissionError):  # macOS: "not permitted" for a group of zombies
            return False
        return True
