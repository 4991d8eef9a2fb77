"""Going through items and reporting how many are done."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")


class Tracked(Protocol):
    """What the items are done for: an activity of this process, or a job that is reported to a server."""

    def report(
        self,
        progress: float | None = None,
        *,
        completed: float | None = None,
        total: float | None = None,
        unit: str | None = None,
    ) -> None:
        """Say how many are done."""

    def check_cancelled(self) -> None:
        """Raise if it is to stop."""


class Track(Generic[T]):
    """What ``activity.track(items)`` gives: the items, once, each done when the next is asked for."""

    def __init__(
        self, activity: Tracked, items: Iterable[T] | AsyncIterable[T], total: float | None, unit: str | None
    ) -> None:
        self._activity = activity
        self._items = items
        self._total = total
        self._unit = unit

    def __iter__(self) -> Iterator[T]:
        if isinstance(self._items, AsyncIterable) and not isinstance(self._items, Iterable):
            raise TypeError("these items come by `async for`")
        items = iter(self._items)
        done = self._begin()
        for item in items:
            self._activity.check_cancelled()
            yield item
            done += 1
            self._activity.report(completed=done)

    async def __aiter__(self) -> AsyncIterator[T]:
        if not isinstance(self._items, AsyncIterable):
            raise TypeError("these items come by plain `for`")
        done = self._begin()
        async for item in self._items:
            self._activity.check_cancelled()
            yield item
            done += 1
            self._activity.report(completed=done)

    def _begin(self) -> int:
        total = self._total
        if total is None:
            total = _length(self._items)
        self._activity.report(completed=0, total=total, unit=self._unit)
        return 0


def _length(items: object) -> int | None:
    try:
        length = operator.length_hint(items, -1)
    except Exception:  # theirs may raise anything
        return None
    return None if length < 0 else length
