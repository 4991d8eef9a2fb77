"""The activity that this piece of code is part of.

A context variable holds it, so tasks, task groups and ``asyncio.to_thread`` take it along.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from headway.core.activity import Activity, CancelRequest
from headway.reporter import Reporter


class Nowhere(Reporter):
    """Reports to nobody, so that code that reports also works where nobody watches. It is false."""

    __slots__ = ()

    def __init__(self) -> None:
        """Nothing is behind it."""

    def __repr__(self) -> str:
        return "<Nowhere>"

    def __bool__(self) -> bool:
        return False

    @property
    def uuid(self) -> str:
        """None has it."""
        return ""

    @property
    def activity(self) -> Activity:
        """There is none: raises LookupError."""
        raise LookupError("this code does not run in an activity")

    @property
    def request(self) -> CancelRequest | None:
        """Nobody can ask."""
        return None

    def start(self, type: str, **options: Any) -> Any:
        """A block that nobody watches either."""
        return _Unwatched()

    def report(self, *_: Any, **__: Any) -> None:
        """Goes nowhere."""


class _Unwatched:
    async def __aenter__(self) -> Reporter:
        return _NOWHERE

    async def __aexit__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Reporter:
        return _NOWHERE

    def __exit__(self, *_: object) -> None:
        pass


_NOWHERE: Reporter = Nowhere()
_current: ContextVar[Reporter] = ContextVar("headway_current", default=_NOWHERE)


def current() -> Reporter:
    """The reporter of the innermost activity that this code runs in.

    Outside of any it is one that is false and goes nowhere.
    """
    return _current.get()


@contextmanager
def within(reporter: Reporter) -> Iterator[None]:
    """For whatever runs in the block, and what it starts, this is the activity."""
    before = _current.get()
    _current.set(reporter)
    try:
        yield
    finally:
        # Not by token: a block in an asynchronous generator may be left in another context than it was entered in.
        _current.set(before)
