"""How large the members of an activity may be, and the checks that hold for every way in."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from headway.core.activity import Attributes
from headway.core.errors import InvalidInput
from headway.core.text import clean

TITLE = 256
SUBTITLE = 512
ERROR = 2_000
UNIT = 32
"""Characters."""

CONTEXT_KEYS = 32
CONTEXT_BYTES = 4 * 1024
RESPONSE_BYTES = 16 * 1024

LARGEST = 2.0**53
"""Counts stay exact in every client up to here: JSON numbers are doubles in most of them."""

LEASE = (10.0, 86_400.0)
GRACE = (0.0, 300.0)
"""Seconds, from and to."""

TYPE = re.compile(r"[A-Za-z0-9._-]{1,128}")
KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
"""Names that can also be XML attributes."""


def type_name(value: str) -> str:
    """The type, if it is one; raises ``InvalidInput``."""
    if not TYPE.fullmatch(value):
        raise InvalidInput("type must be 1 to 128 of the characters A-Z a-z 0-9 . _ -")
    return value


def context(values: Mapping[str, Any], where: str = "Context") -> Attributes:
    """A context that clients can read: flat, small, string ids; raises ``InvalidInput`` naming the place."""
    bag = _attributes(values, where, CONTEXT_BYTES)
    if len(bag) > CONTEXT_KEYS:
        raise InvalidInput(f"{where} has {len(bag)} members; at most {CONTEXT_KEYS} are allowed")
    if not isinstance(bag.get("librarySectionID", ""), str):
        # Clients decode this one as a string and drop their whole list otherwise.
        raise InvalidInput(f"{where}.librarySectionID must be a string")
    return bag


def response(values: Mapping[str, Any], where: str = "Response") -> Attributes:
    """A response that clients can read: flat and small; raises ``InvalidInput`` naming the place."""
    return _attributes(values, where, RESPONSE_BYTES)


def _attributes(values: Mapping[str, Any], where: str, limit: int) -> Attributes:
    bag: dict[str, str | int | float | bool] = {}
    size = 0
    for name, value in values.items():
        key = str(name)
        if not KEY.fullmatch(key):
            raise InvalidInput(
                f"{where} has a member {clean(key)[:64]!r}; names are a letter or _ and then "
                "at most 63 letters, digits, and _ . -"
            )
        bag[key] = _scalar(value, f"{where}.{key}")
        size += len(key) + len(str(bag[key]).encode())
    if size > limit:
        raise InvalidInput(f"{where} has {size} bytes; at most {limit} are allowed")
    return bag


def _scalar(value: Any, where: str) -> str | int | float | bool:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and math.isfinite(value) and abs(value) <= LARGEST:
        return value
    raise InvalidInput(f"{where} must be a string, a number or a boolean")
