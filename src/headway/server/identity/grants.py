"""What a valid token gives, and the open streams to cut when it ends."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable

import msgspec

from headway.core.policy import Principal
from headway.ports import Clock

SWEEP = 0.25
"""Seconds between looks at the clock: an expired token's streams end at most that late."""

_log = logging.getLogger(__name__)


class Grant(msgspec.Struct, eq=False):
    """One token's admission, shared by all requests and streams that it opened. Equal only to itself."""

    principal: Principal
    token: str = ""
    """The public id of the token; empty when the caller was known by something else."""
    expires_at: float = math.inf
    """Seconds since the epoch."""
    session: str = ""
    """The public id of the browser's session that it belongs to, whose token is ``token``; else empty."""
    share: str = ""
    """The public id of what was shared with them, by ``token``; else empty."""
    revoked: bool = False
    """Set by ``Grants.revoke``, never unset: a changed token is a new grant."""

    def valid(self, now: float) -> bool:
        """True until it is revoked or expires; ``now`` in seconds since the epoch."""
        return not self.revoked and now < self.expires_at


class Grants:
    """Tells open streams that their grant has ended. Used on the event loop only.

    A stream costs one dictionary entry and nothing while it is open: as long as no watched grant is due, a sweep is
    one comparison. (A heap of expiries would keep the entries of closed streams until their tokens expire.)
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watchers: dict[Grant, dict[object, Callable[[], None]]] = {}
        self._due = math.inf

    def __repr__(self) -> str:
        streams = sum(map(len, self._watchers.values()))
        return f"<Grants: {len(self._watchers)} watched by {streams} streams>"

    def watch(self, grant: Grant, ended: Callable[[], None]) -> Callable[[], None]:
        """Have ``ended`` called once when the grant is revoked or expires; returns how to stop watching.

        Never calls back from within: a grant that has ended already is noticed by the next sweep.
        """
        watchers = self._watchers.setdefault(grant, {})
        key = object()
        watchers[key] = ended
        self._due = min(self._due, _end(grant))

        def unwatch() -> None:
            watchers.pop(key, None)
            if not watchers and self._watchers.get(grant) is watchers:
                del self._watchers[grant]

        return unwatch

    def revoke(self, grant: Grant) -> None:
        """End a grant now and tell whoever watches it."""
        grant.revoked = True
        for ended in list(self._watchers.pop(grant, {}).values()):
            try:
                ended()
            except Exception:  # one stream that cannot be cut must not save the others
                _log.exception("a stream could not be told that its token has ended")

    def sweep(self) -> None:
        """Tell the watchers of grants that have ended by now."""
        now = self._clock.now()
        if now < self._due:
            return
        for grant in [grant for grant in self._watchers if not grant.valid(now)]:
            self.revoke(grant)
        self._due = min(map(_end, self._watchers), default=math.inf)

    async def run(self) -> None:
        """Sweep until cancelled: the server keeps one task of this."""
        while True:
            self.sweep()
            await asyncio.sleep(SWEEP)


def _end(grant: Grant) -> float:
    return -math.inf if grant.revoked else grant.expires_at
