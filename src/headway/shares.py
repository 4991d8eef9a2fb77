"""What the children of one activity add up to, kept up to date as they change: each change costs the same."""

from __future__ import annotations

from headway.core.activity import Activity
from headway.core.progress import Children

UNIT = 1 << 32
"""Sums are kept in whole parts of this: taking out what was put in leaves nothing behind, however often."""


class Shares:
    """The weighted progress of the children, live and ended."""

    def __init__(self, ended: float = 0.0) -> None:
        """``ended``: the weight of the children that had ended before."""
        self.changed = False
        """Whether the sum is another than when it was last taken."""
        self._ended = round(ended * UNIT)
        self._weight = self._done = 0
        self._known = 0
        self._live: dict[str, tuple[int, int | None]] = {}

    def __repr__(self) -> str:
        return f"<Shares {self.children!r} live={len(self._live)} changed={self.changed}>"

    @property
    def children(self) -> Children | None:
        """The sum; None while there has been no child."""
        weight = self._ended + self._weight
        if not weight:
            return None
        known = self._known or self._ended
        return Children(weight / UNIT, (self._ended + self._done) / UNIT if known else None, self._ended / UNIT)

    def take(self) -> Children | None:
        """The sum, if it has changed since it was last taken."""
        if not self.changed:
            return None
        self.changed = False
        return self.children

    def put(self, child: Activity) -> None:
        """The newest of a child; of one that has ended the last."""
        before = self._live.pop(child.uuid, None)
        if before is not None:
            self._add(-1, *before)
        weight = round(child.weight * UNIT)
        if child.ended:
            self._ended += weight
            self.changed = True
            return
        fraction = child.progress.fraction
        share = weight, None if fraction is None else round(weight * fraction)
        self._live[child.uuid] = share
        self._add(+1, *share)
        self.changed = self.changed or share != before

    def _add(self, sign: int, weight: int, done: int | None) -> None:
        self._weight += sign * weight
        if done is not None:
            self._done += sign * done
            self._known += sign
