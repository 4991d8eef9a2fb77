"""Waiting for the end of activities, as steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from headway.client import calls
from headway.client.backoff import Backoff
from headway.client.errors import Refused, Unreachable
from headway.client.live.narrowing import Narrowing
from headway.client.live.watching import Watching, is_end
from headway.client.options import Options
from headway.client.rows import has_ended
from headway.client.sending import send
from headway.client.steps import Clock, Emit, Sleep, Steps, until
from headway.core.errors import HeadwayError, InvalidInput, NotFound, TooMany, Unavailable
from headway.core.view import Kind
from headway.wire.errors import Unreadable
from headway.wire.notifications import ActivityNotification, SnapshotNotification
from headway.wire.row import Row

HURRY = 1.0
"""Seconds between two looks at a server that does not wait when asked to."""

HEADER = "x-plex-activity"
"""The header of a reply that names the activity that the request has started."""


def wait(uuid: str, timeout: float | None, options: Options, clock: Clock) -> Steps[Row]:
    """Wait until an activity has ended, also across a restart of the server; the last row, ended or not.

    Raises ``Unreachable`` only when the first request fails.
    """
    deadline = math.inf if timeout is None else clock() + timeout
    try:
        row = yield from send(calls.get(uuid), options, clock)
    except NotFound as error:
        if not shows_lists_only(error):
            raise
        return (yield from _watched(uuid, deadline, options, clock))
    backoff = Backoff(0.5, 10.0)
    while not has_ended(row):
        asked = clock()
        left = min(calls.POLL, deadline - asked)
        if left <= 0:
            break
        try:
            latest = yield from send(calls.get(uuid, wait=left, known=row.state), options, clock)
        except (TooMany, Unavailable, Unreadable):
            yield Sleep(min(backoff.next(), left))
            continue
        backoff.reset()
        if latest.state == row.state and clock() - asked < min(HURRY, left):
            yield Sleep(min(HURRY, left))
        row = latest
    return row


def wait_for_all(
    type: str | None, context: Mapping[str, str] | None, timeout: float | None, options: Options, clock: Clock
) -> Steps[list[Row]]:
    """Wait until all that is live now, and is wanted, has ended; the last rows, ended or not, in order of start.

    A media server says only with an update which section a scan is of: of one type, what may yet turn out to be wanted
    is waited for, too.
    """
    if type is None and not context:
        raise InvalidInput("wait: name an activity, or a type or context")
    deadline = math.inf if timeout is None else clock() + timeout
    wanted = Narrowing(type=type, context=context)
    rows: dict[str, Row] = {}
    sure: set[str] = set()
    begun = False

    def last(item: SnapshotNotification | ActivityNotification) -> bool:
        nonlocal begun
        for row in item.rows if isinstance(item, SnapshotNotification) else (item.row,):
            if not begun or row.uuid in rows:
                rows[row.uuid] = row
                sure.update((row.uuid,) if wanted.admits(row) else ())
        begun = True
        return all(has_ended(row) or (uuid not in sure and wanted.excludes(row)) for uuid, row in rows.items())

    watching = Watching(options, type=type, context=context if type is None else None, clock=clock)
    yield from until(watching.steps(), _about_activities(last), deadline=deadline, clock=clock)
    if not begun:
        raise Unreachable("the server did not say in time what is live")
    return [row for uuid, row in rows.items() if uuid in sure]


def follow(uuid: str, watching: Watching, options: Options, clock: Clock) -> Steps[None]:
    """Emit what there is to know of one activity, until it has ended.

    ``watching``: a watch of it. Raises ``NotFound`` for one that the server does not know; a Plex server, which forgets
    what has ended, is taken to mean that.
    """
    missing = False

    def last(item: SnapshotNotification | ActivityNotification) -> bool:
        nonlocal missing
        missing = isinstance(item, SnapshotNotification) and not item.rows
        return missing or is_end(item)

    yield from until(watching.steps(), _about_activities(last), clock=clock, emit=True)
    if missing:
        try:
            row = yield from send(calls.get(uuid), options, clock)
        except NotFound as error:
            if not shows_lists_only(error):
                raise
        else:
            yield Emit(ActivityNotification(Kind.ENDED, row))


def activity_of(response: Any) -> str:
    """The activity that a reply names, whichever library it comes from; a uuid is its own.

    ``response``: a uuid, headers, or a response that has any: of httpx2, httpx, requests, aiohttp, urllib, http.client.
    Raises ``InvalidInput`` for a reply that names none.
    """
    if isinstance(response, str):
        return response
    headers = getattr(response, "headers", response)
    if isinstance(headers, Mapping) or hasattr(headers, "items"):
        for name, value in headers.items():
            if str(name).lower() == HEADER:
                return str(value)
    raise InvalidInput("the reply has no X-Plex-Activity header: it has not started an activity, or does not say so")


def shows_lists_only(error: HeadwayError) -> bool:
    """True for the 404 of a server that has no resource for one activity: a Plex server, which answers in HTML."""
    return isinstance(error, Refused) and error.answer.content_type != "application/json"


def _watched(uuid: str, deadline: float, options: Options, clock: Clock, wall: Clock = time.time) -> Steps[Row]:
    """Wait by the list and the stream, where one activity cannot be asked for."""
    page = yield from send(calls.list_activities(), options, clock)
    found = [row for row in page.rows if row.uuid == uuid]
    if not found:
        raise NotFound("there is no such activity; a Plex server does not remember what has ended")

    def last(item: SnapshotNotification | ActivityNotification) -> bool:
        rows = item.rows if isinstance(item, SnapshotNotification) else [item.row]
        if not rows:  # it has ended before the stream was there
            rows = [replace(found[-1], ended_at=wall())]
        found.extend(rows)
        return has_ended(found[-1])

    watching = Watching(options, uuid=uuid, clock=clock)
    yield from until(watching.steps(), _about_activities(last), deadline=deadline, clock=clock)
    return found[-1]


def _about_activities(last: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """The same, without what else a server may tell."""
    return lambda item: isinstance(item, SnapshotNotification | ActivityNotification) and last(item)
