"""Numbers as the wire writes them."""

from __future__ import annotations

_EXACT = 2**53


def plain(value: float) -> float:
    """A finite number, as an integer when it is whole: 12, not 12.0.

    Beyond 2**53 a float has no unit digit left, and as an integer it could have 300 of them: there it stays.
    """
    return int(value) if abs(value) <= _EXACT and value == int(value) else value
