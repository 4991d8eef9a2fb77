"""rsync's `--info=progress2` and `--progress`.

Both draw `3,000,000  20%    4.47MB/s    0:00:00 (xfr#1, to-chk=4/6)`, the part in brackets only when a file is done.
With progress2 the bytes and the percentage are those of the whole, with `--progress` those of one file.
"""

from __future__ import annotations

import re

from headway.operations.process.progress.reading import SIZE, Reading, size
from headway.operations.process.progress.terminal import Line

_PROGRESS = re.compile(
    rf"\s*({SIZE})\s+(\d{{1,3}})%\s+\d[\d.,]*[kMGTP]?B/s\s+[\d?]+:[\d?]+:[\d?]+"
    r"(?:\s+\((?:xfr|xfer)#(\d{1,12}), (to|ir)-(?:chk|check)=(\d{1,12})/(\d{1,12})\))?\s*"
)
_LIST = re.compile(r"(?:sending|receiving) (?:incremental )?file list|\d+ files? to consider|building file list")


class Rsync:
    """Reads rsync's progress lines. (rsync's progress.c and its manual, `--progress`)

    - `to-chk=R/N`: R of N files remain. `ir-chk=R/N`: N still grows, the list is being built; then no fraction is told,
      for both N and rsync's percentage only describe what has been found so far and would run backwards.
    - Whole or one file? A finished file at less than 100 % means the whole; at 100 % with others remaining means one
      file. Before the first file is done: one file if the header of a file list was printed, else the whole.
    - For one file the fraction is by the number of files, moving within the current file; none before the first is
      done, when nothing is known of how many there are.
    - `to-chk=0/N` is the end, wherever the percentage stands: it also counts files that needed no transfer.
    """

    hints: tuple[bytes, ...] = (b"% ", b"file list", b"to consider")

    def __init__(self) -> None:
        self._listed = False
        self._start()

    def _start(self) -> None:
        self._per_file: bool | None = None
        self._growing = False
        self._remaining, self._files = 0, 0
        self._file_done: str | None = None
        self._before, self._after = 0.0, 0.0  # bytes of the files before the current one, and with it
        self._name: str | None = None

    def read(self, line: Line) -> Reading | None:
        """The reading of a progress line; remembers file lists and the state of the list."""
        progress = _PROGRESS.fullmatch(line.text)
        if progress is None:
            if _LIST.match(line.text):
                self._start()
                self._listed = True
            return None
        completed, percent = size(progress[1], 1000), min(int(progress[2]), 100)
        ended = progress[3] is not None
        if not ended or progress[3] != self._file_done:  # else the same line again
            self._before = self._after
        if ended:
            self._end_file(progress, completed, percent)
        if self._listed:
            self._note_name(line.above)
        if self._listed if self._per_file is None else self._per_file:
            return self._one_file(self._before + completed, percent, ended)
        return self._whole(completed, percent, ended)

    def _end_file(self, progress: re.Match[str], completed: float, percent: int) -> None:
        self._file_done, self._after = progress[3], self._before + completed
        self._growing, self._remaining, self._files = progress[4] == "ir", int(progress[5]), int(progress[6])
        if percent < 100:
            self._per_file = False
        elif self._remaining and self._per_file is None:
            self._per_file = True

    def _whole(self, completed: float, percent: int, ended: bool) -> Reading:
        fraction = None if self._growing else percent / 100
        if ended and not self._growing and not self._remaining:
            fraction = 1.0
        return Reading(fraction=fraction, completed=completed, unit="bytes", subtitle=self._name)

    def _one_file(self, completed: float, percent: int, ended: bool) -> Reading:
        fraction = None
        if self._files and not self._growing:
            done = self._files - self._remaining + (0 if ended else percent / 100)
            fraction = min(max(done / self._files, 0.0), 1.0)
        return Reading(fraction=fraction, completed=completed, unit="bytes", subtitle=self._name)

    def _note_name(self, above: str) -> None:
        if above and not _PROGRESS.fullmatch(above) and not _LIST.match(above):
            self._name = above.strip() or None
