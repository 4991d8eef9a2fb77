"""Processes by what relates them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from headway.operations.process.proc import Entry

Marks = Callable[[Entry], Sequence[str]]
"""Tells which operations' marks a process carries (see `lineage`)."""


class World:
    """Some processes, or all there are, as they were found in one look."""

    def __init__(self, entries: Iterable[Entry], marks: Marks) -> None:
        self.processes: dict[int, Entry] = {}
        self.children: dict[int, list[Entry]] = defaultdict(list)
        self.sessions: dict[int, list[Entry]] = defaultdict(list)
        self.groups: dict[int, list[Entry]] = defaultdict(list)
        self.marked: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            self.processes[entry.pid] = entry
            self.children[entry.parent].append(entry)
            self.sessions[entry.session].append(entry)
            self.groups[entry.group].append(entry)
            for mark in marks(entry):
                self.marked[mark].append(entry)
