"""The client for programs that block: lists, watches, waits for, cancels and reports activities."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, suppress
from typing import Any, Self

from headway.client import calls
from headway.client.address import DEFAULT_URL, Address, parse_url
from headway.client.backoff import Backoff
from headway.client.calls import Cancelled, Page
from headway.client.errors import Unreachable
from headway.client.exchange import Answer
from headway.client.replica import Replica
from headway.client.rows import has_ended
from headway.client.subscription import SILENCE, Subscription
from headway.client.transport import TIMEOUT, Transport, headers_of
from headway.core.activity import State
from headway.core.errors import HeadwayError, TooMany, Unavailable
from headway.core.lifecycle import Report
from headway.core.view import Kind
from headway.wire.errors import Unreadable
from headway.wire.notifications import (
    ActivityNotification,
    Notification,
    Ping,
    ResyncNotification,
)
from headway.wire.row import Row
from headway.wire.server import Server

HURRY = 1.0
"""Seconds between two looks at a server that does not wait when asked to."""

Connected = Callable[[HeadwayError | None], None]
"""Told None when a stream is connected, and the error when it is lost."""


class Client:
    """A connection to a server, to be closed after use; a context manager closes it. May be shared by threads."""

    def __init__(self, url: str = DEFAULT_URL, token: str | None = None, *, timeout: float = TIMEOUT) -> None:
        """``timeout``: seconds for an answer. Raises ``InvalidInput`` for a URL or token that cannot be one."""
        self.address: Address = Address(parse_url(url), token)
        self._transport = Transport(self.address, timeout=timeout)
        self.activities: Activities = Activities(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client {self.address.url}>"

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def identity(self) -> Server:
        """Which server it is; needs no token."""
        return self._transport.call(calls.identity())


class Activities:
    """The activities on a server. Every method raises ``HeadwayError``: what the server says, or ``Unreachable``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        type: str | None = None,
        state: State | None = None,
        parent: str | None = None,
        text: str | None = None,
        context: Mapping[str, str] | None = None,
    ) -> Page:
        """What is live, in order of start. ``text``: part of title, subtitle or type."""
        call = calls.list_activities(type=type, state=state, parent=parent, text=text, context=context)
        return self._transport.call(call)

    def get(self, uuid: str) -> Row:
        """One activity, live or ended."""
        return self._transport.call(calls.get(uuid))

    def history(
        self,
        *,
        type: str | None = None,
        state: State | None = None,
        limit: int | None = None,
        before: str | None = None,
    ) -> Page:
        """A page of what has ended, newest first. ``before``: the cursor of the page before."""
        return self._transport.call(calls.history(type=type, state=state, limit=limit, before=before))

    def cancel(self, uuid: str, *, wait: float | None = None, force: bool = False) -> Cancelled:
        """Ask an activity to stop. ``wait``: seconds to wait until it has. ``force``: give it up as lost (admins)."""
        return self._transport.call(calls.cancel(uuid, wait=wait, force=force))

    def start(self, type: str, *, key: str | None = None, **options: Any) -> Row:
        """Record that work has begun; ``options`` are those of ``calls.start``. To report from a running job, see
        ``reporting.Reporting``.
        """
        return self._transport.call(calls.start(type, key=key, **options))

    def report(self, uuid: str, report: Report = Report()) -> Row:  # noqa: B008 - frozen
        """Say how the work stands; an empty report is a sign of life. The row tells of a cancel."""
        return self._transport.call(calls.change(uuid, report))

    def finish(
        self,
        uuid: str,
        state: State,
        *,
        error: str | None = None,
        report: Report = Report(),  # noqa: B008 - frozen
    ) -> Row:
        """Say how the work has ended."""
        return self._transport.call(calls.change(uuid, report, state=state, error=error))

    def wait(self, uuid: str, timeout: float | None = None) -> Row:
        """Wait until an activity has ended, also across a restart of the server; the last row, ended or not.

        ``timeout``: seconds; None waits for ever. Raises ``Unreachable`` only when the first request fails.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        row, backoff = self.get(uuid), Backoff(0.5, 10.0)
        while not has_ended(row):
            left = calls.POLL if deadline is None else min(calls.POLL, deadline - time.monotonic())
            if left <= 0:
                break
            asked = time.monotonic()
            try:
                latest = self._transport.call(calls.get(uuid, wait=left, known=row.state))
            except (TooMany, Unavailable, Unreadable):
                time.sleep(min(backoff.next(), left))
                continue
            backoff.reset()
            if latest.state == row.state and time.monotonic() - asked < min(HURRY, left):
                time.sleep(min(HURRY, left))
            row = latest
        return row

    def watch(
        self,
        *,
        type: str | None = None,
        uuid: str | None = None,
        context: Mapping[str, str] | None = None,
        since: str | None = None,
        on_connection: Connected | None = None,
    ) -> Generator[Notification]:
        """What is live, as a snapshot, and then every change of it, for ever and across lost connections.

        After a gap that the server cannot fill comes another snapshot, and before it an ``ended`` for each activity
        that has gone meanwhile. ``since``: begin after that cursor, without a snapshot. ``on_connection``: told when
        the connection is lost and when it is back. Raises ``HeadwayError`` for what trying again cannot mend.
        """
        subscription = Subscription(type=type, uuid=uuid, context=context, since=since)
        replica, told = Replica(), on_connection or (lambda error: None)
        while True:
            try:
                with closing(self._connection(subscription, told)) as notifications:
                    for notification in notifications:
                        gone = replica.apply(notification)
                        yield from (self._end_of(row) for row in gone)
                        yield notification
                        subscription.seen(notification)
                raise Unreachable("the server closed the stream")
            except (TooMany, Unavailable) as error:
                told(error)
            time.sleep(subscription.pause())

    def _connection(self, subscription: Subscription, told: Connected) -> Generator[Notification]:
        """What one connection tells, without its pings."""
        with self._transport.open(subscription.request(), SILENCE) as response:
            body = b"" if response.is_success else _beginning(response.iter_raw())
            subscription.opened(Answer(response.status_code, headers_of(response), body), time.monotonic())
            told(None)
            for data in response.iter_raw():
                for notification in _readable(subscription, data):
                    if isinstance(notification, Ping):
                        subscription.seen(notification)
                    elif not isinstance(notification, ResyncNotification):
                        yield notification

    def _end_of(self, row: Row) -> ActivityNotification:
        """How an activity ended that is no longer there; as it was last seen, where nobody remembers."""
        with suppress(HeadwayError):
            row = self.get(row.uuid)
        return ActivityNotification(Kind.ENDED, row)


def _readable(subscription: Subscription, data: bytes) -> Iterator[Notification]:
    try:
        yield from subscription.feed(data, time.monotonic())
    except Unreadable as error:  # this connection is broken; the next may not be
        raise Unreachable(f"the stream is broken: {error.message}") from error


def _beginning(chunks: Iterator[bytes], size: int = 64 * 1024) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) >= size:
            break
    return bytes(body[:size])
