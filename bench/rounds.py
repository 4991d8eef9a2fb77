"""Rounds of a comparison: medians, and ratios of rounds that were next to each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

import msgspec

Key = tuple[str, str, int]
"""Server, protocol, watchers."""


class Round(msgspec.Struct, frozen=True):
    """What one server did once."""

    server: str
    protocol: str
    watchers: int
    number: int
    """Rounds of the same number were run one after the other."""
    values: dict[str, float] = {}
    error: str | None = None
    """Why it does not count: the server failed, or somebody did not get everything."""

    @property
    def key(self) -> Key:
        return self.server, self.protocol, self.watchers


def medians(rounds: Iterable[Round]) -> dict[Key, dict[str, float]]:
    """Of the rounds that count, value by value."""
    found: dict[Key, list[Round]] = {}
    for one in rounds:
        if one.error is None:
            found.setdefault(one.key, []).append(one)
    return {
        key: {name: median(one.values[name] for one in several) for name in several[0].values}
        for key, several in found.items()
    }


def ratio(rounds: Sequence[Round], ours: Key, theirs: Key, value: str) -> float | None:
    """The median of a value's ratios in rounds of the same number; None where there are none."""
    first, second = (_by_number(rounds, key, value) for key in (ours, theirs))
    ratios = [first[number] / second[number] for number in first.keys() & second.keys() if second[number]]
    return median(ratios) if ratios else None


def errors(rounds: Iterable[Round], of: str = "watchers") -> list[str]:
    """A line for each round that does not count. ``of``: what a round had so many of, if not watchers."""
    return [f"{_named(one, of)}: {one.error}" for one in rounds if one.error is not None]


def recorded(rounds: Iterable[Round]) -> list[dict[str, Any]]:
    """The medians for the record, a row for each key."""
    return [
        {"server": server, "protocol": protocol, "watchers": watchers, **values}
        for (server, protocol, watchers), values in medians(rounds).items()
    ]


def uncounted(rounds: Iterable[Round], skipped: Iterable[str], of: str = "watchers") -> list[str]:
    """What a table does not hold, and why. ``of``: see ``errors``."""
    left_out = [f"left out: {reason}" for reason in skipped]
    return left_out + [f"does not count: {error}" for error in errors(rounds, of)]


def judged(met: bool | None, what: str) -> str:
    """Whether a target was met, as a line of a table; None: there was too little to judge by."""
    return f"{'(few)' if met is None else 'met' if met else 'missed':<6}  {what}"


def _named(one: Round, of: str) -> str:
    many = f"{one.watchers} {of}" if one.watchers else ""
    return ", ".join(part for part in (one.server, one.protocol, many, f"round {one.number + 1}") if part)


def _by_number(rounds: Iterable[Round], key: Key, value: str) -> dict[int, float]:
    return {one.number: one.values[value] for one in rounds if one.key == key and one.error is None}
