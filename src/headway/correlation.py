"""Which activities did this piece of code start? So that a reply can carry the id of what its request began.

A context variable holds the list, so it reaches whatever the code starts in tasks, task groups and ``to_thread``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from headway.core.activity import Activity

_started: ContextVar[list[Activity] | None] = ContextVar("headway_started", default=None)


@contextmanager
def noticing() -> Iterator[list[Activity]]:
    """The activities that the block starts in this process, in the order of their starts.

    Each block has a list of its own: what starts in an inner block is noticed there alone.
    """
    started: list[Activity] = []
    token = _started.set(started)
    try:
        yield started
    finally:
        _started.reset(token)


def forget() -> None:
    """What this code starts from here on is not noticed: it goes on after the block that began it."""
    _started.set(None)


def notice(activity: Activity) -> None:
    """An activity has been started here; it is committed."""
    started = _started.get()
    if started is not None:
        started.append(activity)
