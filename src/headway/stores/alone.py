"""What a store of one process need not ask anyone."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

PACE = 0.05
"""Seconds between two commits of progress: a watcher gets at most 20 updates a second of one activity."""


class Alone:
    """The part of ``headway.ports.Store`` that is about other nodes, where there are none."""

    pace: float = PACE

    async def sync(self) -> None:
        """See ``Store.sync``: what is committed has been published."""

    async def beat(self, names: Collection[str]) -> None:
        """See ``Store.beat``: there is nobody to tell."""

    async def silences(self, names: Collection[str]) -> Mapping[str, float]:
        """See ``Store.silences``: nobody else has heard of them."""
        return dict.fromkeys(names, math.inf)
