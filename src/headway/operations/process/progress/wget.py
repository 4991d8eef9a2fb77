"""wget's bar and its dots."""

from __future__ import annotations

import re

from headway.operations.process.progress.reading import SIZE, Reading, size
from headway.operations.process.progress.terminal import Line

_LENGTH = re.compile(r"Length: (?:(\d{1,18})|unspecified)")
_SAVING = re.compile(r"Saving to: \W(.{1,1000})\W\s*$")
_BAR = re.compile(rf"(?:(\d{{1,3}})% ?\[[=+> ]{{1,1000}}\]|\[ {{0,1000}}<=> {{0,1000}}\])\s+({SIZE})(?:\s|$)")
_DOTS = re.compile(r"\s*(\d{1,12})K(?: [.,]{1,64}){1,16}\s+(?:(\d{1,3})%\s*)?\d[\d.]*[KMG]?(?:\s|=|$)")


class Wget:
    """Reads wget's bar (`45%[====>   ] 1.23M`) and its rows of dots (`1500K .......... 45% 1.2M 3s`).

    The exact total comes from the `Length:` line where one is printed; bars scroll the file's name, so the subtitle
    comes from `Saving to:`. (wget's src/progress.c)
    """

    hints: tuple[bytes, ...] = (b"%[", b"% [", b"<=>", b"K .", b"K ,", b"Length: ", b"Saving to: ")

    def __init__(self) -> None:
        self._total: float | None = None
        self._file: str | None = None

    def read(self, line: Line) -> Reading | None:
        """The reading of a bar or of a row of dots; remembers the length and the name of the file."""
        text = line.text
        if bar := _BAR.search(text):
            return self._reading(bar[1], size(bar[2], 1024))
        if dots := _DOTS.match(text):
            return self._reading(dots[2], int(dots[1]) * 1024.0)
        if length := _LENGTH.match(text):
            self._total = float(length[1]) if length[1] else None
            self._file = None
        elif saving := _SAVING.match(text):
            self._file = saving[1]
        return None

    def _reading(self, percent: str | None, completed: float) -> Reading:
        if percent is None:
            return Reading(completed=completed, unit="bytes", subtitle=self._file)
        fraction = min(int(percent) / 100, 1.0)
        if self._total is not None:
            completed = self._total if fraction == 1 else min(completed, self._total)
        return Reading(fraction=fraction, completed=completed, total=self._total, unit="bytes", subtitle=self._file)
