"""The activities on a server, for programs that block."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack, overload

from headway.client import calls
from headway.client.calls import Cancelled, Page
from headway.client.live import waiting
from headway.client.live.watch import Watch
from headway.client.live.watching import Connected, Watching
from headway.client.network.driver import Driver
from headway.client.options import CallOptions
from headway.core.activity import State
from headway.core.lifecycle import Report
from headway.wire import fitting
from headway.wire.row import Row

if TYPE_CHECKING:
    from headway.client.jobs.job import Job
    from headway.client.jobs.reporting import JobOptions, Reporting


class Activities:
    """The activities on a server."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._reporting: Reporting | None = None

    def close(self) -> None:
        """Deliver what was reported."""
        if self._reporting is not None:
            self._reporting.close()

    def list(
        self,
        *,
        type: str | None = None,
        state: State | None = None,
        parent: str | None = None,
        owner: int | None = None,
        text: str | None = None,
        context: Mapping[str, str] | None = None,
    ) -> Page:
        """What is live, in order of start.

        ``owner``: a user id, for admins. ``text``: part of title, subtitle, type or a value of the context.
        ``context``: members it must have. A Plex server gives the whole list, which is then narrowed here.
        """
        call = calls.list_activities(type=type, state=state, parent=parent, owner=owner, text=text, context=context)
        return self._driver.send(call)

    def get(self, uuid: str) -> Row:
        """One activity, live or ended."""
        return self._driver.send(calls.get(uuid))

    def history(
        self,
        *,
        type: str | None = None,
        state: State | None = None,
        parent: str | None = None,
        owner: int | None = None,
        text: str | None = None,
        context: Mapping[str, str] | None = None,
        limit: int | None = None,
        before: str | None = None,
    ) -> Page:
        """A page of what has ended, newest first. ``before``: the cursor of the page before.

        The rest is as of ``list``.
        """
        call = calls.history(
            type=type, state=state, parent=parent, owner=owner, text=text, context=context, limit=limit, before=before
        )
        return self._driver.send(call)

    def cancel(self, uuid: str, *, wait: float | None = None, force: bool = False) -> Cancelled:
        """Ask an activity to stop. ``wait``: seconds to wait until it has. ``force``: give it up as lost (admins)."""
        return self._driver.send(calls.cancel(uuid, wait=wait, force=force))

    def create(self, type: str, *, key: str | None = None, **options: Any) -> Row:
        """Record that work has begun; ``options`` are those of ``calls.start``. A job reports itself by ``start``."""
        return self._driver.send(calls.start(type, key=key, **options))

    def report(self, uuid: str, report: Report = Report()) -> Row:  # noqa: B008 - frozen
        """Say how the work stands; an empty report is a sign of life. The row tells of a cancel."""
        return self._driver.send(calls.change(uuid, report))

    def finish(
        self,
        uuid: str,
        state: State,
        *,
        error: str | None = None,
        report: Report = Report(),  # noqa: B008 - frozen
    ) -> Row:
        """Say how the work has ended."""
        return self._driver.send(calls.change(uuid, report, state=state, error=error))

    def output(self, uuid: str) -> str:
        """The last that an activity has printed, at most 64 KiB; empty where nothing is kept."""
        return self._driver.send(calls.output(uuid))

    def write_output(self, uuid: str, text: str) -> None:
        """Say what it has printed, in place of what was said before; of more than 64 KiB only the end is kept. A
        minute after its end it is too late. A job says it by ``Job.output``.
        """
        self._driver.send(calls.write_output(uuid, fitting.output(text)))

    def start(self, type: str, **options: Unpack[JobOptions]) -> Job:
        """Report a job from the background; see ``JobOptions``."""
        from headway.client.jobs.reporting import Reporting  # here: most programs only look

        if self._reporting is None:
            self._reporting = Reporting(lambda: self._driver.options.address, network=self._driver.network)
        return self._reporting.start(type, **options)

    @overload
    def wait(self, uuid: str, timeout: float | None = None) -> Row: ...

    @overload
    def wait(
        self,
        *,
        type: str | None = None,
        context: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> builtins.list[Row]: ...

    def wait(
        self,
        uuid: str | None = None,
        timeout: float | None = None,
        *,
        type: str | None = None,
        context: Mapping[str, str] | None = None,
    ) -> Row | builtins.list[Row]:
        """Wait until an activity has ended, also across a restart of the server; its last row, ended or not.

        With ``type`` or ``context``: until all such that are live now have ended; their last rows, in order of start.
        ``timeout``: seconds; None waits for ever. Raises ``Unreachable`` only when the first request fails.
        """
        options, clock = self._driver.options, self._driver.clock
        if uuid is not None:
            return self._driver.run(waiting.wait(uuid, timeout, options, clock))
        return self._driver.run(waiting.wait_for_all(type, context, timeout, options, clock))

    def watch(
        self,
        *,
        type: str | None = None,
        uuid: str | None = None,
        context: Mapping[str, str] | None = None,
        since: str | None = None,
        transport: str = "auto",
        on_connection: Connected | None = None,
    ) -> Watch:
        """What is live, as a snapshot, and then every change of it, for ever and across lost connections.

        After a gap that the server cannot fill comes another snapshot, and before it an ``ended`` for each activity
        that has gone meanwhile. ``since``: begin after that cursor, without a snapshot. ``transport``: ``sse``,
        ``websocket``, or ``auto`` for what the server has. ``on_connection``: told the error when the connection is
        lost, or the server cannot reach its store, and None when all is well again. The iterator raises
        ``HeadwayError`` for what trying again cannot mend.
        """
        watching = Watching(
            self._driver.options,
            type=type,
            uuid=uuid,
            context=context,
            since=since,
            transport=transport,
            on_connection=on_connection,
            clock=self._driver.clock,
        )
        return Watch(self._driver.iterate(watching.steps()), watching.replica)

    def follow(self, response: Any, *, on_connection: Connected | None = None) -> Watch:
        """The same of one activity, until it has ended.

        ``response``: its uuid, or the reply whose ``X-Plex-Activity`` header names it, of whichever HTTP library.
        Raises ``InvalidInput`` for a reply that names none, and the iterator ``NotFound`` for what nobody knows.
        """
        uuid, options, clock = waiting.activity_of(response), self._driver.options, self._driver.clock
        watching = Watching(options, uuid=uuid, on_connection=on_connection, clock=clock)
        return Watch(self._driver.iterate(waiting.follow(uuid, watching, options, clock)), watching.replica)

    # The names of the generated Plex clients

    def list_activities(self, **options: Unpack[CallOptions]) -> Page:
        """``list`` under its name in the generated Plex clients, with their options."""
        return self._with(options).send(calls.list_activities())

    def cancel_activity(self, *, activity_id: str, **options: Unpack[CallOptions]) -> Cancelled:
        """``cancel`` under its name in the generated Plex clients, with their options."""
        return self._with(options).send(calls.cancel(activity_id))

    def get_server_activities(self, **options: Unpack[CallOptions]) -> Page:
        """``list`` under its older name in the generated Plex clients."""
        return self.list_activities(**options)

    def cancel_server_activities(self, *, activity_uuid: str, **options: Unpack[CallOptions]) -> Cancelled:
        """``cancel`` under its older name in the generated Plex clients."""
        return self.cancel_activity(activity_id=activity_uuid, **options)

    def _with(self, options: CallOptions) -> Driver:
        return self._driver.but(self._driver.options.sdk(**options))
