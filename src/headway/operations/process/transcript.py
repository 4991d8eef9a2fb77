"""The last that a command prints, as a reader of its screen would remember it.

Looked at in passing, in the threads that the command waits for: so what comes in is only put behind what is there, and
made readable when somebody asks. The one thing that cannot wait is a status line that is drawn again and again:
kept as it comes, it would wash out all else.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Callable

from headway.core.text import clean_lines
from headway.operations.process.progress.terminal import without_escapes

ROOM = 64 * 1024
"""Bytes that are remembered at least, if there were as many; and twice as many at most."""

BLOCK = 1024
"""Bytes of a piece that are no text if there is a zero among them, but an archive, say, on its way into a file."""

_FULL_SCREEN = re.compile(rb"\x1b\[\?(?:1049|1047|47)([hl])")
_SILENT = re.compile(rb"[\x00-\x07\x0e-\x1f\x7f]+")


class Transcript:
    """Bytes in, from any thread, and text out. Lines of several streams stand in order of arrival."""

    def __init__(self, on_change: Callable[[], object] | None = None, *, room: int = ROOM) -> None:
        """``on_change``: called after each piece, in the thread of its stream. ``room``: bytes to remember, and at most
        twice as many.
        """
        self._on_change = on_change
        self._room = room
        self._kept = bytearray()
        self._whole = True
        self._begun: defaultdict[int, bytes] = defaultdict(bytes)
        """Of each stream, the line that it has not ended."""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Transcript of {len(self._kept)} bytes>"

    def feed(self, data: bytes, stream: int = 1) -> None:
        """What a stream prints next, cut anywhere. Where it is no text, nothing of it is kept."""
        if len(data) >= BLOCK and b"\0" in data:
            return
        with self._lock:
            data = self._begun[stream] + data
            if b"\r" in data:
                data = _drawn(data)
            end = data.rfind(b"\n") + 1
            self._begun[stream] = data[end:][-self._room :]
            self._keep(data[:end])

    def look(self, stream: int) -> Callable[[bytes], None]:
        """What takes the pieces of a stream, and an empty one at its end."""

        def take(data: bytes) -> None:
            if data:
                self.feed(data, stream)
                if self._on_change is not None:
                    self._on_change()

        return take

    def read(self) -> str:
        """What would be left of it on a screen, without colours, in lines; their ends are newlines."""
        with self._lock:
            begun = b"\n".join(filter(None, map(_last_drawn, self._begun.values())))
            data, whole = bytes(self._kept) + begun, self._whole
        if not whole:  # the line that it begins with is cut
            data = data.partition(b"\n")[2] or data
        return _readable(data)

    def _keep(self, lines: bytes) -> None:
        self._kept += lines[-self._room :]
        if len(self._kept) > 2 * self._room or len(lines) > self._room:
            self._whole = False
            del self._kept[: -self._room]


def _drawn(data: bytes) -> bytes:
    """The lines with nothing left of what was drawn over, and of line ends the newlines alone."""
    data = data.replace(b"\r\n", b"\n")
    if b"\r" not in data:
        return data
    *ended, begun = data.split(b"\n")
    lines = [_last_drawn(line) if b"\r" in line else line for line in ended]
    shown, last = _last_drawn(begun), begun.rpartition(b"\r")[2]
    # What is drawn next may go on with the escape sequence that is all there is of this.
    return b"\n".join([*lines, last if last == shown else shown + b"\r" + last])


def _last_drawn(line: bytes) -> bytes:
    """What was drawn last and can be seen."""
    for drawn in reversed(line.split(b"\r")):
        if without_escapes(drawn).strip():
            return drawn
    return b""


def _readable(data: bytes) -> str:
    if b"\x1b[?" in data:
        data = _printed(data)
    if b"\x1b" in data:  # a sequence that never ends, ends with its line
        data = b"\n".join(map(without_escapes, data.split(b"\n")))
    text = _SILENT.sub(b"", data).decode(errors="replace")
    if "\b" in text:
        text = "\n".join([_backed(line) if "\b" in line else line for line in text.split("\n")])
    return clean_lines(text)


def _printed(data: bytes) -> bytes:
    """Without what a full-screen program, an editor or a pager, has drawn on the screen that is its own."""
    first, *others = _FULL_SCREEN.split(data)
    # Text and "h" or "l" take turns: behind an "h" the other screen begins. Before an "l" it has been.
    kept = b"" if others[:1] == [b"l"] else first
    return kept + b"".join(text for way, text in zip(others[::2], others[1::2], strict=True) if way == b"l")


def _backed(line: str) -> str:
    shown: list[str] = []
    for char in line:
        if char != "\b":
            shown.append(char)
        elif shown:
            shown.pop()
    return "".join(shown)
