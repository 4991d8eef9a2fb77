"""What a single member may hold. A rule takes where the value stands and the value, and gives the value to use.

All raise ``InvalidInput`` naming the place and the rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from headway.core.activity import State
from headway.core.errors import InvalidInput
from headway.core.scalars import plain
from headway.core.text import clean
from headway.wire.json import quoted

T = TypeVar("T")
Rule = Callable[[str, object], T]

MAX_USER = 2**53
MAX_COUNT = 2.0**53
"""Counts stay exact in every client up to here: JSON numbers are doubles in most of them."""
TYPE = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)


def broken(where: str, rule: str, value: object) -> InvalidInput:
    """The error for a value that breaks a rule."""
    if value is None:
        return InvalidInput(f"{where}: {rule}, not null; leave the member out instead")
    return InvalidInput(f"{where}: {rule}, not {quoted(value)}")


def text(limit: int) -> Rule[str]:
    """Text of at most ``limit`` characters, counted after cleaning."""

    def check(where: str, value: object) -> str:
        if not isinstance(value, str):
            raise broken(where, "must be text", value)
        cleaned = clean(value)
        if len(cleaned) > limit:
            raise InvalidInput(f"{where}: must have at most {limit} characters, not {len(cleaned)}")
        return cleaned

    return check


def number(low: float, high: float = MAX_COUNT) -> Rule[float]:
    """A number from ``low`` to ``high``."""
    rule = f"must be a number from {plain(low)} to {'2^53' if high == MAX_COUNT else plain(high)}"

    def check(where: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise broken(where, rule, value)
        if not low <= value <= high:  # NaN is not either
            raise broken(where, rule, value)
        return value

    return check


def progress(where: str, value: object) -> float:
    """Percent, or -1 for indeterminate."""
    checked = number(-1, 100)(where, value)
    if -1 < checked < 0:
        raise broken(where, "must be from 0 to 100, or -1 for indeterminate", value)
    return checked


def flag(where: str, value: object) -> bool:
    """True or false, not a number or a word for it."""
    if not isinstance(value, bool):
        raise broken(where, "must be true or false", value)
    return value


def user(where: str, value: object) -> int:
    """The id of a user, from 1 on."""
    # 5.0 is an integer too, for JSON Schema and for the languages that write it so.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= MAX_USER or value % 1:
        raise broken(where, "must be an integer of at least 1", value)
    return int(value)


def activity_type(where: str, value: object) -> str:
    """A dotted name such as ``library.update.section``."""
    if not isinstance(value, str) or not TYPE.fullmatch(value):
        raise broken(where, "must be 1 to 128 characters out of A-Z a-z 0-9 . _ -", value)
    return value


def uuid(where: str, value: object) -> str:
    """The id of an activity, in lower case whatever case it came in."""
    if not isinstance(value, str) or not UUID.fullmatch(value):
        raise broken(where, "must be the uuid of an activity", value)
    return value.lower()


def state(where: str, value: object) -> State:
    """Any state."""
    return _state(where, value, tuple(State))


def terminal_state(where: str, value: object) -> State:
    """A state in which an activity has ended."""
    return _state(where, value, tuple(state for state in State if state.ended))


def _state(where: str, value: object, allowed: tuple[State, ...]) -> State:
    if not isinstance(value, str) or value not in allowed:
        raise broken(where, f"must be one of {', '.join(allowed)}", value)
    return State(value)
