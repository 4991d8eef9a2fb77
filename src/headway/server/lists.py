"""Whole lists as bytes, encoded once for everyone who asks for the same until it changes."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from headway.core.narrowing import EVERYTHING, Narrowing
from headway.core.policy import Scope
from headway.live import Feed
from headway.server.rows import Rows
from headway.wire.formats import Format

CAPACITY = 64 * 1024 * 1024
"""Bytes of lists that are kept; those asked for longest ago go first."""


class EncodedList(msgspec.Struct, frozen=True):
    """A list as it stood at one position of its view."""

    body: bytes
    position: int
    tag: str
    """Its entity tag (RFC 9110, section 8.8.3): of what is in it and of nothing else, so that it tells nothing more."""


class Wanted(msgspec.Struct, frozen=True):
    """What a request for a list comes to, once it is read and permitted."""

    scope: Scope
    narrowing: Narrowing
    format: Format
    tags: frozenset[str]
    """The lists that the client has (``If-None-Match``: RFC 9110, section 13.1.2), by entity tag; ``*`` is any."""

    def has(self, tag: str) -> bool:
        """Whether the client has that list."""
        return tag in self.tags or "*" in self.tags


class Lists:
    """The lists that have been asked for, by view, narrowing and format."""

    def __init__(self, feed: Callable[[Scope], Feed], rows: Rows, capacity: int = CAPACITY) -> None:
        self._feed = feed
        self._rows = rows
        self._capacity = capacity
        self._kept: OrderedDict[tuple[Scope, Narrowing, Format], EncodedList] = OrderedDict()
        self._size = 0

    def __repr__(self) -> str:
        return f"<Lists {len(self._kept)} of {self._size} bytes>"

    def get(self, scope: Scope, narrowing: Narrowing, format: Format) -> EncodedList:
        """The live activities within the scope that the narrowing admits, in order of start."""
        key, view = (scope, narrowing, format), self._feed(scope).view
        kept = self._kept.get(key)
        if kept is not None and kept.position == view.revision:
            self._kept.move_to_end(key)
            return kept
        admitted = view.live() if narrowing == EVERYTHING else filter(narrowing.admits, view.live())
        body = self._rows.list(admitted, format)
        tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
        made = EncodedList(body, view.revision, tag)
        self._keep(key, made)
        return made

    def _keep(self, key: tuple[Scope, Narrowing, Format], made: EncodedList) -> None:
        replaced = self._kept.pop(key, None)
        self._kept[key] = made
        self._size += len(made.body) - (0 if replaced is None else len(replaced.body))
        while self._size > self._capacity:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest.body)
