"""What one line of output tells about progress, and what every rule that reads lines looks like."""

from __future__ import annotations

import re
from typing import Protocol

import msgspec

from headway.operations.process.progress.terminal import Line


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool said about its progress; a field that it did not state is `None`.

    fraction: 0..1 of the whole. completed, total: in `unit`. unit: "bytes", "s", "files", "it", … subtitle: what it is
    working on. final: the tool said that it is finished, wherever the fraction stands.
    A reading without `fraction` and `completed` says that nothing is known (any more): indeterminate.
    """

    fraction: float | None = None
    completed: float | None = None
    total: float | None = None
    unit: str | None = None
    subtitle: str | None = None
    final: bool = False


class Rule(Protocol):
    """One tool's way of telling progress. It may remember what earlier lines said, a bounded amount of it."""

    @property
    def hints(self) -> tuple[bytes, ...]:
        """What a line must hold one of to be worth reading."""

    def read(self, line: Line) -> Reading | None:
        """What this line tells; `None` if it is not about progress. Raises nothing, whatever the line.

        Called for lines that hold one of the hints, possibly again for a line that was read while it was unfinished.
        """


SIZE = r"\d[\d.,]{0,20} ?[kKMGTPE]?i?"  # a number with a prefix: 3,000,000 or 1.2M or 19.1Mi; before an optional "B"
_PREFIXES = "kMGTPE"


def number(text: str) -> float:
    """The value of digits with a decimal point or comma, and commas between thousands; 0 if it is no number."""
    whole, comma, end = text.rpartition(",")
    if comma and "," not in whole and "." not in text and len(end) != 3:
        text = f"{whole}.{end}"  # 2,93 in many languages
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return 0.0


def size(text: str, base: int) -> float:
    """The value of what `SIZE` matched, its prefix counting `base` (1000 or 1024), or 1024 if written `Ki`."""
    digits, prefix, binary = re.fullmatch(r"([\d.,]*) ?([kKMGTPE]?)(i?)", text).groups()  # type: ignore[union-attr]
    power = _PREFIXES.index(prefix.replace("K", "k")) + 1 if prefix else 0
    value = number(digits) * (1024 if binary else base) ** power
    return float(round(value)) if prefix else value


def seconds(clock: str) -> float:
    """The seconds of `[H:]MM:SS[.fff]`."""
    total = 0.0
    for part in clock.split(":"):
        total = total * 60 + float(part)
    return total


def share(completed: float, total: float) -> float | None:
    """`completed` of `total`, within 0..1; `None` of nothing."""
    return min(max(completed / total, 0.0), 1.0) if total > 0 else None
