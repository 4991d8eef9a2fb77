"""How fast something grows: the exponent of a power law, fitted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple


class Fit(NamedTuple):
    """``y = factor · x ** exponent``, by least squares of the logarithms."""

    exponent: float
    error: float
    """The standard error of the exponent; NaN with two points."""
    factor: float


def fitted(points: Iterable[tuple[float, float]]) -> Fit | None:
    """Through the points, all of them positive; None with fewer than two places."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    count = len(logs)
    if len({x for x, _ in logs}) < 2:
        return None
    middle_x, middle_y = (sum(values) / count for values in zip(*logs, strict=True))
    spread = sum((x - middle_x) ** 2 for x, _ in logs)
    exponent = sum((x - middle_x) * (y - middle_y) for x, y in logs) / spread
    left = sum((y - middle_y - exponent * (x - middle_x)) ** 2 for x, y in logs)
    error = math.sqrt(left / (count - 2) / spread) if count > 2 else math.nan
    return Fit(exponent, error, math.exp(middle_y - exponent * middle_x))
