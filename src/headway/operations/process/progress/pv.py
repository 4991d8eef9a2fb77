"""pv's line, and its numbers (`-n`)."""

from __future__ import annotations

import re

from headway.operations.process.progress.reading import SIZE, Reading, size
from headway.operations.process.progress.terminal import Line

_LINE = re.compile(
    rf"(?:.{{1,200}}: +)? *({SIZE})(B?) +(?:\d{{1,4}}:)?\d{{1,3}}:\d\d:\d\d +\[ *[\d.]+ ?[kKMGTPE]?i?B?/s\]"
    r"(?: +\[=*>? *\] +(\d{1,3})%)?"
)
_NUMBER = re.compile(r"(\d{1,18})\s*")


class Pv:
    """Reads pv's line: `6.00MiB 0:00:01 [5.52MiB/s] [====>     ] 31% ETA 0:00:02`; lines instead of bytes with `-l`."""

    hints: tuple[bytes, ...] = (b"/s]",)

    def read(self, line: Line) -> Reading | None:
        """The reading of one line; no fraction where pv was not told the size."""
        found = _LINE.match(line.text)
        if found is None:
            return None
        in_bytes = bool(found[2])
        fraction = min(int(found[3]) / 100, 1.0) if found[3] else None
        completed = size(found[1], 1024 if in_bytes else 1000)
        return Reading(fraction=fraction, completed=completed, unit="bytes" if in_bytes else "lines")


class NumericPv(Pv):
    """Reads also `pv -n`, which prints a bare percentage a line, or with `-b` the bytes.

    Bare numbers are evidence of nothing, so this is for those who say that it is pv.
    """

    hints: tuple[bytes, ...] = (b"/s]", *(b"%d" % digit for digit in range(10)))

    def __init__(self) -> None:
        self._counts = False

    def read(self, line: Line) -> Reading | None:
        """The reading of one line, or of a bare number: a percentage, unless numbers above 100 have been seen."""
        found = _NUMBER.fullmatch(line.text)
        if found is None:
            return super().read(line)
        value = int(found[1])
        self._counts = self._counts or value > 100
        return Reading(completed=float(value), unit="bytes") if self._counts else Reading(fraction=value / 100)
