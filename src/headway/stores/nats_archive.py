"""What has ended, as this process knows it: NATS finds a record by its key alone, so each node keeps an index."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from headway.core.activity import Activity, State
from headway.core.narrowing import Narrowing
from headway.core.policy import EVERYTHING, SYSTEM_USER, Scope

REMEMBERED = 2_000
"""The newest, which are held whole: they are asked for most, and could be put back were the server to lose them."""

GONE = 1_000
"""Ends that are not worth the trouble to be taken out."""

EVERY = Narrowing()


class End(NamedTuple):
    """Where to find a record that has ended. Some 200 bytes."""

    revision: int
    uuid: str
    owner: int
    at: float
    """Seconds since the epoch."""
    type: str
    """It and the state are what is asked for most: others need not be fetched to be left out."""
    state: State

    def may_be(self, wanted: Narrowing) -> bool:
        """Whether it is worth a look."""
        return wanted.type in (None, self.type) and wanted.state in (None, self.state)


class Archive:
    """The ends, by ascending revision."""

    def __init__(self, since: float) -> None:
        """``since``: until it is ``settled``, all that ended later (seconds since the epoch) are held whole."""
        self.recent: OrderedDict[str, Activity] = OrderedDict()
        """The newest ones, whole."""
        self._since: float | None = since
        self._ends: dict[str, End] = {}
        self._order: dict[Scope, list[End]] = defaultdict(list)
        self._gone = 0
        """Those in the order that do not stand any more: to take one out costs as much as to take out all."""

    def __contains__(self, uuid: object) -> bool:
        return uuid in self._ends

    def __repr__(self) -> str:
        return f"<Archive {len(self._ends)}>"

    def add(self, activity: Activity) -> None:
        """The newest end; told again, as it stands now."""
        known = self._ends.get(activity.uuid)
        if known is not None and known.revision == activity.revision:
            return
        self.forget([] if known is None else [activity.uuid])
        end = End(
            activity.revision,
            activity.uuid,
            activity.owner,
            activity.ended_at or 0.0,
            sys.intern(activity.type),
            activity.state,
        )
        self._ends[activity.uuid] = end
        for scope in _scopes(activity.owner):
            self._order[scope].append(end)
        if self._since is None or end.at >= self._since:
            self.recent[activity.uuid] = activity
        if self._since is None and len(self.recent) > REMEMBERED:
            self.recent.popitem(last=False)

    def settled(self) -> None:
        """What it held when it was opened has been passed on."""
        self._since = None
        while len(self.recent) > REMEMBERED:
            self.recent.popitem(last=False)

    def revision(self, uuid: str) -> int:
        """Where one ended; 0 for what is not among them."""
        end = self._ends.get(uuid)
        return 0 if end is None else end.revision

    def forget(self, uuids: Collection[str]) -> None:
        """These are gone."""
        for uuid in uuids:
            self.recent.pop(uuid, None)
            self._gone += self._ends.pop(uuid, None) is not None
        if self._gone > max(GONE, len(self._ends)):
            order = {scope: [end for end in ends if self._stands(end)] for scope, ends in self._order.items()}
            self._order, self._gone = defaultdict(list, {scope: ends for scope, ends in order.items() if ends}), 0

    def _stands(self, end: End) -> bool:
        return self._ends.get(end.uuid) is end

    def newest(self, scope: Scope, before: int | None, wanted: Narrowing = EVERY) -> Iterator[End]:
        """Of an audience, newest first; those whose revision is smaller, and who may be ``wanted``."""
        ends = self._order.get(scope, [])
        at = len(ends) if before is None else bisect_left(ends, (before,))
        for place in range(at - 1, -1, -1):
            if ends[place].may_be(wanted) and self._stands(ends[place]):
                yield ends[place]

    def kept(self, since: float, per_owner: int) -> list[str]:
        """The newest ones since then, at most that many an owner."""
        return [
            end.uuid
            for scope, ends in self._order.items()
            if scope is not EVERYTHING
            for end in [end for end in ends if self._stands(end)][-per_owner:]
            if end.at >= since
        ]

    def floors(self, kept: Collection[str]) -> Mapping[int, int]:
        """Per owner, the newest revision that is not among those."""
        floors: dict[int, int] = {}
        for end in self._ends.values():
            if end.uuid not in kept:
                floors[end.owner] = max(floors.get(end.owner, 0), end.revision)
        return floors

    def doomed(self, before: float, keep: int) -> list[End]:
        """What ended before that time, and all but the newest ``keep``."""
        everyone = [end for end in self._order[EVERYTHING] if self._stands(end)]
        excess = {end.uuid for end in everyone[: max(0, len(everyone) - keep)]}
        return [end for end in self._ends.values() if end.at < before or end.uuid in excess]


def _scopes(owner: int) -> list[Scope]:
    return [owner] if owner == SYSTEM_USER else [owner, EVERYTHING]
