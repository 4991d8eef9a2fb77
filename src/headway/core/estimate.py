"""How long a run will still take, by its own rate and by the past runs of its type and owner.

Each of the two says a time and how far off it tends to be, and counts in proportion to that. Errors are ratios, and so
are counted in logarithms: half an hour is as wrong for an hour as two hours are. Early in a run the history knows more;
what it knows spreads out as the run outlasts others, while the rate is taken of ever more of the work.

The numbers below come from replaying recorded runs (``python -m bench eta``): they cover 80 % of them, and are rounded,
since a third more or less changes the errors little.
"""

from __future__ import annotations

import math
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

HISTORY_SPREAD = 0.3
"""Of the history at least, however alike the past runs were: a machine is busier today than it was then."""

RATE_SPREAD = 0.3
"""Of the rate near the end, where least is left to change its course; twice that at the start."""

DOUBT = 2.0
"""How much the rate is doubted for differing from the speed of the whole run: work that is uneven stays so."""

MOST_SPREAD = 2.0
"""Of the rate: it may differ for a good reason, too, such as a start from where an earlier run had stopped."""

TRIFLE = 0.01
"""Share of the time spent so far that is left even at 100 %: a run has to close what it opened."""

SHORTEST, LONGEST = 1e-3, 1e10
"""Seconds that stand for none and for centuries: neither nothing nor infinity has a logarithm."""


class Expectation(msgspec.Struct, frozen=True):
    """How long past runs took, summed up."""

    runs: int
    """How many there were."""
    quantiles: tuple[float, ...]
    """Seconds, ascending: evenly placed from the shortest run to the longest."""


class Estimate(msgspec.Struct, frozen=True):
    """Seconds left; of runs that look like this one, four in five end between ``low`` and ``high``."""

    left: float
    low: float
    high: float


class Opinion(NamedTuple):
    """What one source says is left."""

    seconds: float
    spread: float
    """Standard deviation of the logarithm of the seconds."""


def expectation(durations: Sequence[float]) -> Expectation | None:
    """Sum up how long past runs took (seconds, in any order); None while there are too few.

    Which runs count is for the caller to choose: successful ones, of the same type and of the same owner, since nothing
    that a user sees may depend on what others do.
    """
    known = sorted(seconds for seconds in durations if math.isfinite(seconds) and seconds >= 0)
    if len(known) < RUNS_NEEDED:
        return None
    return Expectation(len(known), tuple(_quantile(known, place / (QUANTILES - 1)) for place in range(QUANTILES)))


def remaining(
    elapsed: float, fraction: float | None, rate_eta: float | None, expected: Expectation | None
) -> Estimate | None:
    """What is left of a run ``elapsed`` seconds after its start; None without enough data.

    ``fraction`` is how much is done (0..1), ``rate_eta`` the seconds left by the rate (``Progress.eta``, less the time
    since that progress); both None where nobody knows.
    """
    opinions = [_by_history(elapsed, expected), _by_rate(elapsed, fraction, rate_eta)]
    known = [opinion for opinion in opinions if opinion is not None]
    return _weighed(known) if known else None


def _by_history(elapsed: float, expected: Expectation | None) -> Opinion | None:
    """What those past runs still took that had lasted as long; None if none had."""
    if expected is None or elapsed >= expected.quantiles[-1]:
        return None
    gone = _share_within(expected.quantiles, elapsed)
    low, middle, high = (
        _bounded(_quantile(expected.quantiles, gone + (1 - gone) * share) - elapsed) for share in (0.1, 0.5, 0.9)
    )
    # Few runs lie closer together than all that there will be: the next one falls outside more often than it should.
    outlasting = max(1.0, expected.runs * (1 - gone))
    spread = math.log(high / low) / (2 * DECILE) * (1 + 1.5 / outlasting)
    return Opinion(middle, max(HISTORY_SPREAD, spread))


def _by_rate(elapsed: float, fraction: float | None, rate_eta: float | None) -> Opinion | None:
    if rate_eta is None or not math.isfinite(rate_eta):
        return None
    seconds = _bounded(max(rate_eta, TRIFLE * elapsed))
    if not fraction:
        return Opinion(seconds, MOST_SPREAD)
    at_average_speed = _bounded(max(elapsed * (1 - fraction) / fraction, TRIFLE * elapsed))
    apart = math.log(at_average_speed / seconds)
    return Opinion(seconds, min(MOST_SPREAD, math.hypot(RATE_SPREAD * (2 - fraction), DOUBT * apart)))


def _weighed(opinions: list[Opinion]) -> Estimate:
    """The mean of the logarithms, weighed by the inverse of their variances."""
    weighted = [(opinion.spread**-2, math.log(opinion.seconds)) for opinion in opinions]
    total = sum(weight for weight, _ in weighted)
    mean = sum(weight * logarithm for weight, logarithm in weighted) / total
    # Sources further apart than their spreads allow were too sure of themselves, both of them.
    apart = sum(weight * (logarithm - mean) ** 2 for weight, logarithm in weighted)
    reach = DECILE * math.sqrt(max(1.0, apart) / total)
    return Estimate(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach))


def _bounded(seconds: float) -> float:
    return min(LONGEST, max(SHORTEST, seconds))


def _share_within(ascending: Sequence[float], value: float) -> float:
    """Which share of the values is at most this one, the last being above it."""
    after = bisect_right(ascending, value)
    if after == 0:
        return 0.0
    below, above = ascending[after - 1], ascending[after]
    return (after - 1 + (value - below) / (above - below)) / (len(ascending) - 1)


def _quantile(ascending: Sequence[float], share: float) -> float:
    """Below what this share (0..1) of the values lies; between two of them, in proportion."""
    place = share * (len(ascending) - 1)
    below = int(place)
    if below >= len(ascending) - 1:
        return ascending[-1]
    between = (place - below) * (ascending[below + 1] - ascending[below])
    return min(ascending[below + 1], ascending[below] + between)  # the sum may be rounded up beyond
