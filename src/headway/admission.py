"""May another activity start, and which id has it?"""

from __future__ import annotations

import hashlib
import hmac
import uuid as uuids
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from headway.core.errors import InvalidInput, TooMany, Unavailable
from headway.live import Live
from headway.registry import Registry


class Limits(msgspec.Struct, frozen=True):
    """How much there may be at once."""

    live_per_owner: int = 1_000
    live: int = 20_000
    children: int = 1_000
    """Live children of one activity."""
    depth: int = 8
    """Levels of a tree of activities, the root included."""
    retention: float = 7 * 24 * 3600.0
    """Seconds that ended activities stay in history."""
    history: int = 100_000
    """Ended activities that stay in history."""


class Admission:
    """Holds the limits, counting also the starts that are on their way."""

    def __init__(self, limits: Limits, registry: Registry) -> None:
        self._limits = limits
        self._registry = registry
        self._starting: Counter[int] = Counter()

    @contextmanager
    def admit(self, owner: int) -> Iterator[None]:
        """Room for one more while the block starts it; raises ``TooMany`` or ``Unavailable`` when there is none."""
        limits = self._limits
        if len(self._registry.feed(owner).view) + self._starting[owner] >= limits.live_per_owner:
            raise TooMany(f"{limits.live_per_owner} activities of this user are live; end some first")
        if len(self._registry.live) + self._starting.total() >= limits.live:
            raise Unavailable(f"{limits.live} activities are live on this server; try again later")
        self._starting[owner] += 1
        try:
            yield
        finally:
            self._starting[owner] -= 1
            if not self._starting[owner]:
                del self._starting[owner]

    def admit_child(self, parent: Live) -> None:
        """Raise ``TooMany`` or ``InvalidInput`` unless the parent may have another child."""
        limits = self._limits
        if len(parent.children) >= limits.children:
            raise TooMany(f"parentUUID: {limits.children} children of this activity are live; end some first")
        if parent.depth >= limits.depth:
            where = f"activity {parent.activity.uuid} is on level {parent.depth} of its tree"
            raise InvalidInput(f"parentUUID: {where}, and a tree has at most {limits.depth}")


def uuid_of(secret: bytes, owner: int, key: str) -> str:
    """The id that an Idempotency-Key stands for: the same on every node and after every restart, and not to be
    guessed without the secret.
    """
    digest = hmac.digest(secret, f"{owner}\0{key}".encode("utf-8", "surrogatepass"), hashlib.sha256)
    return str(uuids.UUID(bytes=digest[:16], version=4))
