"""pip's bars."""

from __future__ import annotations

import re

from headway.operations.process.progress.reading import Reading, number, share, size
from headway.operations.process.progress.terminal import Line

_BAR = re.compile(r"\s*[━╸╺]{5,400} (\d[\d.]{0,20})/(\d[\d.]{0,20})(?: ([kMGT]?)(?:B|bytes)\b| \[(.{1,200})\])")
_RAW = re.compile(r"Progress (\d{1,18}) of (\d{1,18})\s*$")
_FILE = re.compile(r"\s*Downloading (?:\S{0,2000}/)?([^\s/]{1,500}) \(")


class Pip:
    """Reads pip's bars of downloads (`━━━━ 1.2/3.4 MB`) and of installing (`━━━━ 2/5 [name]`), and raw progress.

    Each file has a bar of its own, so progress starts again with each. (pip's src/pip/_internal/cli/progress_bars.py)
    """

    hints: tuple[bytes, ...] = ("━".encode(), b"Progress ", b"Downloading ")

    def __init__(self) -> None:
        self._file: str | None = None

    def read(self, line: Line) -> Reading | None:
        """The reading of a bar, or of a raw line that follows a `Downloading` line; remembers the name of the file."""
        if bar := _BAR.match(line.text):
            completed, total = number(bar[1]), number(bar[2])
            if bar[4]:
                return _reading(completed, total, "packages", bar[4])
            scale = size(f"1{bar[3]}", 1000)
            return _reading(completed * scale, total * scale, "bytes", self._file)
        if self._file and (raw := _RAW.match(line.text)):
            return _reading(float(raw[1]), float(raw[2]), "bytes", self._file)
        if file := _FILE.match(line.text):
            self._file = file[1]
        return None


def _reading(completed: float, total: float, unit: str, subtitle: str | None) -> Reading | None:
    fraction = share(completed, total)
    if fraction is None or completed > total:
        return None
    return Reading(fraction=fraction, completed=completed, total=total, unit=unit, subtitle=subtitle)
