"""What the resources and streams of one server share."""

from __future__ import annotations

import asyncio
import hashlib
import platform
from collections import Counter
from typing import Self

import msgspec

from headway import __version__
from headway.core.errors import TooMany, Unavailable
from headway.hub import Activities
from headway.live import Pulse
from headway.server.broadcast import Broadcaster
from headway.server.channels import Channels
from headway.server.cursors import Cursors
from headway.server.identity.accounts import Accounts
from headway.server.identity.grants import Grants
from headway.server.identity.identify import Identify
from headway.server.lists import Lists
from headway.server.packing import FRAMINGS
from headway.server.probe import Probe
from headway.server.rows import Rows
from headway.wire.server import Server


class StreamLimits(msgspec.Struct, frozen=True):
    """How many streams may be open at once, and how they are kept."""

    per_user: int = 64
    total: int = 10_000
    ping: float = 10.0
    """Seconds between two signs of life."""
    stall: float = 30.0
    """Seconds that a client may leave its socket undrained."""
    farewell: float = 5.0
    """Seconds, at most, over which streams are closed when the server stops: clients must not all return at once."""
    farewell_each: float = 0.01
    """Seconds of these for each stream: a few clients can all return at once."""


class Places:
    """The streams that are open, by user."""

    def __init__(self, limits: StreamLimits) -> None:
        self._limits = limits
        self._taken: Counter[int] = Counter()
        self._open = 0
        self._left = Pulse()

    def __len__(self) -> int:
        return self._open  # not the sum over all users, or each who comes would pay for all who are there

    def take(self, user: int) -> Place:
        """A place for a stream; raises ``TooMany`` or ``Unavailable``."""
        if self._taken[user] >= self._limits.per_user:
            raise TooMany(f"{self._limits.per_user} streams of this user are open; close some first")
        if len(self) >= self._limits.total:
            raise Unavailable(f"{self._limits.total} streams are open on this server; try again later")
        self._taken[user] += 1
        self._open += 1
        return Place(self, user)

    def leave(self, user: int) -> None:
        """A stream has ended."""
        self._taken[user] -= 1
        self._open -= 1
        if not self._taken[user]:
            del self._taken[user]
        self._left.fire()

    async def emptied(self) -> None:
        """Wait until no stream is open."""
        while self._taken:
            await self._left.wait()


class Place:
    """One stream's. It is left at the end of a ``with`` block, or later by who keeps it."""

    __slots__ = ("_kept", "_places", "_user")

    def __init__(self, places: Places, user: int) -> None:
        self._places, self._user, self._kept = places, user, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            self.leave()

    def keep(self) -> None:
        """Stay when the block ends."""
        self._kept = True

    def leave(self) -> None:
        """To be called once."""
        self._places.leave(self._user)


class Service:
    """An open hub, as it is served."""

    def __init__(
        self,
        activities: Activities,
        identify: Identify,
        *,
        grants: Grants | None = None,
        accounts: Accounts | None = None,
        friendly_name: str = "Headway",
        streams: StreamLimits | None = None,
    ) -> None:
        """``activities`` must be open. ``identify`` says who is calling; ``grants`` are those it hands out, if it ends
        any before their streams end. ``accounts``: users and tokens, where they are the server's own.
        """
        self.activities = activities
        self.identify = identify
        self.accounts = accounts
        self.grants: Grants = grants or Grants(activities.clock)
        self.limits: StreamLimits = streams or StreamLimits()
        self.places: Places = Places(self.limits)
        self.rows: Rows = Rows()
        self.lists: Lists = Lists(activities.feed, self.rows)
        self.cursors: Cursors = Cursors(activities.epoch, activities.secret)
        self.channels: Channels = Channels(
            activities.feed, FRAMINGS, self.rows, self.cursors, degraded=lambda: activities.degraded
        )
        self.broadcaster: Broadcaster = Broadcaster(self.limits.ping, self.limits.stall)
        self.probe: Probe = Probe(activities)
        self.stopping: asyncio.Event = asyncio.Event()
        """Set when the server takes no more streams and closes those it has."""
        self.server: Server = Server(
            # Derived, not stored: it lives as long as the data does, and tells nothing of the secret.
            machine_identifier=hashlib.blake2b(b"machine", key=activities.secret, digest_size=20).hexdigest(),
            version=__version__,
            friendly_name=friendly_name,
            platform=platform.system(),
            platform_version=platform.release(),
            updated_at=int(activities.clock.now()),
        )

    @property
    def farewell(self) -> float:
        """Seconds over which the streams that are open now are to be closed."""
        return min(self.limits.farewell, self.limits.farewell_each * len(self.places))

    async def stop(self) -> None:
        """Take no more streams and end those there are; returns when they have ended."""
        self.stopping.set()
        farewell = asyncio.get_running_loop().create_task(self.broadcaster.farewell(self.farewell))
        try:
            await self.places.emptied()  # also before everyone has had a turn: clients may leave by themselves
        finally:
            farewell.cancel()
