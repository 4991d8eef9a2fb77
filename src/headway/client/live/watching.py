"""The live stream of a server, whatever becomes of its connections: as steps.

From a Headway server it resumes by cursor. From a Plex server, which has none, each connection begins with the list,
and what is missing from it has ended; see ``reconciling``. Which one it is, the first answer tells.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from msgspec.structs import replace

from headway.client import calls
from headway.client.errors import Unreachable
from headway.client.exchange import Answer, Call
from headway.client.live.narrowing import Narrowing
from headway.client.live.reconciling import Reconciler
from headway.client.live.replica import Replica
from headway.client.live.subscription import Subscription
from headway.client.options import Options
from headway.client.rows import has_ended
from headway.client.sending import log_answer, log_request, prepared, send
from headway.client.steps import Clock, Close, Emit, Sleep, Steps, Write, opened, read
from headway.core.errors import HeadwayError, TooMany, Unavailable
from headway.core.view import Kind
from headway.wire.errors import Unreadable
from headway.wire.notifications import (
    ActivityNotification,
    Notification,
    Ping,
    ResyncNotification,
    SnapshotNotification,
)
from headway.wire.row import Row

PROTOCOL = "x-headway-protocol"
"""The header by which a stream says that it has cursors and snapshots."""

Connected = Callable[[HeadwayError | None], None]
"""Told None when a stream is connected, and the error when it is lost."""


class Watching:
    """One watch, from its first connection until nobody wants it any more."""

    def __init__(
        self,
        options: Options,
        *,
        type: str | None = None,
        uuid: str | None = None,
        context: Mapping[str, str] | None = None,
        since: str | None = None,
        transport: str = "auto",
        on_connection: Connected | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """The arguments are those of ``Activities.watch``. ``clock``, ``wall``: monotonic seconds, and those since the
        epoch.
        """
        self.replica: Replica = Replica()
        """The live activities, as far as has been told."""
        self._options = options
        self._since = since
        self._wall = wall
        self._subscription = Subscription(
            type=type, uuid=uuid, context=context, since=since, transport=transport, jitter=jitter
        )
        self._reconciler = Reconciler(self.replica, Narrowing(type=type, uuid=uuid, context=context), wall)
        self._told = on_connection or (lambda error: None)
        self._clock = clock
        self._plain: bool | None = None
        """True for a server without cursors; None until we know."""
        self._has_listed = False
        self._degraded = False

    def __repr__(self) -> str:
        return f"<Watching {self._options.url} {self._subscription!r}>"

    def steps(self) -> Steps[None]:
        """Emit notifications for ever. Raises ``HeadwayError`` for what trying again cannot mend."""
        while True:
            try:
                yield from self._connection()
            except (TooMany, Unavailable) as error:
                self._told(error)
            yield from self._pause()

    def _pause(self) -> Steps[None]:
        """Wait for the next connection, however often whoever waits is interrupted."""
        with suppress(Unreachable):
            yield Close()
        over = self._clock() + self._subscription.pause()
        while (left := over - self._clock()) > 0:
            with suppress(Unreachable):
                yield Sleep(left)

    def _connection(self) -> Steps[None]:
        """What one connection tells, without its pings. Raises ``Unreachable`` when it is over."""
        head = yield from self._open()
        self._plain = None if PROTOCOL not in head.headers else False
        self._degraded = False
        self._told(None)
        if self._plain is None and head.status == 101:  # nothing would come by itself
            yield from self._listed()
        while True:
            data = yield from read(self._subscription.patience)
            if data is None:
                self._subscription.idle(self._clock())
                self._notice(degraded=False)
            elif not data:
                raise Unreachable("the server closed the stream")
            else:
                for notification in self._readable(data):
                    yield from self._take(notification)
            outgoing = self._subscription.outgoing()
            if outgoing:
                yield Write(outgoing)

    def _open(self) -> Steps[Answer]:
        logger = self._options.settings.get("logger")
        while True:
            request = prepared(Call(self._subscription.request(), lambda answer: answer), self._options)
            log_request(logger, request)
            asked = self._clock()
            head = yield from opened(request)
            log_answer(logger, request, head, self._clock() - asked)
            if self._subscription.opened(head, self._clock()):
                return head

    def _take(self, notification: Notification) -> Steps[None]:
        if self._plain is None:
            # A cursor other than the one we brought along, which the framing repeats, comes from a server that has any.
            cursors = {notification.cursor, self._subscription.cursor} - {None, self._since}
            if cursors or isinstance(notification, SnapshotNotification | ResyncNotification):
                self._plain = False
            else:
                yield from self._listed()
        if isinstance(notification, ResyncNotification):
            return
        if isinstance(notification, Ping):
            self._notice(degraded=notification.degraded)
            self._subscription.seen(notification)
            return
        for told in self._reconciler.heard(notification) if self._plain else [notification]:
            yield from self._emit(told)
        self._subscription.seen(notification)

    def _notice(self, *, degraded: bool) -> None:
        if degraded is not self._degraded:
            self._degraded = degraded
            self._told(Unavailable("the server cannot reach its store: what it tells may be old") if degraded else None)

    def _emit(self, notification: Notification) -> Steps[None]:
        gone = self.replica.apply(notification)
        while gone:
            try:
                row = yield from self._last_row(gone[0])
            except (TooMany, Unavailable):
                self.replica.keep(gone)  # what became of them is asked after the next snapshot
                raise
            if has_ended(row):
                yield Emit(ActivityNotification(Kind.ENDED, row))
            else:
                self.replica.keep([row])  # begun since the snapshot, which may be a second old
            del gone[0]
        yield Emit(notification)

    def _listed(self) -> Steps[None]:
        """Ask for the list, while what happens from now on is on its way already."""
        self._plain = True
        try:
            page = yield from send(calls.list_activities(), self._options, self._clock)
        except Unreadable as error:
            if self._has_listed:  # it was a media server before, and may be one again
                raise Unreachable(f"the list cannot be read: {error.message}") from error
            raise
        self._has_listed = True
        for notification in self._reconciler.listed(page.rows):
            yield from self._emit(notification)

    def _last_row(self, row: Row) -> Steps[Row]:
        """An activity that is no longer there, as the server has it; as it was last seen, and ended, where nobody
        remembers.
        """
        try:
            return (yield from send(calls.get(row.uuid), self._options, self._clock))
        except (TooMany, Unavailable):
            raise
        except HeadwayError:
            return replace(row, state=None, ended_at=row.ended_at or self._wall())

    def _readable(self, data: bytes) -> Iterator[Notification]:
        try:
            yield from self._subscription.feed(data, self._clock())
        except Unreadable as error:  # this connection is broken; the next may not be
            raise Unreachable(f"the stream is broken: {error.message}") from error


def is_end(notification: Notification, uuids: Iterable[str] | None = None) -> bool:
    """True for the end of an activity, or of one of some."""
    return (
        isinstance(notification, ActivityNotification)
        and notification.kind is Kind.ENDED
        and (uuids is None or notification.row.uuid in uuids)
    )
