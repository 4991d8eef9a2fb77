"""What a command prints, looked at in passing: progress is reported, lines are handed on, the last ones are kept."""

from __future__ import annotations

import contextvars
import logging
import re
import threading
from collections.abc import Callable

from headway.operations.process.progress.meter import Meter
from headway.operations.process.pump import OnOutput
from headway.operations.process.transcript import Transcript
from headway.reporter import Reporter

OnLine = Callable[[Reporter, str], object]
"""Told the activity and a line, without what ended it. Called in a thread, one line at a time."""

MAX_LINE = 65536
"""Bytes after which an endless line is handed on in pieces."""

KEPT = 4096
"""Bytes of errors that are remembered for the reason of a failure."""

LAST_LINES = 5
LAST_TEXT = 1500
"""What is shown of them at most: lines, and characters. An error on record may have 2,000."""

_END = re.compile(rb"\r\n|\n|\r")
_log = logging.getLogger("headway")


class Output:
    """The output and errors of one command. Its pieces come in a thread for each of the two."""

    def __init__(
        self, reporter: Reporter, rule: str, on_line: OnLine | None, transcript: Transcript | None = None
    ) -> None:
        """To be made in the context that `on_line` is to be called in. ``transcript``: of all that is printed."""
        self.meter: Meter = Meter(rule)
        self.meter.report_to(reporter)
        self.errors: Transcript = Transcript(room=KEPT)
        self._transcript = transcript
        self._lines = None if on_line is None else (Lines(), Lines())
        self._reporter = reporter
        self._on_line = on_line
        self._context = contextvars.copy_context()
        self._lock = threading.Lock()

    def look(self, stream: int, *, errors: bool) -> OnOutput:
        """What takes the pieces of a stream, 1 or 2, and an empty one at its end. `errors`: they are among them."""
        measure = self.meter.stream(stream - 1)
        lines = None if self._lines is None else self._lines[stream - 1]
        keep = None if self._transcript is None else self._transcript.look(stream)

        def take(data: bytes) -> None:
            measure(data)
            if keep is not None:
                keep(data)
            if errors:
                self.errors.feed(data)
            if lines is not None:
                self._hand_on(lines.feed(data) if data else lines.rest())

        return take

    def _hand_on(self, lines: list[str]) -> None:
        with self._lock:  # one after the other, though the streams have a thread each
            for line in lines:
                if self._on_line is None:
                    return
                try:
                    self._context.run(self._on_line, self._reporter, line)
                except Exception:
                    _log.exception("on_line failed; the command goes on without it")
                    self._on_line = None


class Lines:
    """Bytes in, lines out. A line ends at a newline, or at a carriage return: then it is redrawn by the next."""

    def __init__(self) -> None:
        self._rest = b""
        self._returned = False

    def feed(self, data: bytes) -> list[str]:
        """The lines that the data finishes."""
        if self._returned:  # a newline after it belongs to it
            data = data.removeprefix(b"\n")
        self._returned = data.endswith(b"\r")
        *lines, self._rest = _END.split(self._rest + data)
        return [line.decode(errors="replace") for line in lines] + (self.rest() if len(self._rest) >= MAX_LINE else [])

    def rest(self) -> list[str]:
        """The line that was begun and not finished, if there is one; from then on it counts as finished."""
        rest, self._rest = self._rest, b""
        return [rest.decode(errors="replace")] if rest else []


def last_words(errors: Transcript) -> str:
    """The last lines that are not blank."""
    lines = [line.strip() for line in errors.read().split("\n")]
    return "\n".join([line for line in lines if line][-LAST_LINES:])[-LAST_TEXT:]
