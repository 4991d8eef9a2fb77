"""A stream of events that survives its connections: where to resume, when to try again, when it is dead. No I/O."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from headway.client import calls
from headway.client.backoff import Backoff
from headway.client.errors import Redirected, Unreachable
from headway.client.exchange import Answer, Request
from headway.client.live.framing import EventStream, Framing, WebSocket
from headway.core.errors import HeadwayError, InvalidInput, TooMany, Unavailable
from headway.wire.notifications import Notification

SILENCE = 30.0
"""Seconds without an event after which a stream is dead: the server gives a sign of life every 10."""

RETRY = 0.5
"""Seconds of the first wait before connecting again, at most, unless the server names another."""

MAX_RETRY = 30.0
"""Seconds of the longest wait."""

_MIN_ADVISED, _MAX_ADVISED = 0.05, 300.0
"""Seconds that a server may ask for: from nothing no pause would ever grow."""


class Subscription:
    """What is wanted of a stream, and how far it has been read.

    For each connection: ``request`` → ``opened`` with the head of the answer → ``feed`` with what arrives, ``idle``
    when nothing does. When it ends in whatever way, ``pause`` says how long to wait before the next.
    """

    def __init__(
        self,
        *,
        type: str | None = None,
        uuid: str | None = None,
        context: Mapping[str, str] | None = None,
        since: str | None = None,
        transport: str = "sse",
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``since``: the cursor to begin after; None begins with a snapshot. ``transport``: ``sse``, ``websocket``, or
        ``auto``: whichever the server has.
        """
        self.cursor = since
        self._wanted = {"type": type, "uuid": uuid, "context": context}
        self._ways = list(_ways(transport))
        self._way = 0
        self._backoff = Backoff(RETRY, MAX_RETRY, jitter=jitter)
        self._advised = 0.0
        self._framing: Framing = self._ways[0](since)
        self._alive_at = self._heard_at = 0.0
        self._opened = False
        self._refusal: HeadwayError | None = None

    def __repr__(self) -> str:
        return f"<Subscription cursor={self.cursor!r} {self._backoff!r}>"

    def request(self) -> Request:
        """What to ask for now: everything after the cursor, or all from the beginning."""
        self._framing = self._ways[self._way](self.cursor)
        return self._framing.request(calls.stream_query(since=self.cursor, **self._wanted))  # type: ignore[arg-type]

    def opened(self, answer: Answer, now: float) -> bool:
        """The head of an answer; its body only when it is no success. ``now``: monotonic seconds.

        False when this way is closed, and there is another to try at once. Raises ``Unavailable`` or ``TooMany`` when
        trying again makes sense, another ``HeadwayError`` when not.
        """
        self._alive_at = self._heard_at = now
        try:
            self._framing.require(answer)
        except (TooMany, Unavailable):
            self._advised = min(answer.retry_after or 0.0, _MAX_ADVISED)
            raise
        except HeadwayError as error:
            # What failed there may work again; and a stream that has been there before may come back.
            if answer.status >= 500 or (self._opened and answer.status not in (401, 403)):
                raise Unavailable(error.message) from error
            return self._another_way(answer, error)
        self._opened = True
        return True

    def feed(self, data: bytes, now: float) -> Iterator[Notification]:
        """What arrived, as notifications; ``now``: monotonic seconds.

        Raises ``Unreachable`` when bytes come but no event has for too long, and ``Unreadable``, in its turn, for what
        is no event: this connection is then of no more use.
        """
        alive, notifications = self._framing.feed(data)
        if alive:
            self._alive_at = self._heard_at = now
        elif now - self._alive_at > SILENCE:
            raise Unreachable(f"no event for {SILENCE:g} seconds")
        if self._framing.retry is not None:
            self._backoff.base = min(max(self._framing.retry / 1000, _MIN_ADVISED), MAX_RETRY)
        return notifications

    @property
    def patience(self) -> float:
        """Seconds to wait for something to arrive before ``idle``."""
        return SILENCE if isinstance(self._framing, EventStream) else SILENCE / 3

    def idle(self, now: float) -> None:
        """Nothing has come for so long. Raises ``Unreachable`` when nobody is there any more."""
        if now - self._heard_at > SILENCE or not self._framing.inquire():
            raise Unreachable(f"nothing came for {SILENCE:g} seconds")

    def outgoing(self) -> bytes:
        """What is to be written to the connection now."""
        return self._framing.outgoing()

    def seen(self, notification: Notification) -> None:
        """The notification has been taken in: a next connection resumes after it."""
        self._backoff.reset()
        if notification.cursor is not None:
            self.cursor = notification.cursor

    def _another_way(self, answer: Answer, error: HeadwayError) -> bool:
        """Whether there is; what the first way said is raised when there is none."""
        self._refusal = self._refusal or error
        if answer.status in (401, 403) or isinstance(error, Redirected):
            raise error
        if self._way + 1 == len(self._ways):
            self._way = 0
            raise self._refusal
        self._way += 1
        return False

    def pause(self) -> float:
        """Seconds to wait before the next connection."""
        advised, self._advised = self._advised, 0.0
        return max(self._backoff.next(), advised)


Way = Callable[[str | None], Framing]


def _ways(transport: str) -> Iterator[Way]:
    """In the order in which they are tried: a stream of events passes everything that HTTP passes, and resumes."""
    if transport not in ("auto", "sse", "websocket"):
        raise InvalidInput("transport: must be auto, sse or websocket")
    if transport != "websocket":
        yield EventStream
    if transport != "sse":
        for path in WebSocket.PATHS:
            yield partial(_socket, path)


def _socket(path: str, cursor: str | None) -> WebSocket:
    return WebSocket(path)
