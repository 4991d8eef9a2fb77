"""Any endpoint as an activity, for clients that would rather not wait: ``Prefer: respond-async, wait=N`` (RFC 7240).

A client that asks for it gets the endpoint's own reply if that is done in N seconds, else 202 and the activity to
follow; the endpoint goes on either way, and if the client leaves. Requests with the same ``Idempotency-Key`` are one
run of the endpoint, however many come and whenever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Unpack

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from headway.core.activity import Activity, State
from headway.core.errors import Cancelled, HeadwayError, KeyReused, NotAuthenticated, Unavailable
from headway.core.policy import Role
from headway.hub import Activities
from headway.operations.options import StartOptions, attributes_of
from headway.server.answers import disconnected, idempotency_key, preferences_of, refusal
from headway.server.async_request import AsyncRequest, read_body
from headway.server.endpoint_run import EndpointRun
from headway.server.identity.identify import Identify, identified
from headway.server.replies import Kept, Key, ReplyCache
from headway.wire.prefer import MAX_WAIT

_RUN = "headway.endpoint_run"
"""In the ASGI scope of an endpoint that is an activity already: where this is around it twice, once is enough."""


class RespondAsyncLimits(msgspec.Struct, frozen=True):
    """What is held in memory."""

    body: int = 1024 * 1024
    """Bytes of a request, which is read before its endpoint runs; more is 413."""
    reply: int = 1024 * 1024
    """Bytes of a reply held back while it is made. A larger one goes to who waits for it as it is made, or nowhere."""
    kept_replies: int = 1_000
    """Replies kept for requests that repeat an ``Idempotency-Key``."""
    kept_size: int = 16 * 1024 * 1024
    """Bytes of all of them."""
    kept_age: float = 3_600.0
    """Seconds that each is kept."""


class RespondAsync:
    """ASGI middleware around one endpoint or a whole application.

    A request is an activity of its user if it says ``Prefer: respond-async`` or carries an ``Idempotency-Key`` (then
    also without that, and its client is kept waiting for the reply). All others go to the endpoint untouched. The
    activity succeeds with a status below 400 and fails with any other; its ``Response`` tells the ``status`` and the
    members of a reply that is a small flat JSON object. Inside, ``headway.current()`` reports for it.

    What lends an endpoint something for the length of a request, a database session or an uploaded file, has to be
    inside of this, or it is gone when the client has its 202 and the endpoint goes on.
    """

    def __init__(
        self,
        app: ASGIApp,
        activities: Activities,
        identify: Identify,
        *,
        type: str | Callable[[Request], str | None],
        location: str,
        wait: float = 0.0,
        limits: RespondAsyncLimits | None = None,
        **options: Unpack[StartOptions],
    ) -> None:
        """``identify``: as of ``ActivitiesApp``. ``type``: of the activities; or a function that gives it for a request
        (which has no body there), None for one that is left alone.

        ``location``: where clients find activities, such as ``/headway/activities``; a path of the application, or an
        absolute URL. ``wait``: seconds to wait if the client does not say how long. Other options as of
        ``Activities.start``. Raises ``InvalidInput`` for what a rule forbids.
        """
        if "owner" in options or "parent" in options:
            raise TypeError("an activity of a request belongs to its user and has no parent")
        self._app = app
        self._activities = activities
        self._identify = identify
        self._type = type
        self._location = location.rstrip("/")
        self._wait = wait
        self._limits = limits or RespondAsyncLimits()
        self._options = options
        attributes_of(type if isinstance(type, str) else "any", options)
        self._runs: set[EndpointRun] = set()
        self._joinable: dict[Key, tuple[str, EndpointRun]] = {}
        """The runs that go on, by user and key, each with the fingerprint of its request."""
        self._cache = ReplyCache(self._limits.kept_replies, self._limits.kept_size, self._limits.kept_age)

    def __repr__(self) -> str:
        return f"<RespondAsync {self._location} running={len(self._runs)} {self._cache!r}>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http" or _RUN in scope:
            await self._app(scope, receive, send)
            return
        request, failure = Request(scope), None
        try:
            asked = await self._asked(request)
            if asked is not None:
                failure = await self._respond(asked, receive, send)
        except (HeadwayError, HTTPException) as error:
            await refusal(request, error)(scope, receive, send)
            return
        except ClientDisconnect:
            return
        if asked is None:
            await self._app(scope, receive, send)
        elif failure is not None:
            raise failure  # the endpoint's own: the host makes of it what it always does

    async def _asked(self, request: Request) -> AsyncRequest | None:
        """None for a request that is left alone. Raises ``NotAuthenticated`` and ``InvalidInput``."""
        preferences, keyed = preferences_of(request), "idempotency-key" in request.headers
        if not (preferences.respond_async or keyed):
            return None
        type = self._type if isinstance(self._type, str) else self._type(request)
        if type is None:
            return None
        grant = await identified(self._identify, request, self._activities.clock.now())
        if grant is None or grant.principal.role is Role.GUEST:  # who may look begins nothing in the owner's name
            if preferences.respond_async:
                raise NotAuthenticated
            return None  # the endpoint itself knows what it does for anybody
        key = idempotency_key(request.headers)
        given = self._wait if preferences.wait is None else preferences.wait
        wait = given if preferences.respond_async else None
        return AsyncRequest(request, type, grant.principal, preferences, key, self._location, wait)

    async def _respond(self, asked: AsyncRequest, receive: Receive, send: Send) -> BaseException | None:
        """Answer; or what the endpoint raised instead of a reply."""
        body = await read_body(asked.request.headers, receive, self._limits.body)
        if asked.key is None:
            return await self._follow(self._run(asked, body), asked, receive, send)
        key, fingerprint = (asked.principal.user, asked.key), asked.fingerprint(body)
        if (kept := self._cache.recall(key, self._activities.clock.monotonic())) is not None:
            _require_same(kept.fingerprint, fingerprint)
            await kept.reply.give(asked.naming(lambda: kept.activity, send))
            return None
        # Nothing is awaited from this look on: of any number of first requests, one makes the run.
        if key not in self._joinable:
            self._joinable[key] = fingerprint, self._run(asked, body, key=asked.key, fingerprint=fingerprint)
            self._joinable[key][1].task.add_done_callback(lambda _: self._keep(key))
        first, run = self._joinable[key]
        _require_same(first, fingerprint)
        return await self._follow(run, asked, receive, send)

    # Running

    def _run(self, asked: AsyncRequest, body: bytes, **more: Any) -> EndpointRun:
        attributes = attributes_of(asked.type, {**self._options, "owner": asked.principal.user})
        attributes.update(type=asked.type, **more)
        scope = {**asked.request.scope, _RUN: True}
        run = EndpointRun(self._app, scope, body, self._activities, attributes, self._limits.reply)
        self._runs.add(run)
        run.task.add_done_callback(lambda _: self._runs.discard(run))
        return run

    def _keep(self, key: Key) -> None:
        fingerprint, run = self._joinable.pop(key)
        reply = run.outlet.reply
        if reply is not None and run.error is None:
            activity, _ = run.started.result()
            self._cache.keep(key, Kept(fingerprint, activity, reply), self._activities.clock.monotonic())

    # Answering

    async def _follow(
        self, run: EndpointRun, asked: AsyncRequest, receive: Receive, send: Send
    ) -> BaseException | None:
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            return await self._answer(run, asked, gone, send)
        except _Gone:
            return None
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _answer(
        self, run: EndpointRun, asked: AsyncRequest, gone: asyncio.Future[None], send: Send
    ) -> BaseException | None:
        naming = asked.naming(lambda: run.started.result()[0], send)
        # From the beginning, so that nothing is said before somebody listens.
        with run.outlet.listening(naming) if asked.wait != 0 else nullcontext(False) as heard:
            await _first(gone, run.started, run.task)
            if not run.started.done():
                raise Unavailable("the server is stopping")
            activity, new = run.started.result()
            if not new:
                await self._look_up(activity, asked, gone, send)
                return None
            # Who comes when too much has been said to repeat it can only wait for the end.
            await _first(gone, run.outlet.spoken if heard else run.task, run.task, timeout=asked.wait)
            if heard and run.outlet.live:
                await _first(gone, run.outlet.complete, run.task)
                return _broken_off(run)
        if run.outlet.reply is not None:
            await run.outlet.reply.give(naming)
        elif run.task.done():
            return await self._tell_outcome(run, activity, asked, send)
        else:
            await asked.tell_running(await self._newest(activity, asked), send)
        return None

    async def _tell_outcome(
        self, run: EndpointRun, activity: Activity, asked: AsyncRequest, send: Send
    ) -> BaseException | None:
        """It is over and there is no reply of it to be had."""
        activity = await self._newest(activity, asked)
        if activity.state is State.CANCELLED:
            reason = None if activity.cancel is None else activity.cancel.reason
            raise Cancelled(f"the activity was cancelled{f': {reason}' if reason else ''}")
        if (failure := _broken_off(run)) is not None:
            return failure
        await asked.tell_ended(activity, send)  # its reply was too large to be given twice
        return None

    async def _look_up(self, activity: Activity, asked: AsyncRequest, gone: asyncio.Future[None], send: Send) -> None:
        """The run was another process's, or was long ago: there is its activity, and no reply."""
        wait, scope = MAX_WAIT if asked.wait is None else asked.wait, asked.principal.scope
        ended = asyncio.ensure_future(self._activities.wait(activity.uuid, wait, scope, ended=True))
        try:
            await _first(gone, ended)
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)
        activity = await self._newest(activity, asked)
        await (asked.tell_ended if activity.ended else asked.tell_running)(activity, send)

    async def _newest(self, activity: Activity, asked: AsyncRequest) -> Activity:
        return self._activities.preview(await self._activities.get(activity.uuid, asked.principal.scope))


class _Gone(Exception):
    """The client has left."""


async def _first(gone: asyncio.Future[None], *others: asyncio.Future[Any], timeout: float | None = None) -> None:
    """Until one of the others is done or the time is over. Raises ``_Gone``."""
    if timeout != 0:
        await asyncio.wait({gone, *others}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    if gone.done():
        raise _Gone


def _broken_off(run: EndpointRun) -> BaseException | None:
    """What came of it instead of the rest of its reply."""
    unfinished = run.task.done() and not run.outlet.complete.done()
    return (run.error or RuntimeError("the endpoint gave no complete reply")) if unfinished else None


def _require_same(first: str, again: str) -> None:
    if first != again:
        raise KeyReused
