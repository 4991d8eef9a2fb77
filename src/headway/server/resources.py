"""The resources of one activity and of all: list, get, start, report, end, cancel, history."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from headway.core import lifecycle
from headway.core.activity import Activity
from headway.core.errors import Conflict, InvalidInput, NotAllowed, NotCancellable
from headway.core.policy import Action, Principal, Role, Scope
from headway.ports import HistoryQuery
from headway.server.answers import (
    CURSOR,
    WANTED,
    answer,
    arguments_of,
    disconnected,
    format_of,
    idempotency_key,
    json_body,
    known_tags,
    location_of,
    permitted,
    preferences_of,
)
from headway.server.lists import Wanted
from headway.server.service import Service
from headway.wire import bags, query
from headway.wire.requests import Change, NewActivity, parse_change, parse_new_activity

DEFAULT_LEASE = 300.0
"""Seconds without a sign of life after which a worker that asked for nothing else is lost."""


class Resources:
    """The endpoints; each method answers one method of one path."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._activities = service.activities

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
        principal = permitted(request, Action.READ)
        arguments = arguments_of(request)
        seconds, known = query.wait(arguments), query.known_state(arguments)
        uuid = _uuid(request)
        if seconds:
            await self._waited(request, seconds, principal.scope, known=known)
        await self._activities.settled(principal.scope)
        return self._one(request, await self._activities.get(uuid, principal.scope))

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
        activity = await self._activities.get(_uuid(request), principal.scope)
        if activity.ended:
            lifecycle.next_state(activity.state, lifecycle.Step.REPORT)  # raises what fits
        if activity.node is not None:
            raise Conflict("this activity runs inside the server, which reports for it")
        return self._one(request, await self._changed(activity, change))

    async def cancel(self, request: Request) -> Response:
        """``DELETE /activities/{uuid}``: 200 says that a cancel is on record, the ``ended`` event that it stopped."""
        principal = permitted(request, Action.CANCEL)
        arguments = arguments_of(request)
        force = query.flag(arguments, "force")
        if force:
            permitted(request, Action.ADMINISTER)
        asked = query.wait(arguments)
        seconds = preferences_of(request).wait if asked is None else asked
        activity = await self._cancelled(_uuid(request), principal, force)
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
        found = await self._activities.history(HistoryQuery(principal.scope, page.type, page.state, before, page.limit))
        headers = {}
        if len(found) == page.limit:
            headers[CURSOR] = self._service.cursors.seal(principal.scope, found[-1].revision, "history")
        format = format_of(request)
        return answer(self._service.rows.list(found, format), format, headers)

    async def _changed(self, activity: Activity, change: Change) -> Activity:
        self._activities.sign_of_life(activity.uuid)
        if change.is_heartbeat:
            return self._activities.preview(activity)
        _require_room_in_bags(self._activities.preview(activity), change)
        if change.state is None:
            return self._activities.report(activity.uuid, change.report)
        return await self._activities.finish(activity.uuid, change.state, error=change.error, news=change.report)

    async def _cancelled(self, uuid: str, principal: Principal, force: bool) -> Activity:
        if not force:
            return await self._activities.request_cancel(uuid, principal.scope, by=principal.user)
        with suppress(NotCancellable):
            await self._activities.request_cancel(uuid, principal.scope, by=principal.user)
        return await self._activities.abandon(uuid, principal.scope, by=principal.user)

    async def _waited(self, request: Request, seconds: float, scope: Scope, **what: Any) -> Activity:
        """Wait for an activity, but not for a client that has gone, nor beyond the server's own end: whoever polls
        gets an answer.
        """
        uuid, loop = _uuid(request), asyncio.get_running_loop()
        waiting = loop.create_task(self._activities.wait(uuid, seconds, scope, **what))
        tasks: set[asyncio.Task[Any]] = {
            waiting,
            loop.create_task(self._service.stopping.wait()),
            loop.create_task(disconnected(request.receive)),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else await self._activities.get(uuid, scope)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _one(
        self, request: Request, activity: Activity, headers: dict[str, str] | None = None, status: int = 200
    ) -> Response:
        format = format_of(request)
        return answer(self._service.rows.list([activity], format), format, headers, status)


def _uuid(request: Request) -> str:
    uuid: str = request.path_params["uuid"]
    return uuid.lower()


def _owner(new: NewActivity, principal: Principal) -> int:
    if new.owner is None or new.owner == principal.user:
        return principal.user
    if principal.role is not Role.ADMIN:
        raise NotAllowed("userID: only an admin token may start an activity for somebody else")
    return new.owner


def _fingerprint(new: NewActivity) -> str:
    """What was asked for, whatever the white space it was asked with."""
    return hashlib.blake2b(msgspec.json.encode(new, order="sorted"), digest_size=16).hexdigest()


def _require_room_in_bags(activity: Activity, change: Change) -> None:
    """What grows by merging is measured as it will be."""
    grown: tuple[tuple[str, bags.BagRule, Any, Any], ...] = (
        ("Context", bags.CONTEXT, activity.context, change.report.context),
        ("Response", bags.RESPONSE, activity.response, change.report.response),
    )
    for where, rule, now, more in grown:
        if more is not None:
            rule.check_size(where, {**(now or {}), **more})
