"""curl's progress meter (the table), its meter of parallel transfers, and its bar (`-#`)."""

from __future__ import annotations

import re

from headway.operations.process.progress.reading import SIZE, Reading, share, size
from headway.operations.process.progress.terminal import Line

_HEADER = re.compile(r"\s*% Total\s+% Received\s+% Xferd\s")
_PARALLEL_HEADER = re.compile(r"DL%\s+UL%\s+Dled\s+Uled\s")
_TIME = r"[-\d]{1,4}[:dhms][-\d]{0,2}"
_ROW = re.compile(
    rf"\s*(\d{{1,3}})\s+({SIZE})\s+(\d{{1,3}})\s+({SIZE})\s+(\d{{1,3}})\s+({SIZE})\s+{SIZE}\s+{SIZE}\s+{_TIME}"
)
_PARALLEL_ROW = re.compile(rf"(\d{{1,3}}|--)\s+(?:\d{{1,3}}|--)\s+({SIZE})\s+({SIZE})\s+\d+\s+\d+\s+{_TIME}")
_BAR = re.compile(r"#{1,600} *(\d{1,3}\.\d)%\s*")


class Curl:
    """Reads curl's meters. (curl's lib/progress.c, src/tool_progress.c and src/tool_cb_prg.c)

    Rows of a table count only after its header. A transfer of unknown length shows 100 % of what it has got, but 0 %
    received and sent: it has no fraction. The bar counts once it has a `#`; the flying one of an unknown length says
    nothing.
    """

    hints: tuple[bytes, ...] = (b"% Total", b"DL% UL%", b"# ", b" 0 ", b"--")

    def __init__(self) -> None:
        self._row = _ROW
        self._headed = False

    def read(self, line: Line) -> Reading | None:
        """The reading of a row or a bar; remembers that a header was printed."""
        text = line.text
        if bar := _BAR.fullmatch(text):
            return Reading(fraction=min(float(bar[1]) / 100, 1.0))
        if not self._headed or "%" in text:
            self._note_header(text)
            return None
        row = self._row.match(text)
        if row is None:
            return None
        return self._parallel(row) if self._row is _PARALLEL_ROW else self._single(row)

    def _note_header(self, text: str) -> None:
        if _HEADER.match(text):
            self._row, self._headed = _ROW, True
        elif _PARALLEL_HEADER.match(text):
            self._row, self._headed = _PARALLEL_ROW, True

    def _single(self, row: re.Match[str]) -> Reading:
        total, completed = size(row[2], 1024), size(row[4], 1024) + size(row[6], 1024)
        unknown = row[1] == "100" and row[3] == row[5] == "0"
        if unknown or total <= 0:
            return Reading(completed=completed, unit="bytes")
        return Reading(fraction=share(completed, total), completed=completed, total=total, unit="bytes")

    def _parallel(self, row: re.Match[str]) -> Reading:
        completed = size(row[2], 1024) + size(row[3], 1024)
        fraction = None if row[1] == "--" else min(int(row[1]) / 100, 1.0)
        return Reading(fraction=fraction, completed=completed, unit="bytes")
