"""The single values of a Context or a Response, and numbers, as they are written."""

from __future__ import annotations

import msgspec

from headway.core.activity import Scalar

_EXACT = 2**53


def plain(value: float) -> float:
    """A finite number, as an integer when it is whole: 12, not 12.0.

    Beyond 2**53 a float has no unit digit left, and as an integer it could have 300 of them: there it stays.
    """
    return int(value) if abs(value) <= _EXACT and value == int(value) else value


def shown(value: Scalar) -> str:
    """A value as an attribute of XML shows it: booleans as 0 and 1, numbers as JSON writes them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    return msgspec.json.encode(plain(value)).decode()
