"""What watchers are sent, encoded once for all who have read equally far.

A channel is a view, a narrowing and a way of framing. A watcher holds a channel and a cursor, an integer; nothing here
is kept per watcher, and the encoded frames are kept only until the view changes again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from headway.core.narrowing import Narrowing
from headway.core.policy import Scope
from headway.core.view import Event, Kind, Resync
from headway.live import Feed
from headway.server.cursors import Cursors
from headway.server.rows import Rows
from headway.wire.formats import Format
from headway.wire.sse import ResyncReason

Frames = Sequence[bytes]
Transport = Literal["sse", "websocket"]

P = TypeVar("P")
"""Frames in the form in which they are written: the bytes of a connection, or what ASGI's ``send`` takes."""

Pack = Callable[[Frames], P]
Piece = tuple[P | None, int]
"""What to write, None for nothing, and the cursor of someone who has read it."""

PIECE = 32 * 1024
"""Bytes that are written at once: one that stops reading is left with little more than its buffers, however much has
changed. A single frame may be larger."""


SNAPSHOT_AGE = 1.0
"""Seconds for which a snapshot of more than ``PIECE`` bytes is given to all who come, and behind it what changed since.
So thousands who come back at once are given the same bytes, whatever changes meanwhile, and those of them who read
nothing hold one copy together.
"""


class Gap(Exception):
    """A watcher has fallen behind what is remembered, and never asked to be told so: its connection must end."""


class Framing(Protocol):
    """``wire.sse`` or ``wire.websocket``: events as frames of one transport."""

    def activity(self, kind: Kind, uuid: str, row: bytes, cursor: str | None = None) -> bytes:
        """What happened to an activity."""

    def resync(self, reason: ResyncReason, cursor: str | None = None) -> bytes:
        """The cursor cannot be answered."""

    def snapshot(self, container: bytes, cursor: str | None = None) -> bytes:
        """All that is live now."""

    def ping(self, cursor: str | None = None, *, degraded: bool = False) -> bytes:
        """A sign of life, of a server that cannot reach its store or of one that can; empty where the transport has its
        own.
        """


class ChannelKey(msgspec.Struct, frozen=True):
    """Watchers with equal keys share a channel."""

    scope: Scope
    narrowing: Narrowing
    transport: Transport
    cursors: bool
    """Whether the frames carry cursors."""
    silent: bool = False
    """Signs of life only."""
    direct: bool = True
    """Whether its watchers are written to past ASGI."""


class Snapshot(Generic[P]):
    """A state, packed."""

    def __init__(self, packed: P, size: int, position: int, taken: float) -> None:
        self.packed = packed
        self.size = size
        """Bytes of its frame."""
        self.position = position
        self.taken = taken
        """On the clock of the channels."""


class Channel(Generic[P]):
    """One way of seeing one view."""

    def __init__(
        self,
        key: ChannelKey,
        feed: Feed,
        framing: Framing,
        pack: Pack[P],
        rows: Rows,
        cursors: Cursors,
        clock: Callable[[], float],
        degraded: Callable[[], bool],
    ) -> None:
        self.key = key
        self.feed = feed
        self.pack = pack
        """Frames as they are written, all in one."""
        self._framing = framing
        self._rows = rows
        self._cursors = cursors
        self._clock = clock
        self._degraded = degraded
        self._pieces: dict[int, Sequence[Piece[P]]] = {}
        self._pings: dict[tuple[int | None, bool], P | None] = {}
        self._resyncs: dict[ResyncReason, P] = {}
        self._snapshot: Snapshot[P] | None = None
        self._packed_at = -1

    @property
    def position(self) -> int:
        """The cursor of someone who has read everything."""
        return self.feed.view.revision

    @property
    def degraded(self) -> bool:
        """Whether the store cannot be reached: signs of life say so."""
        return self._degraded()

    def read(self, cursor: int) -> Sequence[Piece[P]]:
        """What comes after a cursor, in pieces of ``PIECE`` bytes or little more; raises ``Gap``.

        One that stops after a piece goes on from its cursor.
        """
        self._forget_the_past()
        if cursor not in self._pieces:
            pieces, divisible = self._read(cursor)
            self._pieces[cursor] = pieces
            if divisible:
                for place, (_, after) in enumerate(pieces[:-1], 1):
                    # Or one whose socket is full would have all that is left encoded again each time it drains.
                    self._pieces.setdefault(after, pieces[place:])
        return self._pieces[cursor]

    def ping(self, cursor: int | None) -> P | None:
        """A sign of life, which names a position or none; None where the transport has its own, below us."""
        self._forget_the_past()
        kind = cursor, self.degraded
        if kind not in self._pings:
            sign = self._framing.ping(None if cursor is None else self._sealed(cursor), degraded=kind[1])
            self._pings[kind] = self.pack([sign]) if sign else None
        return self._pings[kind]

    def snapshot(self) -> tuple[P, int]:
        """The state, and the cursor of someone who has read it: the present one, or a large one of a moment ago."""
        now, kept, view = self._clock(), self._snapshot, self.feed.view
        if kept is not None and kept.position >= view.floor:
            young = kept.size > PIECE and now < kept.taken + SNAPSHOT_AGE
            if young or kept.position == self.position:
                return kept.packed, kept.position
        wanted = filter(self.key.narrowing.admits, view.live())
        frame = self._framing.snapshot(self._rows.list(wanted, Format.JSON), self._sealed(self.position))
        self._snapshot = Snapshot(self.pack([frame]), len(frame), self.position, now)
        return self._snapshot.packed, self.position

    def resync(self, reason: ResyncReason) -> P:
        """The word that there is a gap; a snapshot follows."""
        if reason not in self._resyncs:
            self._resyncs[reason] = self.pack([self._framing.resync(reason)])
        return self._resyncs[reason]

    def _sealed(self, revision: int) -> str | None:
        """A cursor as this channel's watchers are told it."""
        return self._cursors.seal(self.key.scope, revision) if self.key.cursors else None

    def _forget_the_past(self) -> None:
        if self._packed_at != self.position:
            self._pieces.clear()
            self._pings.clear()
            self._packed_at = self.position

    def _read(self, cursor: int) -> tuple[Sequence[Piece[P]], bool]:
        """Pieces, and whether what is behind each of them is what someone there has yet to read."""
        if self.key.silent:
            return [(None, self.position)], False
        news = self.feed.view.since(cursor)
        if isinstance(news, Resync):
            if not self.key.cursors:
                raise Gap
            snapshot, at = self.snapshot()
            missed = [] if at == self.position else self.read(at)
            return [(self.resync(ResyncReason.EXPIRED), cursor), (snapshot, at), *missed], False
        # Not where a start tells of a later state too: whoever has read up to there otherwise has yet to be told that.
        divisible = all(event.revision == event.activity.revision for event in news)
        return self._in_pieces(news, cursor), divisible

    def _in_pieces(self, news: Sequence[Event], cursor: int) -> Sequence[Piece[P]]:
        admits, frame = self.key.narrowing.admits, self._framing.activity
        pieces: list[Piece[P]] = []
        frames: list[bytes] = []
        size, reached = 0, cursor
        for event in news:
            if not admits(event.activity):
                continue
            if size >= PIECE:
                pieces.append((self.pack(frames), reached))
                frames, size = [], 0
            reached = event.revision
            row = self._rows.row(event.activity)
            frames.append(frame(event.kind, event.activity.uuid, row, self._sealed(reached)))
            size += len(frames[-1])
        return [*pieces, (self.pack(frames) if frames else None, self.position)]


Framings = Mapping[tuple[Transport, bool], tuple[Framing, Pack[Any]]]
"""By transport, and whether past ASGI."""


class Channels:
    """The channels in use, made when first asked for and dropped with their last watcher."""

    def __init__(
        self,
        feed: Callable[[Scope], Feed],
        framings: Framings,
        rows: Rows,
        cursors: Cursors,
        clock: Callable[[], float] = time.monotonic,
        degraded: Callable[[], bool] = lambda: False,
    ) -> None:
        """``clock``: seconds, never jumps. ``degraded``: whether the store cannot be reached."""
        self._feed = feed
        self._framings = framings
        self._rows = rows
        self._cursors = cursors
        self._clock = clock
        self._degraded = degraded
        self._open: dict[ChannelKey, tuple[Channel[Any], int]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def join(self, key: ChannelKey) -> Channel[Any]:
        """The channel for a key, for one more watcher."""
        channel, watchers = self._open.get(key) or (self._make(key), 0)
        self._open[key] = channel, watchers + 1
        return channel

    def leave(self, channel: Channel[Any]) -> None:
        """One watcher less."""
        _, watchers = self._open.pop(channel.key)
        if watchers > 1:
            self._open[channel.key] = channel, watchers - 1

    def _make(self, key: ChannelKey) -> Channel[Any]:
        framing, pack = self._framings[key.transport, key.direct]
        return Channel(
            key, self._feed(key.scope), framing, pack, self._rows, self._cursors, self._clock, self._degraded
        )
