"""The resources of one activity and of all: list, get, start, report, end, cancel, history."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from headway.core.activity import Activity
from headway.core.errors import InvalidInput, NotAllowed, NotAuthenticated, NotCancellable
from headway.core.policy import Action, Principal, Role, Scope, as_seen_by, require_sight
from headway.ports import HistoryQuery
from headway.server.answers import (
    CURSOR,
    WANTED,
    answer,
    arguments_of,
    disconnected,
    format_of,
    grant_of,
    idempotency_key,
    json_body,
    known_tags,
    location_of,
    path_uuid,
    permitted,
    preferences_of,
)
from headway.server.lists import Wanted
from headway.server.reports import Reports
from headway.server.service import Service
from headway.wire import query
from headway.wire.batch import encode_outcomes
from headway.wire.requests import NewActivity, parse_change, parse_changes, parse_new_activity

T = TypeVar("T")

DEFAULT_LEASE = 300.0
"""Seconds without a sign of life after which a worker that asked for nothing else is lost."""


class Resources:
    """The endpoints; each method answers one method of one path."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._activities = service.activities
        self._reports = Reports(service.activities)

    async def list(self, request: Request) -> Response:
        """``GET /activities``: what is live, in order of start."""
        principal = permitted(request, Action.READ)
        narrowing = query.list_narrowing(arguments_of(request))
        wanted = Wanted(principal.scope, narrowing, format_of(request), known_tags(request))
        request.scope[WANTED] = wanted  # for ``Polling``
        await self._activities.settled(wanted.scope)
        found = self._service.lists.get(wanted.scope, wanted.narrowing, wanted.format)
        headers = {CURSOR: self._service.cursors.seal(wanted.scope, found.position), "ETag": found.tag}
        if wanted.has(found.tag):
            return answer(b"", wanted.format, headers, 304)
        return answer(found.body, wanted.format, headers)

    async def get(self, request: Request) -> Response:
        """``GET /activities/{uuid}``: one activity, running or ended, at once or after its next lifecycle change."""
        principal = permitted(request, Action.LOOK)
        arguments = arguments_of(request)
        seconds, known = query.wait(arguments), query.known_state(arguments)
        uuid = path_uuid(request)
        require_sight(principal, uuid)
        if seconds:
            await self._waited(request, seconds, principal.scope, known=known)
            if not grant_of(request).valid(self._activities.clock.now()):
                raise NotAuthenticated()  # it ended meanwhile, and what it opened is not told any more
        await self._activities.settled(principal.scope)
        found = await self._activities.get(uuid, principal.scope)
        return self._one(request, as_seen_by(principal, found))

    async def start(self, request: Request) -> Response:
        """``POST /activities``: record that work has begun."""
        principal = permitted(request, Action.REPORT)
        new = parse_new_activity(await json_body(request))
        owner = _owner(new, principal)
        key = idempotency_key(request.headers)
        activity, created = await self._activities.create(
            new.type,
            owner,
            key=key,
            fingerprint=None if key is None else _fingerprint(new),
            parent=new.parent,
            report=new.report,
            cancellable=new.cancellable,
            grace=new.grace,
            weight=new.weight,
            timeout=new.timeout,
            stall=new.stall,
            lease=DEFAULT_LEASE if new.lease is None else new.lease,
        )
        headers = {"Location": location_of(request, activity), "X-Plex-Activity": activity.uuid}
        # What a repeated start finds may have been reported on since.
        return self._one(request, self._activities.preview(activity), headers, 201 if created else 200)

    async def change(self, request: Request) -> Response:
        """``PATCH /activities/{uuid}``: report, end, or say that the work is still being done."""
        principal = permitted(request, Action.REPORT)
        change = parse_change(await json_body(request))
        return self._one(request, await self._reports.change(path_uuid(request), change, principal.scope))

    async def change_many(self, request: Request) -> Response:
        """``PATCH /activities``: the same of many at once; on request answered when one of them is to stop."""
        principal, preferences = permitted(request, Action.REPORT), preferences_of(request)
        seconds = _patience(request)
        told = await self._reports.change_many(parse_changes(await json_body(request)), principal.scope)
        if seconds and told.activities and not (told.news or told.errors):
            await self._until(request, _within(seconds, self._reports.news_of(told.activities)))
            told = await self._reports.look_again(told, principal.scope)
        shown = told.news if preferences.minimal else told.activities.values()
        format, rows = format_of(request), self._service.rows
        body = encode_outcomes([rows.row(each, format) for each in shown], told.errors, format)
        return answer(body, format, {"Preference-Applied": "return=minimal"} if preferences.minimal else None)

    async def cancel(self, request: Request) -> Response:
        """``DELETE /activities/{uuid}``: 200 says that a cancel is on record, the ``ended`` event that it stopped."""
        principal = permitted(request, Action.CANCEL)
        arguments = arguments_of(request)
        force = query.flag(arguments, "force")
        if force:
            permitted(request, Action.ADMINISTER)
        seconds = _patience(request)
        activity = await self._cancelled(path_uuid(request), principal, force)
        if seconds and not activity.ended:
            activity = await self._waited(request, seconds, principal.scope, ended=True)
        return Response(b"", headers={"Content-Type": "text/html", "X-Headway-State": activity.state.value})

    async def history(self, request: Request) -> Response:
        """``GET /activities/history``: what has ended, newest first, a page at a time."""
        principal = permitted(request, Action.READ)
        page = query.history_page(arguments_of(request))
        before = None
        if page.before is not None:
            before = self._service.cursors.open(principal.scope, page.before, "history")
            if before is None:
                raise InvalidInput("before: must be a cursor that this server gave with a page of history")
        found = await self._activities.history(HistoryQuery(principal.scope, page.narrowing, before, page.limit))
        headers = {}
        if len(found) == page.limit:
            headers[CURSOR] = self._service.cursors.seal(principal.scope, found[-1].revision, "history")
        format = format_of(request)
        return answer(self._service.rows.list(found, format), format, headers)

    async def _cancelled(self, uuid: str, principal: Principal, force: bool) -> Activity:
        if not force:
            return await self._activities.request_cancel(uuid, principal.scope, by=principal.user)
        with suppress(NotCancellable):
            await self._activities.request_cancel(uuid, principal.scope, by=principal.user)
        return await self._activities.abandon(uuid, principal.scope, by=principal.user)

    async def _waited(self, request: Request, seconds: float, scope: Scope, **what: Any) -> Activity:
        uuid = path_uuid(request)
        waited = await self._until(request, self._activities.wait(uuid, seconds, scope, **what))
        return await self._activities.get(uuid, scope) if waited is None else waited

    async def _until(self, request: Request, awaited: Coroutine[Any, Any, T]) -> T | None:
        """Wait for something, but not for a client that has gone or whose grant has ended, nor beyond the server's own
        end: whoever polls gets an answer. None when it was not waited for to its end.
        """
        loop = asyncio.get_running_loop()
        waiting, ended = loop.create_task(awaited), asyncio.Event()
        unwatch = self._service.grants.watch(grant_of(request), ended.set)
        tasks: set[asyncio.Task[Any]] = {
            waiting,
            loop.create_task(self._service.stopping.wait()),
            loop.create_task(ended.wait()),
            loop.create_task(disconnected(request.receive)),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else None
        finally:
            unwatch()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _one(
        self, request: Request, activity: Activity, headers: dict[str, str] | None = None, status: int = 200
    ) -> Response:
        format = format_of(request)
        return answer(self._service.rows.list([activity], format), format, headers, status)


def _owner(new: NewActivity, principal: Principal) -> int:
    if new.owner is None or new.owner == principal.user:
        return principal.user
    if principal.role is not Role.ADMIN:
        raise NotAllowed("userID: only an admin token may start an activity for somebody else")
    return new.owner


def _fingerprint(new: NewActivity) -> str:
    """What was asked for, whatever the white space it was asked with."""
    return hashlib.blake2b(msgspec.json.encode(new, order="sorted"), digest_size=16).hexdigest()


def _patience(request: Request) -> float | None:
    """Seconds that the client would wait: ``?wait=``, or else ``Prefer: wait=``."""
    asked = query.wait(arguments_of(request))
    return preferences_of(request).wait if asked is None else asked


async def _within(seconds: float, awaited: Awaitable[object]) -> None:
    """Wait for something, and no longer than that."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await awaited
