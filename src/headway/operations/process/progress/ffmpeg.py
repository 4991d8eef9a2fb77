"""ffmpeg's statistics line and its `-progress` blocks, against the duration of its input."""

from __future__ import annotations

import re

from headway.operations.process.progress.reading import Reading, seconds, share
from headway.operations.process.progress.terminal import Line

_CLOCK = r"\d{1,6}:\d\d:\d\d(?:\.\d{1,9})?"
_INPUT = re.compile(r"Input #(\d{1,4}), ")
_DURATION = re.compile(rf"\s*Duration: (?:({_CLOCK})|N/A)(?:,|$)")
_STATISTICS = re.compile(rf"(?:frame|L?size)=.{{0,200}}?\btime=(?:({_CLOCK})|-{_CLOCK}|N/A) bitrate=")
_ENDING = re.compile(r".{0,200}\bLsize=")
_BLOCK_TIME = re.compile(r"out_time_(?:us|ms)=(-?\d{1,18})\s*$")
_BLOCK_END = re.compile(r"progress=(continue|end)\s*$")


class Ffmpeg:
    """Reads ffmpeg's progress. (fftools/ffmpeg.c, `print_report`)

    The whole is the longest input; with a live one among them (`Duration: N/A`) there is no fraction, and none any
    more once the time has passed the duration (`-stream_loop`). `-t`, `-to` and `-ss` are not printed, so a cut ends
    before 1. Both `out_time_us` and, in spite of its name, `out_time_ms` are microseconds.
    """

    hints: tuple[bytes, ...] = (b"time=", b"time_us=", b"time_ms=", b"progress=", b"Duration: ", b"Input #")

    def __init__(self) -> None:
        self._duration = 0.0  # seconds
        self._endless = False
        self._time: float | None = None  # seconds, of the `-progress` block being printed

    def read(self, line: Line) -> Reading | None:
        """The reading of a statistics line, or of a block at its last line; remembers the inputs."""
        text = line.text
        if statistics := _STATISTICS.match(text):
            time = seconds(statistics[1]) if statistics[1] else 0.0
            return self._reading(time, final=_ENDING.match(text) is not None)
        if block_end := _BLOCK_END.match(text):
            return self._end_of_block(final=block_end[1] == "end")
        if block_time := _BLOCK_TIME.match(text):
            self._time = max(int(block_time[1]) / 1_000_000, 0.0)
        else:
            self._note_input(text)
        return None

    def _end_of_block(self, final: bool) -> Reading | None:
        time, self._time = self._time, None
        return None if time is None else self._reading(time, final)

    def _note_input(self, text: str) -> None:
        if header := _INPUT.match(text):
            if int(header[1]) == 0:
                self._duration, self._endless = 0.0, False
        elif duration := _DURATION.match(text):
            self._endless = self._endless or duration[1] is None
            self._duration = max(self._duration, seconds(duration[1] or "0"))

    def _reading(self, time: float, final: bool) -> Reading:
        if self._duration and time > self._duration * 1.01 + 1:
            self._endless = True
        if self._endless or not self._duration:
            return Reading(completed=time, unit="s", final=final)
        return Reading(
            fraction=share(time, self._duration), completed=time, total=self._duration, unit="s", final=final
        )
