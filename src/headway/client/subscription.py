"""A stream of events that survives its connections: where to resume, when to try again, when it is dead. No I/O."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

from headway.client import calls
from headway.client.backoff import Backoff
from headway.client.errors import Unreachable
from headway.client.exchange import Answer, Request
from headway.core.errors import HeadwayError, TooMany, Unavailable
from headway.wire.errors import Unreadable
from headway.wire.event_stream import EventStreamReader
from headway.wire.notifications import Notification, decode_event

SILENCE = 30.0
"""Seconds without an event after which a stream is dead: the server gives a sign of life every 10."""

RETRY = 0.5
"""Seconds of the first wait before connecting again, at most, unless the server names another."""

MAX_RETRY = 30.0
"""Seconds of the longest wait."""

_MAX_ADVISED = 300.0


class Subscription:
    """What is wanted of a stream, and how far it has been read.

    For each connection: ``request`` → ``opened`` with the head of the answer → ``feed`` with what arrives. When it ends
    in whatever way, ``pause`` says how long to wait before the next.
    """

    def __init__(
        self,
        *,
        type: str | None = None,
        uuid: str | None = None,
        context: Mapping[str, str] | None = None,
        since: str | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``since``: the cursor to begin after; None begins with a snapshot."""
        self.cursor = since
        self._wanted = {"type": type, "uuid": uuid, "context": context}
        self._backoff = Backoff(RETRY, MAX_RETRY, jitter=jitter)
        self._advised = 0.0
        self._reader = EventStreamReader()
        self._alive_at = 0.0
        self._opened = False

    def __repr__(self) -> str:
        return f"<Subscription cursor={self.cursor!r} {self._backoff!r}>"

    def request(self) -> Request:
        """What to ask for now: everything after the cursor, or all from the beginning."""
        return calls.stream(since=self.cursor, **self._wanted)  # type: ignore[arg-type]

    def opened(self, answer: Answer, now: float) -> None:
        """The head of an answer; its body only when it is no success. ``now``: monotonic seconds.

        Raises ``Unavailable`` or ``TooMany`` when trying again makes sense, another ``HeadwayError`` when not.
        """
        self._alive_at = now
        self._reader = EventStreamReader(last_id=self.cursor or "")
        try:
            _require_stream(answer)
        except (TooMany, Unavailable):
            self._advised = min(answer.retry_after or 0.0, _MAX_ADVISED)
            raise
        except HeadwayError as error:
            # What failed there may work again; and a stream that has been there before may come back.
            if answer.status >= 500 or (self._opened and isinstance(error, Unreadable)):
                raise Unavailable(error.message) from error
            raise
        self._opened = True

    def feed(self, data: bytes, now: float) -> Iterator[Notification]:
        """What arrived, as notifications; ``now``: monotonic seconds.

        Raises ``Unreachable`` when bytes come but no event has for too long, and ``Unreadable``, in its turn, for what
        is no event: this connection is then of no more use.
        """
        events = self._reader.feed(data)
        if events:
            self._alive_at = now
        elif now - self._alive_at > SILENCE:
            raise Unreachable(f"no event for {SILENCE:g} seconds")
        if self._reader.retry is not None:
            self._backoff.base = min(self._reader.retry / 1000, MAX_RETRY)
        return map(decode_event, events)

    def seen(self, notification: Notification) -> None:
        """The notification has been taken in: a next connection resumes after it."""
        self._backoff.reset()
        if notification.cursor is not None:
            self.cursor = notification.cursor

    def pause(self) -> float:
        """Seconds to wait before the next connection."""
        advised, self._advised = self._advised, 0.0
        return max(self._backoff.next(), advised)


def _require_stream(answer: Answer) -> None:
    answer.require_success()
    kind = answer.headers.get("content-type", "none").partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        raise Unreadable(f"an event stream was expected, {kind[:64]} came")
