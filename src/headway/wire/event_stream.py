"""Reading ``text/event-stream``, whoever wrote it (HTML Living Standard, section 9.2.6).

Bytes in, events out, however the bytes are cut. Where the standard sets no bound, ours does.
"""

from __future__ import annotations

import msgspec

from headway.wire.errors import Unreadable

MAX_EVENT = 64 * 1024 * 1024
"""Bytes of the largest event that is read; a snapshot is one event."""

_BOM = b"\xef\xbb\xbf"
_MAX_RETRY_DIGITS = 9
_LINE = 64
"""Bytes that a line of data takes beside its text: a million empty ones are not nothing."""


class ServerSentEvent(msgspec.Struct, frozen=True):
    """One event."""

    type: str
    """``message`` where the server names none."""
    data: str
    id: str
    """The last id that the stream gave, by this event or an earlier one; empty before the first."""


class EventStreamReader:
    """One stream, read from its beginning. After an error nothing more can be read from it."""

    def __init__(self, *, last_id: str = "", max_event: int = MAX_EVENT) -> None:
        """``last_id``: the one to resume from, which holds until the stream gives another. ``max_event``: bytes."""
        self.last_id: str = last_id
        self.retry: int | None = None
        """Milliseconds to wait before connecting again; None until the stream says."""
        self._max_event = max_event
        self._start = b""
        self._begun = False
        self._line = bytearray()
        self._after_return = False
        self._id = last_id
        self._type = ""
        self._data: list[str] = []
        self._size = 0

    def __repr__(self) -> str:
        return f"<EventStreamReader last_id={self.last_id!r} retry={self.retry} pending={self._size + len(self._line)}>"

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that these bytes complete. Raises ``Unreadable`` when one is too large."""
        if not self._begun:
            data = self._without_bom(data)
        if self._after_return and data:
            # The second half of a line break that was cut in two.
            data = data.removeprefix(b"\n")
            self._after_return = False
        if not data:
            return []
        self._after_return = data.endswith(b"\r")
        events = []
        for piece in data.splitlines(keepends=True):
            if self._size + len(self._line) + len(piece) > self._max_event:
                raise Unreadable(f"an event of more than {self._max_event} bytes")
            self._line += piece
            if piece.endswith((b"\r", b"\n")) and (event := self._take_line()) is not None:
                events.append(event)
        return events

    def _without_bom(self, data: bytes) -> bytes:
        """What to read of the beginning; nothing while it could still become a byte order mark."""
        self._start += data
        if len(self._start) < len(_BOM) and _BOM.startswith(self._start):
            return b""
        self._begun = True
        return self._start.removeprefix(_BOM)

    def _take_line(self) -> ServerSentEvent | None:
        line = self._line.rstrip(b"\r\n").decode(errors="replace")
        self._line.clear()
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        self._take_field(name, value.removeprefix(" "))
        return None

    def _take_field(self, name: str, value: str) -> None:
        if name == "data":
            self._data.append(value)
            self._size += len(value.encode()) + _LINE
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
            self.retry = int(value)

    def _dispatch(self) -> ServerSentEvent | None:
        self.last_id = self._id
        event = ServerSentEvent(self._type or "message", "\n".join(self._data), self._id) if self._data else None
        self._type, self._data, self._size = "", [], 0
        return event
