"""What the children of one activity add up to, kept up to date as they change: each change costs the same."""

from __future__ import annotations

import math

from headway.core.activity import Activity
from headway.core.progress import Children

UNIT = 1 << 64
"""Sums are kept in whole parts of this: taking out what was put in leaves nothing behind, however often. So many, that
what one child of the least weight says as a whole percent reads so again.
"""


class Shares:
    """The weighted progress of the children, live and ended."""

    def __init__(self, known: Children | None = None) -> None:
        """``known``: what the record says; of it only the ended ones, since each live one will be put."""
        self.changed: bool = False
        """Whether the sum is another than when it was last taken."""
        self._ended = 0 if known is None else round(known.ended * UNIT)
        self._revision = 0 if known is None else known.revision
        self._weight = self._done = 0
        self._known = 0
        self._live: dict[str, tuple[int, int | None]] = {}

    def __repr__(self) -> str:
        return f"<Shares {self.children!r} live={len(self._live)} changed={self.changed}>"

    @property
    def children(self) -> Children | None:
        """The sum; None while there has been no child."""
        weight, done = self._ended + self._weight, self._ended + self._done
        if not weight:
            return None
        whole = weight / UNIT
        # Large sums lose digits as they become floats: what is not all of it must not become all of it.
        part = whole if done == weight else min(done / UNIT, math.nextafter(whole, 0.0))
        known = self._known or self._ended
        return Children(whole, part if known else None, self._ended / UNIT, self._revision)

    def take(self) -> Children | None:
        """The sum, if it has changed since it was last taken."""
        if not self.changed:
            return None
        self.changed = False
        return self.children

    def put(self, child: Activity) -> None:
        """The newest of a child; of one that has ended the last, unless the sum began with it."""
        weight = max(1, round(child.weight * UNIT))
        if child.ended:
            if child.revision > self._revision:  # ends come in order of revision
                self._remove(child.uuid)
                self._ended += weight
                self._revision = child.revision
                self.changed = True
            return
        before = self._remove(child.uuid)
        share = weight, _part(weight, child.progress.fraction)
        self._live[child.uuid] = share
        self._add(+1, *share)
        self.changed = self.changed or share != before

    def _remove(self, uuid: str) -> tuple[int, int | None] | None:
        before = self._live.pop(uuid, None)
        if before is not None:
            self._add(-1, *before)
        return before

    def _add(self, sign: int, weight: int, done: int | None) -> None:
        self._weight += sign * weight
        if done is not None:
            self._done += sign * done
            self._known += sign


def _part(weight: int, fraction: float | None) -> int | None:
    """Rounded down: a child that is not done is not all of its weight."""
    if fraction is None:
        return None
    return weight if fraction >= 1 else min(weight - 1, int(weight * fraction))
