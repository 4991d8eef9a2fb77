"""How long a run will still take, by its own rate and by the past runs of its type and owner.

Both say a time and how far off it tends to be, in the logarithm: an hour is as wrong for half an hour as two hours are.
They are weighed by that. Early, the history knows more; what it knows spreads out as a run outlasts others, while the
rate is taken of ever more of the work. Nothing is said without either: "not enough data" is an answer.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

RUNS_NEEDED = 5
"""Past runs below which there is no history: the range of four misses more than it tells."""

QUANTILES = 15
"""Numbers that sum up a history, from its shortest run to its longest."""

DECILE = 1.2816
"""Standard deviations from the middle of a normal distribution to its outer tenths: 80 % lie between."""

LEAST_SPREAD = 0.1
"""Of the history, however alike the past runs were: a machine has other things to do, too."""

NEGLIGIBLE = 0.01
"""Share of the time spent so far that even a run at 100 % may still take: it has to close what it opened."""

RATE_SPREAD = 0.45
RATE_SPREAD_AT_END = 0.3

MOMENT = 1e-3
"""Seconds that count as none: nothing has a logarithm."""


class Expectation(msgspec.Struct, frozen=True):
    """How long the past runs took, summed up."""

    runs: int
    """How many there were."""
    quantiles: tuple[float, ...]
    """Seconds, ascending: evenly placed from the shortest run to the longest."""


class Estimate(msgspec.Struct, frozen=True):
    """Seconds left, and between which bounds four out of five runs then end."""

    left: float
    low: float
    high: float


class Opinion(NamedTuple):
    """What one source says about the time left."""

    seconds: float
    spread: float
    """Standard deviation of the logarithm of the seconds."""


def expectation(durations: Sequence[float]) -> Expectation | None:
    """Sum up how long past runs took (seconds, in any order); None while there are too few.

    Which runs those are is for the caller to choose: successful ones, of the same type and the same owner.
    """
    known = sorted(seconds for seconds in durations if math.isfinite(seconds) and seconds >= 0)
    if len(known) < RUNS_NEEDED:
        return None
    return Expectation(len(known), tuple(_quantile(known, place / (QUANTILES - 1)) for place in range(QUANTILES)))


def remaining(
    elapsed: float, fraction: float | None, rate_eta: float | None, expected: Expectation | None
) -> Estimate | None:
    """What is left of a run after ``elapsed`` seconds; None without enough data.

    ``fraction`` (0..1) and ``rate_eta`` (seconds left by the rate, at the same moment) are None where nobody knows.
    """
    opinions = [_by_history(elapsed, expected), _by_rate(elapsed, fraction, rate_eta)]
    heard = [opinion for opinion in opinions if opinion is not None]
    return _weighed(heard) if heard else None


def _by_history(elapsed: float, expected: Expectation | None) -> Opinion | None:
    """What the past runs that took longer than ``elapsed`` had left then; None if there was none."""
    if expected is None or elapsed >= expected.quantiles[-1]:
        return None
    gone = _share_within(expected.quantiles, elapsed)
    low, middle, high = (
        max(MOMENT, _quantile(expected.quantiles, gone + (1 - gone) * share) - elapsed) for share in (0.1, 0.5, 0.9)
    )
    # Of few runs the outermost are still too near: the next one lies beyond them more often than one in ten.
    outlasting = max(1.0, expected.runs * (1 - gone))
    spread = math.log(high / low) / (2 * DECILE) * (1 + 1.5 / outlasting)
    return Opinion(middle, max(LEAST_SPREAD, spread))


def _by_rate(elapsed: float, fraction: float | None, rate_eta: float | None) -> Opinion | None:
    if rate_eta is None:
        return None
    seconds = max(MOMENT, rate_eta, NEGLIGIBLE * elapsed)
    done = fraction if fraction is not None else elapsed / (elapsed + seconds)
    return Opinion(seconds, RATE_SPREAD * (1 - done) + RATE_SPREAD_AT_END)


def _weighed(opinions: list[Opinion]) -> Estimate:
    """The mean of the logarithms, weighed by the inverse of their variances."""
    weights = [opinion.spread**-2 for opinion in opinions]
    logarithms = [math.log(opinion.seconds) for opinion in opinions]
    total = sum(weights)
    mean = sum(map(operator.mul, weights, logarithms)) / total
    # Sources that are further apart than their spreads allow have been too sure of themselves.
    apart = sum(w * (logarithm - mean) ** 2 for w, logarithm in zip(weights, logarithms, strict=True))
    reach = DECILE * math.sqrt(max(1.0, apart) / total)
    left = math.exp(mean)
    return Estimate(left, left * math.exp(-reach), left * math.exp(reach))


def _share_within(ascending: Sequence[float], seconds: float) -> float:
    """Which share of the runs took at most this long, fewer than all."""
    after = bisect_right(ascending, seconds)
    if after == 0:
        return 0.0
    below, above = ascending[after - 1], ascending[after]
    return (after - 1 + (seconds - below) / (above - below)) / (len(ascending) - 1)


def _quantile(ascending: Sequence[float], share: float) -> float:
    """What this share (0..1) of the values lies below, between two of them in proportion."""
    place = share * (len(ascending) - 1)
    below = min(int(place), len(ascending) - 2)
    return ascending[below] + (place - below) * (ascending[below + 1] - ascending[below])
