"""What running code says of its work, made to fit the rules instead of refused: reporting never raises into a job."""

from __future__ import annotations

import math

from headway.core.errors import HeadwayError
from headway.core.text import clean, clean_lines, last_of, shortened
from headway.wire.requests import MAX_OUTPUT
from headway.wire.rules import MAX_COUNT

OUTPUT_PACE = 1.0
"""Seconds between two tellings of what was printed, and in addition"""

OUTPUT_RATE = 16 * 1024
"""one for so many characters of the last: what prints all the time costs no more than these a second."""


def percent(value: float | None) -> float | None:
    """A percentage from 0 to 100, -1 for anything below; None for what is no number."""
    plain = _plain(value)
    if plain is None:
        return None
    return -1.0 if plain < 0 else min(100.0, plain)


def count(value: float | None) -> float | None:
    """A count from 0 to 2^53; None for what is no number."""
    plain = _plain(value)
    return None if plain is None else min(MAX_COUNT, max(0.0, plain))


def text(value: str | None, limit: int) -> str | None:
    """The text cleaned, in at most ``limit`` characters."""
    return None if value is None else shortened(clean(str(value)), limit)


def output(text: str) -> str:
    """The end of what was printed, cleaned, in at most 64 KiB."""
    return last_of(clean_lines(str(text)[-2 * MAX_OUTPUT :]), MAX_OUTPUT)


def output_pause(text: str) -> float:
    """Seconds after which that may be told again, once this was."""
    return OUTPUT_PACE + len(text) / OUTPUT_RATE


def said(error: BaseException) -> str:
    """What an exception says, in one line; its class where it has no words."""
    if isinstance(error, HeadwayError):
        return error.message
    try:
        words = str(error)
    except Exception:  # theirs may raise anything
        words = ""
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _plain(value: float | None) -> float | None:
    if value is None or type(value) is int:
        return value
    try:
        number = float(value)  # other libraries have numbers of their own, which no store can write down
    except Exception:  # theirs may raise anything
        return None
    return None if math.isnan(number) else number
