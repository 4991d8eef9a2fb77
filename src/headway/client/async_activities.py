"""The activities on a server, on an event loop: ``activities`` once more, awaited. What each does is said there."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack, overload

from headway.client import calls
from headway.client.calls import Cancelled, Page
from headway.client.live import waiting
from headway.client.live.watch import AsyncWatch
from headway.client.live.watching import Connected, Watching
from headway.client.network.driver import AsyncDriver
from headway.client.options import CallOptions
from headway.core.activity import State
from headway.core.lifecycle import Report
from headway.wire import fitting
from headway.wire.row import Row

if TYPE_CHECKING:
    from headway.client.jobs.job import Job
    from headway.client.jobs.reporting import JobOptions, Reporting


class AsyncActivities:
    """The activities on a server."""

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver
        self._reporting: Reporting | None = None

    async def aclose(self) -> None:
        """Deliver what was reported."""
        if self._reporting is not None:
            await asyncio.to_thread(self._reporting.close)

    async def list(
        self,
        *,
        type: str | None = None,
        state: State | None = None,
        parent: str | None = None,
        owner: int | None = None,
        text: str | None = None,
        context: Mapping[str, str] | None = None,
    ) -> Page:
        """See ``Activities.list``."""
        call = calls.list_activities(type=type, state=state, parent=parent, owner=owner, text=text, context=context)
        return await self._driver.send(call)

    async def get(self, uuid: str) -> Row:
        """See ``Activities.get``."""
        return await self._driver.send(calls.get(uuid))

    async def history(
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
        """See ``Activities.history``."""
        call = calls.history(
            type=type, state=state, parent=parent, owner=owner, text=text, context=context, limit=limit, before=before
        )
        return await self._driver.send(call)

    async def cancel(self, uuid: str, *, wait: float | None = None, force: bool = False) -> Cancelled:
        """See ``Activities.cancel``."""
        return await self._driver.send(calls.cancel(uuid, wait=wait, force=force))

    async def create(self, type: str, *, key: str | None = None, **options: Any) -> Row:
        """See ``Activities.create``."""
        return await self._driver.send(calls.start(type, key=key, **options))

    async def report(self, uuid: str, report: Report = Report()) -> Row:  # noqa: B008 - frozen
        """See ``Activities.report``."""
        return await self._driver.send(calls.change(uuid, report))

    async def finish(
        self,
        uuid: str,
        state: State,
        *,
        error: str | None = None,
        report: Report = Report(),  # noqa: B008 - frozen
    ) -> Row:
        """See ``Activities.finish``."""
        return await self._driver.send(calls.change(uuid, report, state=state, error=error))

    async def output(self, uuid: str) -> str:
        """See ``Activities.output``."""
        return await self._driver.send(calls.output(uuid))

    async def write_output(self, uuid: str, text: str) -> None:
        """See ``Activities.write_output``."""
        await self._driver.send(calls.write_output(uuid, fitting.output(text)))

    def start(self, type: str, **options: Unpack[JobOptions]) -> Job:
        """See ``Activities.start``."""
        from headway.client.jobs.reporting import Reporting  # here: most programs only look

        if self._reporting is None:
            self._reporting = Reporting(lambda: self._driver.options.address, network=self._driver.network)
        return self._reporting.start(type, **options)

    @overload
    async def wait(self, uuid: str, timeout: float | None = None) -> Row: ...

    @overload
    async def wait(
        self,
        *,
        type: str | None = None,
        context: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> builtins.list[Row]: ...

    async def wait(
        self,
        uuid: str | None = None,
        timeout: float | None = None,
        *,
        type: str | None = None,
        context: Mapping[str, str] | None = None,
    ) -> Row | builtins.list[Row]:
        """See ``Activities.wait``."""
        options, clock = self._driver.options, self._driver.clock
        if uuid is not None:
            return await self._driver.run(waiting.wait(uuid, timeout, options, clock))
        return await self._driver.run(waiting.wait_for_all(type, context, timeout, options, clock))

    def watch(
        self,
        *,
        type: str | None = None,
        uuid: str | None = None,
        context: Mapping[str, str] | None = None,
        since: str | None = None,
        transport: str = "auto",
        on_connection: Connected | None = None,
    ) -> AsyncWatch:
        """See ``Activities.watch``."""
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
        return AsyncWatch(self._driver.iterate(watching.steps()), watching.replica)

    def follow(self, response: Any, *, on_connection: Connected | None = None) -> AsyncWatch:
        """See ``Activities.follow``."""
        uuid, options, clock = waiting.activity_of(response), self._driver.options, self._driver.clock
        watching = Watching(options, uuid=uuid, on_connection=on_connection, clock=clock)
        return AsyncWatch(self._driver.iterate(waiting.follow(uuid, watching, options, clock)), watching.replica)

    # The names of the generated Plex clients

    async def list_activities(self, **options: Unpack[CallOptions]) -> Page:
        """See ``Activities.list_activities``."""
        return await self._with(options).send(calls.list_activities())

    async def cancel_activity(self, *, activity_id: str, **options: Unpack[CallOptions]) -> Cancelled:
        """See ``Activities.cancel_activity``."""
        return await self._with(options).send(calls.cancel(activity_id))

    async def get_server_activities(self, **options: Unpack[CallOptions]) -> Page:
        """See ``Activities.get_server_activities``."""
        return await self.list_activities(**options)

    async def cancel_server_activities(self, *, activity_uuid: str, **options: Unpack[CallOptions]) -> Cancelled:
        """See ``Activities.cancel_server_activities``."""
        return await self.cancel_activity(activity_id=activity_uuid, **options)

    def _with(self, options: CallOptions) -> AsyncDriver:
        return self._driver.but(self._driver.options.sdk(**options))
