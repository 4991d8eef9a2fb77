"""A scan of a Plex library, from its start to the last thing that it sets off: as steps.

The reply to the request names no activity, so what belongs to it is found by type and Context, as all Plex clients do:
the scan is ``library.update.section`` with the section in ``Context.librarySectionID``, which comes with an update;
after it begin the refreshes and analyses of what it has found.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from headway.client import calls
from headway.client.live.waiting import HEADER
from headway.client.live.watching import Watching
from headway.client.options import Options
from headway.client.rows import has_ended
from headway.client.sending import send
from headway.client.steps import Clock, Steps, until
from headway.core.scalars import shown
from headway.core.view import Kind
from headway.wire.notifications import ActivityNotification, SnapshotNotification
from headway.wire.row import Row

SECTION = "library.update.section"
FOLLOWING = ("library.refresh.items", "library.update.item.metadata", "media.generate.")
"""The beginnings of the types of what a scan sets off."""

SETTLE = 5.0
"""Seconds without anything new after which nothing more is expected of a scan."""


class Scan(msgspec.Struct, frozen=True):
    """What became of a scan."""

    activities: list[Row]
    """The scan and what it set off, in order of start, each as it was last seen."""
    complete: bool
    """False when time was over before all of it had ended."""


class Scanning:
    """What belongs to a scan, as the stream tells it. No I/O."""

    def __init__(self, section: str) -> None:
        self.activities: dict[str, Row] = {}
        """What belongs to it."""
        self._section = section
        self._named: str | None = None
        self._before: set[str] = set()
        self._asked = False
        self._missed = False

    def asked(self, uuid: str | None) -> None:
        """The scan has been asked for. ``uuid``: its activity, where the reply says."""
        self._asked = True
        self._named = uuid

    def heard(self, item: Any) -> None:
        """The stream told something."""
        if isinstance(item, SnapshotNotification):
            for row in item.rows:
                self._row(row)
                if not self._asked:
                    self._before.add(row.uuid)
            # Asked for, and then another list without it: it has come and gone while nobody listened.
            self._missed = self._asked and not any(map(self._may_be_it, item.rows))
        elif isinstance(item, ActivityNotification):
            if item.kind is Kind.STARTED:
                self._before.discard(item.row.uuid)
            self._row(item.row)

    @property
    def over(self) -> bool:
        """The scan has ended, and so has all that it has set off so far."""
        scanned = any(row.type == SECTION or row.uuid == self._named for row in self.activities.values())
        return (scanned or self._missed) and all(map(has_ended, self.activities.values()))

    def _row(self, row: Row) -> None:
        if row.uuid in self.activities or self._belongs(row):
            self.activities[row.uuid] = row

    def _belongs(self, row: Row) -> bool:
        section = self._section_of(row)
        new = self._asked and row.uuid not in self._before
        if row.uuid == self._named:
            return True
        if row.type == SECTION:
            # One that runs already is the one that is asked for: a server scans a section once at a time. One that is
            # over before it has said which section it is of, is over so soon after we asked that it is ours.
            return section == self._section or (section is None and new and has_ended(row))
        return new and row.type.startswith(FOLLOWING) and section in (None, self._section)

    def _may_be_it(self, row: Row) -> bool:
        return row.uuid == self._named or (row.type == SECTION and self._section_of(row) in (None, self._section))

    def _section_of(self, row: Row) -> str | None:
        section = (row.context or {}).get("librarySectionID")
        return None if section is None else shown(section)


def scan(section: str, timeout: float | None, settle: float, options: Options, clock: Clock) -> Steps[Scan]:
    """Start a scan of a section and wait for its end, and that of what it sets off; see ``Plex.scan``."""
    deadline = math.inf if timeout is None else clock() + timeout
    scanning, watching = Scanning(section), Watching(options, clock=clock)
    steps = watching.steps()

    def listed(item: Any) -> bool:
        scanning.heard(item)
        return isinstance(item, SnapshotNotification)

    def over(item: Any) -> bool:
        scanning.heard(item)
        return scanning.over

    if not (yield from until(steps, listed, deadline=deadline, clock=clock)):
        return Scan([], False)
    answer = yield from send(calls.refresh_section(section), options, clock)
    scanning.asked(answer.headers.get(HEADER))
    while (yield from until(steps, over, deadline=deadline, clock=clock)):
        quiet = min(deadline, clock() + settle)
        if not (yield from until(steps, lambda item: not over(item), deadline=quiet, clock=clock)):
            break
    return Scan(list(scanning.activities.values()), scanning.over)
