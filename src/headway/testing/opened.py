"""An open store in the hands of a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from headway.core import lifecycle
from headway.core.activity import Activity, State
from headway.core.lifecycle import Report
from headway.core.narrowing import Narrowing
from headway.core.policy import EVERYTHING, Scope
from headway.ports import HistoryQuery, Snapshot, Store, Write

AT = round(time.time(), 3) - 1000.0
"""When things happen, unless a test says otherwise: recently, so that a store still brings them back."""


class Opened:
    """An open store, what it held, and all that it has published."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.published: list[Activity] = []
        self.threads: set[int] = set()

    async def open(self) -> Opened:
        """Open the store."""
        self.snapshot: Snapshot = await self.store.open(self._publish)
        return self

    def _publish(self, activities: Sequence[Activity]) -> None:
        self.published.extend(activities)
        self.threads.add(threading.get_ident())

    @property
    def revisions(self) -> list[int]:
        """The revisions published, in order of publishing."""
        return [activity.revision for activity in self.published]

    async def commit(self, *writes: Write) -> list[int | None]:
        """Commit a batch."""
        return await self.store.commit(writes)

    async def start(
        self,
        uuid: str,
        owner: int = 1,
        at: float = AT,
        type: str = "t",
        report: Report = Report(),  # noqa: B008 - frozen
    ) -> Activity:
        """A committed new activity."""
        return await self._committed(starting(uuid, owner, at, type, report))

    async def change(self, changed: Activity, before: Activity, *, durable: bool = True) -> Activity:
        """A committed change."""
        return await self._committed(Write(changed, before.fence, durable))

    async def end(self, activity: Activity, at: float = AT, state: State = State.SUCCEEDED) -> Activity:
        """A committed end."""
        return await self.change(lifecycle.finish(activity, state, at), activity)

    async def run(self, uuid: str, owner: int = 1, at: float = AT, state: State = State.SUCCEEDED) -> Activity:
        """A committed activity that has ended already."""
        return await self.end(await self.start(uuid, owner, at), at, state)

    async def history(
        self, scope: Scope = EVERYTHING, limit: int = 50, before: int | None = None, **narrowed: Any
    ) -> list[str]:
        """The ids of ended activities; ``narrowed`` as ``Narrowing`` says."""
        query = HistoryQuery(scope, Narrowing(**narrowed), before, limit)
        return [activity.uuid for activity in await self.store.history(query)]

    async def _committed(self, write: Write) -> Activity:
        (revision,) = await self.commit(write)
        if revision is None:
            raise AssertionError(f"not committed, though nobody else has changed it: {write.activity}")
        return lifecycle.stamped(write.activity, revision)


def starting(
    uuid: str,
    owner: int = 1,
    at: float = AT,
    type: str = "t",
    report: Report = Report(),  # noqa: B008 - frozen
) -> Write:
    """The start of an activity, still to be committed."""
    return Write(lifecycle.start(uuid, type, owner, at, report=report, cancellable=True), None)


def ending(activity: Activity, state: State = State.SUCCEEDED, at: float = AT) -> Write:
    """The end of an activity, still to be committed."""
    return Write(lifecycle.finish(activity, state, at), activity.fence)


def reporting(activity: Activity, percent: float) -> Write:
    """Progress, which may be lost in a crash."""
    return Write(lifecycle.report(activity, Report(progress=percent), AT), activity.fence, durable=False)
