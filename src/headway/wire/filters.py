"""Which kinds of notifications a client of the streams wants: the ``filters`` query argument.

The official text calls it ``filters`` in prose and ``filter`` in its parameter list; clients send either, once with
commas or repeated. Absent, it means all but ``log``; empty, all. A leading ``-`` turns the whole list round.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

NAMES = ("filters", "filter")
"""The query arguments that count."""


class Filters(msgspec.Struct, frozen=True):
    """A wish for some types of notifications. Not asked about ``ping``, which nothing hides."""

    names: frozenset[str] = frozenset({"log"})
    negated: bool = True
    """Then ``names`` are those that are not wanted."""

    def admits(self, type: str) -> bool:
        """True when notifications of this type are wanted."""
        return (type in self.names) is not self.negated


DEFAULT = Filters()
EVERYTHING = Filters(frozenset(), negated=True)


def parse_filters(values: Sequence[str]) -> Filters:
    """``values``: those of all arguments called ``filters`` or ``filter``, in order, decoded."""
    if not values:
        return DEFAULT
    joined = ",".join(value.strip() for value in values)
    negated = joined.startswith("-")
    listed = (name.strip().removeprefix("-" if negated else "") for name in joined.split(","))
    names = frozenset(name for name in listed if name)
    return Filters(names, negated) if names else EVERYTHING
