"""Cuts what a program writes to its terminal into lines, as a reader of the screen would see them.

A line ends at a newline, a carriage return, a backspace or any movement of the cursor, so each redrawing of a status
line is a line of its own. Escape sequences that only colour or erase are dropped from its text. What is written on the
alternate screen belongs to a full-screen program (an editor, a pager, a monitor) and is not output: it gives no lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# A status line is at most as wide as a terminal; this leaves room for a colour around each character of it.
MAX_LINE = 4096  # bytes, escape sequences included; a longer line is skipped
_MAX_BREAK = 40  # bytes, more than the longest sequence that ends a line
_MAX_PAST = 1024  # bytes remembered of what came before, for `Line.above`

# The first character is a set, for that is what the engine searches fast.
_BREAK = re.compile(
    rb"[\n\r\b\v\f\x1b](?:(?<!\x1b)"
    rb"|\[[0-9;]{0,20}[A-HSTdfsu]"  # the cursor moves, or is saved and restored
    rb"|\[\?(?:1049|1047|47)[hl]"  # the alternate screen, entered and left
    rb"|[78DEMc])"
)
_UP = re.compile(rb"\x1b(?:\[[0-9;]*[AF]|M)")
_UNSEEN = re.compile(
    rb"\x1b[\]PX^_][^\x07\x1b\x18\x1a]*(?:\x07|\x1b\\)?"  # strings (titles, links), ended or not
    rb"|\x1b\[[0-?]*[ -/]*[@-~]?"  # colours, erasing, modes
    rb"|\x1b[ -/]*[0-~]?"
)


class Line:
    """One line of output.

    raw: its bytes. hints: those that it holds. past: some of what was written before it.
    redrawn: it began at a place that may have been written on before. raised: the cursor went up after it.
    """

    __slots__ = ("_past", "_text", "hints", "raised", "raw", "redrawn")

    def __init__(
        self, raw: bytes, hints: Sequence[bytes] = (), past: bytes = b"", redrawn: bool = False, raised: bool = False
    ) -> None:
        self.raw: bytes = raw
        self.hints: Sequence[bytes] = hints
        self.redrawn: bool = redrawn
        self.raised: bool = raised
        self._past = past
        self._text: str | None = None

    def __repr__(self) -> str:
        return f"Line({self.text!r}, redrawn={self.redrawn}, raised={self.raised})"

    @property
    def text(self) -> str:
        """What is seen of it."""
        if self._text is None:
            self._text = _visible(self.raw)
        return self._text

    @property
    def above(self) -> str:
        """The text of the last line before this one that is not blank; empty if there is none near."""
        for raw in reversed(_BREAK.split(self._past)):
            if raw and not raw.isspace():
                return _visible(raw)
        return ""


def without_escapes(line: bytes) -> bytes:
    """A line without its escape sequences."""
    return _UNSEEN.sub(b"", line) if b"\x1b" in line else line


def _visible(raw: bytes) -> str:
    return without_escapes(raw).decode(errors="replace")


class LineSplitter:
    """Bytes in, lines out. `examined` counts the bytes looked at, `holding` those remembered, at most a few KiB."""

    def __init__(self) -> None:
        self._rest = b""  # of the unfinished line, or of its end if it is already too long
        self._past = b""  # what came before the rest
        self._too_long = False
        self._redrawn = False
        self._full_screen = False
        self.examined: int = 0

    def __repr__(self) -> str:
        return f"LineSplitter(holding={self.holding}, examined={self.examined})"

    @property
    def holding(self) -> int:
        """The bytes remembered."""
        return len(self._rest) + len(self._past)

    def split(self, data: bytes, hints: tuple[bytes, ...]) -> Iterator[Line]:
        """The lines that `data` finishes and that hold one of `hints`; to be exhausted before the next chunk."""
        past, data = self._past, self._rest + data
        present = [hint for hint in hints if hint in data]
        start, fresh = self._begin(data, bool(present))
        self.examined += len(data) - fresh
        for end in _BREAK.finditer(data, fresh):
            raw, separator = data[start : end.start()], end[0]
            found = [hint for hint in present if hint in raw]
            if found and self._is_seen(raw):
                before = (past + data[max(0, start - _MAX_PAST) : start])[-_MAX_PAST:]
                yield Line(raw, found, before, self._redrawn, raised=_UP.match(separator) is not None)
            start = end.end()
            self._pass(separator)
        self._keep(past, data, start)

    def unfinished(self, hints: tuple[bytes, ...]) -> Iterator[Line]:
        """The line begun but not ended, if it holds one of `hints`. It is kept, and comes again once it ends."""
        found = [hint for hint in hints if hint in self._rest]
        if found and self._is_seen(self._rest):
            yield Line(self._rest, found, self._past, self._redrawn)

    def _begin(self, data: bytes, hinted: bool) -> tuple[int, int]:
        """Where the first line begins and where to look for its end: without a hint only the end of `data` matters."""
        if hinted or b"\x1b[?" in data:
            return 0, max(0, len(self._rest) - _MAX_BREAK)
        start = max(0, len(data) - MAX_LINE - _MAX_BREAK)
        return start, max(start, len(self._rest) - _MAX_BREAK)

    def _is_seen(self, raw: bytes) -> bool:
        return len(raw) <= MAX_LINE and not self._too_long and not self._full_screen

    def _pass(self, separator: bytes) -> None:
        self._too_long = False
        self._redrawn = separator not in b"\n\v\f"
        if separator.startswith(b"\x1b[?"):
            self._full_screen = separator.endswith(b"h")

    def _keep(self, past: bytes, data: bytes, start: int) -> None:
        rest = data[start:]
        self._too_long = self._too_long or len(rest) > MAX_LINE
        self._rest = rest[-_MAX_BREAK:] if self._too_long else rest
        end = len(data) - len(self._rest)
        self._past = (past + data[max(0, end - _MAX_PAST) : end])[-_MAX_PAST:]
