"""A clock that stands still until it is told to move."""

from __future__ import annotations


class FakeClock:
    """A ``headway.ports.Clock`` in the hands of a test."""

    def __init__(self, now: float = 1_000_000.0, monotonic: float = 0.0) -> None:
        """``now``: seconds since the epoch. ``monotonic``: seconds since nobody knows when."""
        self._now = now
        self._monotonic = monotonic

    def __repr__(self) -> str:
        return f"<FakeClock now={self._now} monotonic={self._monotonic}>"

    def now(self) -> float:
        """Seconds since the epoch, as told."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since some moment, as told."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Time passes. Raises ``ValueError`` for a negative time: see ``jump``."""
        if seconds < 0:
            raise ValueError("time does not run backwards; a wall clock is set with jump()")
        self._now += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Somebody sets the wall clock, forward or back; no time passes."""
        self._now += seconds
