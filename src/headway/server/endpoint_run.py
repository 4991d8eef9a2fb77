"""One run of an endpoint as an activity of its own: it goes on whether or not anybody waits for its reply."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Scope

from headway.context import within
from headway.core.activity import Activity, State
from headway.core.errors import Cancelled, HeadwayError, InvalidInput
from headway.core.lifecycle import Report
from headway.correlation import forget
from headway.hub import Activities
from headway.operations.task import RECANCEL
from headway.reporter import Reporter
from headway.server.replies import Outlet, Reply
from headway.wire import bags

_log = logging.getLogger("headway")

_THREADS = frozenset(
    {
        ("asyncio.threads", "to_thread"),
        ("anyio.to_thread", "run_sync"),
        ("litestar.concurrency", "_run_sync_asyncio"),
        ("asgiref.sync", "__call__"),
    }
)
"""The coroutines by which frameworks wait for a thread: module and name."""


class EndpointRun:
    """An endpoint's work on one request, from the start of its activity to the end of both."""

    def __init__(
        self, app: ASGIApp, scope: Scope, body: bytes, activities: Activities, attributes: Mapping[str, Any], limit: int
    ) -> None:
        """``attributes``: those of ``Activities.create``. ``limit``: bytes of a reply to hold back."""
        self._app = app
        # Nothing that reaches around the ASGI messages, to a file or a transport, may be used: nobody may be there.
        self._scope = {**scope, "extensions": {}}
        self._body: bytes | None = body
        self._activities = activities
        self._attributes = attributes
        self._stop = _Stop()
        self.outlet: Outlet = Outlet(limit)
        self.error: BaseException | None = None
        """What the endpoint raised."""
        self.started: asyncio.Future[tuple[Activity, bool]] = asyncio.get_running_loop().create_future()
        """The activity, and whether it is new; raises why it could not be started. The endpoint runs if it is new."""
        self.task: asyncio.Task[None] = asyncio.create_task(self._run(), name="headway endpoint")
        """Done once the end is on record; never raises."""

    def __repr__(self) -> str:
        return f"<EndpointRun {self._scope['method']} {self._scope['path']} done={self.task.done()}>"

    async def _run(self) -> None:
        try:
            activity, new = await self._activities.create(operation=self._stop, **self._attributes)
        except Exception as error:  # whoever waits for it is told
            self.started.set_exception(error)
            self.started.exception()  # also if nobody waits any more
            return
        self.started.set_result((activity, new))
        if new:
            await self._operate(Reporter(self._activities, activity))

    async def _operate(self, reporter: Reporter) -> None:
        with within(reporter):
            call = asyncio.create_task(self._call(), name=f"headway {reporter.activity.type}")
        self._stop.task = call
        self._stop.press()
        cancelled = await _ended(call)
        if not call.cancelled():
            self.error = call.exception()
        await self._record(reporter)
        if self.error is not None and not (self.outlet.listened or isinstance(self.error, Cancelled)):
            _log.error("an endpoint has failed while nobody waited for its reply", exc_info=self.error)
        if cancelled is not None:
            raise cancelled

    async def _call(self) -> None:
        forget()  # it is this activity that the request began, and the endpoint may go on for long
        await self._app(self._scope, self._receive, self.outlet.take)

    async def _receive(self) -> Message:
        """The request, all at once; then nothing until the reply is complete or it is asked to stop, also when its
        client leaves.
        """
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._stop.unless(self.outlet.complete)
        return {"type": "http.disconnect"}

    # The end

    async def _record(self, reporter: Reporter) -> None:
        try:
            await self._activities.insist(lambda: self._finish(reporter))
        except HeadwayError as refused:  # given up meanwhile, by force
            _log.info("activity %s: its end was not recorded: %s", reporter.uuid, refused.message)

    async def _finish(self, reporter: Reporter) -> None:
        await self._activities.registry.childless(reporter.uuid)
        state, error = self._outcome(reporter.cancel_requested)
        if state is State.CANCELLED:
            await self._activities.request_cancel(reporter.uuid, reason="task_cancelled", required=True)
        response = self._response(self._activities.preview(reporter.activity))
        await self._activities.finish(reporter.uuid, state, error=error, news=Report(response=response))

    def _outcome(self, asked: bool) -> tuple[State, str | None]:
        status = self.outlet.status
        if self._stop.task is None or self._stop.task.cancelled() or (asked and isinstance(self.error, Cancelled)):
            return State.CANCELLED, None
        if self.error is not None:  # its words are for the log: who asked may see the activity, and not all of those
            return State.FAILED, f"the endpoint failed: {_phrase(500)}"
        if status is None or not self.outlet.complete.done():
            return (State.CANCELLED, None) if asked else (State.FAILED, "the endpoint gave no complete reply")
        if status >= 400:
            return State.FAILED, f"the endpoint answered {_phrase(status)}"
        return State.SUCCEEDED, None

    def _response(self, activity: Activity) -> dict[str, Any] | None:
        """What the activity shows of the reply."""
        status = 500 if self.outlet.status is None and self.error is not None else self.outlet.status
        if status is None:
            return None
        told = {"status": status}
        try:
            response = bags.RESPONSE("Response", {**_members(self.outlet.reply), **told})
            bags.RESPONSE.check_size("Response", {**(activity.response or {}), **response})
        except InvalidInput:  # too large, or not flat
            return told
        return response


class _Stop:
    """Asks an endpoint to stop: cancels its task, again each second of the grace.

    One that listens for ``http.disconnect`` is sent that first, for then it knows what it has to clear away: Django
    leaves its views running where it is cancelled itself. While an endpoint waits for a thread it is left alone, for a
    cancel would end the waiting and not the thread, which learns of it by ``current().check_cancelled()``.
    """

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self._asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listening = 0
        self._left = 0

    async def unless(self, complete: asyncio.Future[None]) -> None:
        """Until the reply is complete or it is asked to stop."""
        if complete.done() or self._asked.done():
            return
        self._listening += 1
        try:
            await asyncio.wait({complete, self._asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._listening -= 1

    def request_stop(self, activity: Activity) -> None:
        """A cancel is on record."""
        self._left = max(1, round(activity.grace / RECANCEL))
        self.press()

    def press(self) -> None:
        """Stop the task, if it is to stop."""
        task = self.task
        if task is None or task.done() or not self._left:
            return
        if not _waits_for_thread(task):
            self._ask(task)
        task.get_loop().call_later(RECANCEL, self.press)

    def _ask(self, task: asyncio.Task[None]) -> None:
        if not self._asked.done():
            self._asked.set_result(None)
            if self._listening:
                return
        self._left -= 1
        task.cancel()


async def _ended(task: asyncio.Task[None]) -> asyncio.CancelledError | None:
    """Wait until it is done. Whoever cancels this, as at the end of the loop, cancels it; that is returned."""
    cancelled = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
            task.cancel()
    return cancelled


def _waits_for_thread(task: asyncio.Future[Any]) -> bool:
    awaited: Any = task.get_coro() if isinstance(task, asyncio.Task) else None
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None)
        place = None if frame is None else (frame.f_globals.get("__name__"), frame.f_code.co_name)
        if place in _THREADS:
            return True
        if frame is not None and place == ("asyncio.tasks", "wait"):  # for tasks that it would not cancel
            return any(map(_waits_for_thread, frame.f_locals.get("fs", ())))
        awaited = getattr(awaited, "cr_await", None)
    return False


def _members(reply: Reply | None) -> dict[str, Any]:
    """Of a JSON object that says something; what is null says nothing."""
    value = None if reply is None else reply.json
    return {name: member for name, member in value.items() if member is not None} if isinstance(value, dict) else {}


def _phrase(status: int) -> str:
    named = next((known.phrase for known in HTTPStatus if known == status), "")
    return f"{status} {named}".rstrip()
