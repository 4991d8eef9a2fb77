"""Rows in words: times, amounts and states as people read them. Pure: the time comes in."""

from __future__ import annotations

from datetime import datetime

from headway.client.rows import has_ended
from headway.wire.row import Row

NOTHING = "–"
SHORT_ID = 8
"""Characters of a uuid that are shown where space is short; usually enough to name it by."""

_SLACK = 1.0
"""Seconds that an estimate may be over and still be read as none left."""
_PREFIXES = ("", "k", "M", "G", "T", "P", "E")


def name(row: Row) -> str:
    """The title; the type where there is none."""
    return row.title or row.type


def state(row: Row) -> str:
    """The state, ``overdue`` or ``stalled`` where that matters more; ``running`` or ``ended`` from a server without."""
    if row.overdue:
        return "overdue"
    known = row.state or ("running" if row.ended_at is None else "ended")
    return "stalled" if row.stalled and known == "running" else known


def percent(row: Row) -> str:
    """``52%``, or nothing while nobody knows."""
    return f"{row.progress}%" if 0 <= row.progress <= 100 else NOTHING


def span(seconds: float) -> str:
    """A length of time in its two largest units: ``59s``, ``1m03s``, ``2h05m``, ``3d04h``."""
    whole = max(0, round(seconds))
    for size, smaller, unit, below in ((86_400, 3_600, "d", "h"), (3_600, 60, "h", "m"), (60, 1, "m", "s")):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // smaller:02}{below}"
    return f"{whole}s"


def amount(value: float, unit: str | None) -> str:
    """``1.2 GB``, ``45 files``, ``3.5``; bytes and large numbers with a prefix."""
    if unit == "bytes":
        return f"{_scaled(value)}B"
    if unit == "s":
        return span(value)
    number = f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.1f}"
    return f"{number} {unit}" if unit else number


def counts(row: Row) -> str:
    """``1.2 GB of 3.4 GB``, as far as it is known."""
    if row.completed is None:
        return ""
    done = amount(row.completed, row.unit)
    return done if row.total is None else f"{done} of {amount(row.total, row.unit)}"


def speed(row: Row) -> str:
    """``12 MB/s``; empty when it is not known, not counted or counted in seconds."""
    if not row.rate or row.completed is None or row.unit == "s" or has_ended(row):
        return ""
    return f"{amount(float(f'{row.rate:.3g}'), row.unit)}/s"


def remaining(row: Row, now: float) -> str:
    """The time left; nothing once that has run out without an end. ``now``: seconds since the epoch."""
    if row.eta is None or row.updated_at is None or has_ended(row):
        return ""
    left = row.eta - (now - row.updated_at)
    return span(left) if left > -_SLACK else ""


def elapsed(row: Row, now: float) -> str:
    """How long it has run, or ran; ``now``: seconds since the epoch."""
    if row.started_at is None:
        return ""
    return span((row.ended_at if row.ended_at is not None else now) - row.started_at)


def moment(seconds: float | None, now: float) -> str:
    """A point in time by the clock on the wall: of today the time of day, else the date, too."""
    if seconds is None:
        return NOTHING
    then = datetime.fromtimestamp(seconds)
    return then.strftime("%H:%M:%S" if then.date() == datetime.fromtimestamp(now).date() else "%Y-%m-%d %H:%M")


def ending(row: Row) -> str:
    """How it ended: ``succeeded after 3m10s``, ``failed after 2s: exit status 3``."""
    took = "" if row.started_at is None or row.ended_at is None else f" after {span(row.ended_at - row.started_at)}"
    anyway = ", though asked to stop" if row.cancel_requested and row.state in ("succeeded", "failed") else ""
    return f"{state(row)}{took}{anyway}{f': {row.error}' if row.error else ''}"


def _scaled(value: float) -> str:
    power = 0
    while abs(value) >= 1_000 and power < len(_PREFIXES) - 1:
        value /= 1_000
        power += 1
    digits = 0 if power == 0 or value >= 99.5 else 1
    return f"{value:.{digits}f} {_PREFIXES[power]}"
