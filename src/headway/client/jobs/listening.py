"""Hearing of cancels: one request is held for all jobs, which the server answers when one of them is to stop.

Jobs that come while it is held are asked about in a second one, again and again at short intervals, until the first
returns; then one is held for all of them. A server that knows no such request is asked about each job by itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from headway.client import calls
from headway.client.backoff import Backoff
from headway.client.jobs import batches
from headway.client.jobs.batches import Batch
from headway.client.jobs.delivery import Delivery
from headway.client.jobs.line import Line
from headway.client.jobs.outbox import MAX_RETRY, RETRY
from headway.core.errors import HeadwayError
from headway.wire.requests import MAX_BATCH

SHORT = 0.5
"""Seconds that a request about newcomers is held: as long as others may have to wait until they are asked about."""

HURRY = 0.5
"""Seconds between two looks for a cancel at a server that does not wait when asked to."""


_log = logging.getLogger("headway")


class Listener:
    """Which jobs are asked about, and when."""

    def __init__(self, line: Line, learned: Callable[[Iterable[Delivery]], None]) -> None:
        """``learned``: told which jobs have learned something."""
        self._line = line
        self._learned = learned
        self._asked: set[Delivery] = set()
        self._unasked: dict[Delivery, None] = {}
        self._held: dict[asyncio.Task[None], int] = {}
        self._newcomers: asyncio.Task[None] | None = None
        self._backoff = Backoff(RETRY, MAX_RETRY)

    def __repr__(self) -> str:
        return f"<Listener held={len(self._held)} asked={len(self._asked)} unasked={len(self._unasked)}>"

    def hear(self, jobs: Iterable[Delivery]) -> None:
        """Listen for them from now on, for as long as they are attentive."""
        for job in jobs:
            if job.attentive and job not in self._asked:
                self._unasked[job] = None
        self._arrange()

    async def close(self) -> None:
        """Listen no more."""
        self._unasked.clear()
        tasks = list(self._held)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _arrange(self) -> None:
        """See that all are asked about: by one request for as many as it can hold, and one for newcomers."""
        while self._newcomers is None and (group := self._group()):
            full = len(group) == self._capacity or all(size == self._capacity for size in self._held.values())
            task = asyncio.get_running_loop().create_task(self._hold(group, calls.POLL if full else SHORT))
            self._asked.update(group)
            self._held[task] = len(group)
            self._newcomers = None if full else task
            task.add_done_callback(lambda done, group=group: self._returned(done, group))  # type: ignore[misc]

    @property
    def _capacity(self) -> int:
        return 1 if self._line.single else MAX_BATCH

    def _group(self) -> list[Delivery]:
        group: list[Delivery] = []
        while self._unasked and len(group) < self._capacity:
            job = next(iter(self._unasked))
            del self._unasked[job]
            if job.attentive:
                group.append(job)
        return group

    def _returned(self, task: asyncio.Task[None], group: list[Delivery]) -> None:
        del self._held[task]
        if self._newcomers is task:
            self._newcomers = None
        self._asked.difference_update(group)
        if not task.cancelled():
            self.hear(group)

    async def _hold(self, group: list[Delivery], patience: float) -> None:
        asked = time.monotonic()
        try:
            told = await (self._one(group[0], patience) if self._line.single else self._many(group, patience))
        except Exception as error:
            if not isinstance(error, HeadwayError):  # a fault of ours: it must not be repeated without end
                _log.exception("listening failed")
            await asyncio.sleep(self._backoff.next())
            return
        self._backoff.reset()
        if not told:
            await asyncio.sleep(max(0.0, asked + min(HURRY, patience) - time.monotonic()))

    async def _one(self, job: Delivery, patience: float) -> bool:
        """Whether there is news."""
        uuid, known = job.outbox.uuid, job.outbox.state
        if uuid is None:
            return True
        call = calls.get(uuid, wait=patience, known=known)
        row = call.read(await self._line.ask(call.request))
        job.seen(row)
        self._learned([job])
        return row.state != known

    async def _many(self, group: list[Delivery], patience: float) -> bool:
        batch: Batch[Delivery] = Batch()
        for job in group:
            if job.outbox.uuid is not None:
                batch.add(job.outbox.uuid, job)
        answer = await self._line.ask(batch.request(patience))
        if batches.unsupported(answer):
            self._line.single = True
            return True
        told = batches.outcomes(answer)
        for uuid, row in told.rows.items():
            if uuid in batch.senders:
                batch.senders[uuid].seen(row)
        for uuid in told.errors:
            if uuid in batch.senders:
                batch.senders[uuid].inquire(uuid)
        learned = [batch.senders[uuid] for uuid in (*told.rows, *told.errors) if uuid in batch.senders]
        self._learned(learned)
        return any(not job.attentive for job in learned)
