"""One-use links: who has a token lets a browser in by them, without the token being typed, stored or logged anywhere.

They are in memory alone: a restart makes them worthless, as five minutes do.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from headway.ports import Clock
from headway.server.identity.tokens import digest, new_link

LIFETIME = 300.0
"""Seconds."""
PER_USER = 10
"""The oldest is worthless when there is one more."""


class Link(msgspec.Struct, frozen=True):
    """What a code stands for."""

    user_id: int
    token: str
    """The id of the token whose session it opens."""
    expires_at: float


class Links:
    """The links that have not been used yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # By digest: a search among hashes tells by its time nothing about what is not known already.
        self._links: dict[bytes, Link] = {}

    def __repr__(self) -> str:
        return f"<Links: {len(self._links)}>"

    def make(self, user_id: int, token: str) -> tuple[str, Link]:
        """The code of a new link; it cannot be had again."""
        now = self._clock.now()
        self._links = {key: link for key, link in self._links.items() if now < link.expires_at}
        for key in list(self._of(user_id))[: 1 - PER_USER]:
            del self._links[key]
        code = new_link()
        link = self._links[digest(code)] = Link(user_id, token, now + LIFETIME)
        return code, link

    def take(self, code: str) -> Link | None:
        """What a code stands for, once; None for one that is unknown, used or expired."""
        link = self._links.pop(digest(code), None)
        return link if link is not None and self._clock.now() < link.expires_at else None

    def drop(self, user_id: int) -> None:
        """Make a user's links worthless."""
        for key in list(self._of(user_id)):
            del self._links[key]

    def _of(self, user_id: int) -> Iterator[bytes]:
        """Oldest first."""
        return (key for key, link in self._links.items() if link.user_id == user_id)
