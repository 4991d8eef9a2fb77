"""How long past operations of a type took a user: what their next one can be expected to take.

Of each user alone: nothing that one sees may depend on what others do.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from headway.core.activity import Activity, State
from headway.core.errors import HeadwayError
from headway.core.estimate import Expectation, expectation
from headway.core.narrowing import Narrowing
from headway.ports import HistoryQuery, Store

RUNS = 50
"""Past runs that count; older ones tell of a system that has changed since."""

KINDS = 10_000
"""Pairs of a user and a type that are remembered here; others are read from the store again."""


class Durations:
    """Reads the history of a type once, then learns from what ends."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[tuple[int, str], deque[float]] = OrderedDict()

    async def expected(self, owner: int, type: str) -> Expectation | None:
        """What an operation of this type takes this user; None without enough data."""
        known = self._known.get((owner, type))
        if known is None:
            known = await self._read(owner, type)
        return expectation(known)

    def learn(self, activity: Activity) -> None:
        """An activity has ended. Only successful ones tell how long the work takes."""
        known = self._known.get((activity.owner, activity.type))
        if known is not None and activity.state is State.SUCCEEDED:
            known.append(_duration(activity))

    async def _read(self, owner: int, type: str) -> deque[float]:
        wanted = Narrowing(type=type, state=State.SUCCEEDED)
        try:
            past = await self._store.history(HistoryQuery(owner, wanted, limit=RUNS))
        except HeadwayError:  # the start itself will say what is wrong with the store
            return deque()
        known = self._known[owner, type] = deque(map(_duration, reversed(past)), maxlen=RUNS)
        if len(self._known) > KINDS:
            self._known.popitem(last=False)
        return known


def _duration(activity: Activity) -> float:
    return max(0.0, (activity.ended_at or activity.updated_at) - activity.started_at)
