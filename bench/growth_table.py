"""The outcome of ``growth`` as a table, with the exponents and what they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from bench.fit import Fit, fitted
from bench.load import Load
from bench.record import heading
from bench.rounds import Round, judged, medians

LINEAR, FLAT = 1.05, 0.1
"""Exponents: the most of what grows, and the most either way of what does not."""

Cost = Literal["net", "total"]


class Dimension(NamedTuple):
    """Something that grows alone."""

    name: str
    what: str
    sizes: Sequence[int]
    flat: bool
    """Whether the cost shall not grow with it."""
    base: Load
    cost: Cost = "net"
    """What it is judged by."""

    def load(self, size: int) -> Load:
        """The load with so much of it."""
        if self.name == "users":  # each brings his own
            each = {"changed": size * self.base.changed, "watchers": size * self.base.watchers}
            return msgspec.structs.replace(self.base, users=size, **each)
        return msgspec.structs.replace(self.base, **{self.name: size})

    def met(self, exponent: float) -> bool:
        """Whether that is a growth as it shall be."""
        return abs(exponent) <= FLAT if self.flat else exponent <= LINEAR


def _doubled(first: int) -> list[int]:
    return [first * 2**times for times in range(5)]


def _quadrupled(first: int) -> list[int]:
    """What shall not show is made to grow more, so that it could."""
    return [first * 4**times for times in range(5)]


_STEADY = Load(watchers=100, changed=50)

DIMENSIONS = {
    dimension.name: dimension
    for dimension in (
        Dimension("watchers", "watchers of what changes", _doubled(250), False, Load(changed=5)),
        Dimension("changed", "activities that change in a flush", _doubled(100), False, Load(watchers=5)),
        Dimension("depth", "levels of trees whose leaf reports", _doubled(1), False, Load(watchers=5, changed=50)),
        Dimension("users", "users with 4 changes and 4 watchers each", _doubled(8), False, Load(watchers=4, changed=4)),
        Dimension("reports", "reports of each activity before a flush", _quadrupled(1), True, _STEADY, "total"),
        Dimension("owners", "other users with 4 live activities", _quadrupled(16), True, _STEADY, "total"),
        Dimension("watched", "the same, each with a watcher", _quadrupled(16), True, _STEADY, "total"),
        Dimension("history", "ended activities", _doubled(2_000), True, _STEADY, "total"),
        Dimension("live", "live activities that do not change", _quadrupled(64), True, _STEADY),
    )
}
"""By name, in the order of the tables."""


class Growth(NamedTuple):
    """How the cost of one dimension grows."""

    dimension: Dimension
    points: Sequence[tuple[int, dict[str, float]]]
    """Medians by size."""
    fits: dict[Cost, Fit]

    @property
    def judged(self) -> Fit:
        """The exponent that counts."""
        return self.fits[self.dimension.cost]


def growths(rounds: Sequence[Round]) -> list[Growth]:
    """Of all dimensions with two sizes or more."""
    found = []
    middle = medians(rounds)
    for dimension in DIMENSIONS.values():
        points = sorted((size, values) for (name, _, size), values in middle.items() if name == dimension.name)
        fits: dict[Cost, Fit] = {}
        costs: tuple[Cost, ...] = ("net", "total")
        for cost in costs:
            fit = fitted((size, values[cost]) for size, values in points if values[cost] > 0)
            if fit is not None:
                fits[cost] = fit
        if dimension.cost in fits:
            found.append(Growth(dimension, points, fits))
    return found


def printed(rounds: Sequence[Round]) -> str:
    """A table for each dimension, and the exponents."""
    lines = [heading("growth")]
    found = growths(rounds)
    for growth in found:
        lines += ["", *_table(growth)]
    lines += ["", *map(_verdict, found)]
    lines += [
        f"does not count: {one.server} {one.watchers}, round {one.number + 1}: {one.error}"
        for one in rounds
        if one.error is not None
    ]
    return "\n".join(lines) + "\n"


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """The same for the record."""
    return {
        "medians": [{"dimension": name, "size": size, **values} for (name, _, size), values in medians(rounds).items()],
        "exponents": [
            {
                "dimension": growth.dimension.name,
                "flat": growth.dimension.flat,
                "judged": growth.dimension.cost,
                **{cost: fit._asdict() for cost, fit in growth.fits.items()},
                "met": growth.dimension.met(growth.judged.exponent),
            }
            for growth in growths(rounds)
        ],
    }


def _table(growth: Growth) -> list[str]:
    head = ("net ms", "total ms", "idle CPU", "report() ms", "changes", "frames")
    lines = [f"  {growth.dimension.name + ': ' + growth.dimension.what:<56}" + "".join(f"{one:>13}" for one in head)]
    for size, values in growth.points:
        cells = (
            f"{values['net'] * 1e3:.2f}",
            f"{values['total'] * 1e3:.2f}",
            f"{values['idle']:.1%}",
            f"{values['reporting'] * 1e3:.2f}",
            f"{values['changes']:,.0f}",
            f"{values['frames']:,.0f}",
        )
        lines.append(f"  {size:>56,}" + "".join(f"{cell:>13}" for cell in cells))
    return lines


def _verdict(growth: Growth) -> str:
    dimension = growth.dimension
    target = f"|e| ≤ {FLAT}" if dimension.flat else f"e ≤ {LINEAR}"
    told = ", ".join(f"{cost} {fit.exponent:+.3f} ± {fit.error:.3f}" for cost, fit in growth.fits.items())
    return judged(dimension.met(growth.judged.exponent), f"{dimension.name}: {target} ({dimension.cost}): {told}")
