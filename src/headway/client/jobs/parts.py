"""The parts of a job, as far as its end has to wait for them: once it is recorded, none of them could be any more."""

from __future__ import annotations

from typing import Protocol

PARTS = 64
"""Parts that are kept in mind before looking which of them have a record."""


class Part(Protocol):
    """What counts of one."""

    uuid: str | None
    over: bool
    stuck: bool
    """The server refuses to record it."""


class Parts:
    """Those that will have a record, and have none so far."""

    def __init__(self) -> None:
        self._open: list[Part] = []
        self._crowd = PARTS

    def __len__(self) -> int:
        return len(self._open)

    def adopt(self, part: Part) -> None:
        """One more."""
        if len(self._open) >= self._crowd:  # most have a record by now
            self._crowd = 2 * self.unrecorded() + PARTS
        self._open.append(part)

    def unrecorded(self) -> int:
        """How many there are."""
        self._open = [part for part in self._open if part.uuid is None and not (part.over or part.stuck)]
        return len(self._open)
