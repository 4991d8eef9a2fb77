"""What a server has to do while its growth is measured."""

from __future__ import annotations

import msgspec

TICK = 0.1
"""Seconds between two bursts of reports: more than between two flushes, so that each burst is one flush."""


class Load(msgspec.Struct, frozen=True):
    """So much of everything; the first owners have what changes, those after them what does not."""

    watchers: int = 100
    """Of what changes."""
    changed: int = 50
    """Activities that report in each burst, or the trees of such."""
    reports: int = 1
    """That each makes in a burst, all before the flush."""
    users: int = 1
    """Who have those that change, and whose watchers they are, in equal parts."""
    owners: int = 0
    """Others, whose activities do not change."""
    watched: int = 0
    """Others again, each of whom has a watcher too."""
    live: int = 0
    """Activities of the first user that do not change."""
    history: int = 0
    """Activities of the first user that have ended."""
    depth: int = 1
    """Levels of the trees; the leaf reports."""

    @property
    def changes(self) -> int:
        """Records that are new after a flush."""
        return self.changed * self.depth

    @property
    def frames(self) -> int:
        """That watchers get after a flush."""
        return self.watchers * self.changes // self.users

    @property
    def connections(self) -> int:
        """Streams that are open."""
        return self.watchers + self.watched
