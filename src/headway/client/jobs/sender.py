"""The thread that sends for all jobs of a process: whatever several have to say goes in one request.

It looks at the outboxes when one of them is due, and takes along what is ripe in the others. While the server cannot
be reached, one request at a time tries, for all.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from headway.client.backoff import Backoff
from headway.client.errors import Unreachable
from headway.client.exchange import Answer
from headway.client.jobs import batches
from headway.client.jobs.batches import Batch
from headway.client.jobs.delivery import Delivery
from headway.client.jobs.line import Line
from headway.client.jobs.listening import Listener
from headway.client.jobs.outbox import MAX_RETRY, RETRY
from headway.client.jobs.printing import Printer
from headway.core.activity import State
from headway.core.errors import HeadwayError, Unavailable
from headway.wire.errors import Unreadable
from headway.wire.requests import MAX_BATCH

LOOK = 0.01
"""Seconds between two looks at what jobs have said: they may say it all the time."""

ROUND = 0.05
"""Seconds between two rounds of requests that tell of many jobs."""

CONCURRENT = 8
"""Requests about one job each that are under way at once,"""

BATCHES = 4
"""and such as tell of many."""

MAX_UNDELIVERED = 10_000
"""Jobs that have ended and could not be recorded so far; when there are more, the one that ended first is dropped."""

UNRECORDED = 2.0
"""Seconds that a job which no server has heard of so far may take to say its last words."""

_log = logging.getLogger("headway")


class Sender:
    """The thread, and in it an event loop."""

    def __init__(self, line: Line) -> None:
        self.jobs: dict[Delivery, None] = {}
        """Those of which something is or may be to be said, in order of start."""
        self._line = line
        self._listener = Listener(line, self._learned)
        self._printer = Printer(line)
        self._spoken: deque[tuple[Delivery, bool]] = deque()  # and whether it had ended then
        self._ended: dict[Delivery, None] = {}
        self._queue: deque[Delivery] = deque()
        self._alone: set[asyncio.Task[None]] = set()
        self._batches: set[asyncio.Task[None]] = set()
        self._awaited: set[Delivery] | None = None
        self._backoff = Backoff(RETRY, MAX_RETRY)
        self._away = self._told = self._crowded = self._depending = self._warned = False
        self._next, self._resume, self._round = math.inf, 0.0, 0.0
        self._news = asyncio.Event()
        self._flushed = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(_Resolver(max_workers=2, thread_name_prefix="headway-resolving"))
        self._thread = threading.Thread(target=self._run, name="headway-reporting", daemon=True)

    def __repr__(self) -> str:
        return f"<Sender jobs={len(self.jobs)} away={self._away} {self._listener!r}>"

    # From other threads

    def begin(self) -> None:
        """Start the thread. Raises RuntimeError when there are no more to be had."""
        try:
            self._thread.start()
        except RuntimeError:
            self._loop.close()
            raise

    def tell(self, job: Delivery) -> None:
        """A job has begun, or has something to say."""
        self._spoken.append((job, job.finished))
        # First the mark, then the look at the flag; the loop does it the other way round, so none is missed.
        if not self._told:
            self._told = True
            with suppress(RuntimeError):  # closed: nobody sends any more
                self._loop.call_soon_threadsafe(self._news.set)

    def close(self, timeout: float) -> None:
        """Deliver what is to be said, within so many seconds, and end the thread; jobs that have not said how they
        ended end as lost.
        """
        flushing = asyncio.run_coroutine_threadsafe(self._flush(timeout), self._loop)
        with suppress(TimeoutError):
            flushing.result(timeout + 1.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(1.0)

    def forked(self) -> None:
        """This is a child of the process that sends."""
        for job in (*self.jobs, *(job for job, _ in self._spoken)):
            job.forked()

    # In the thread: when

    def _run(self) -> None:
        sending = self._loop.create_task(self._send())
        try:
            self._loop.run_forever()
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(sending)
            self._loop.close()

    async def _send(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._next - time.monotonic())):
                    await self._news.wait()
            self._news.clear()
            self._told = False
            try:
                self._take_up()
                if (now := time.monotonic()) >= self._next:
                    self._next = self._dispatch(now)
            except Exception:  # a fault of ours: it must not silence all jobs for good
                _log.exception("reporting failed")
                self._next = time.monotonic() + MAX_RETRY
            await asyncio.sleep(LOOK)

    def _look(self, moment: float = 0.0) -> None:
        """Look what is to be sent at that moment, or as soon as possible."""
        self._next = min(self._next, moment)
        self._news.set()

    # What the jobs say

    def _take_up(self) -> None:
        while self._spoken:
            job, finished = self._spoken.popleft()
            self._printer.look(job)
            if job.outbox.over:
                continue
            self.jobs[job] = None
            if finished:
                self._ended[job] = None
            if not job.busy:
                self._next = min(self._next, job.due())
                self._depending = self._depending or job.depends()
        while len(self._ended) > MAX_UNDELIVERED:
            self._drop(next(iter(self._ended)))

    def _drop(self, job: Delivery) -> None:
        job.give_up()
        self._forget(job)
        if not self._warned:
            self._warned = True
            _log.warning("more than %d jobs have ended unrecorded: the oldest are dropped", MAX_UNDELIVERED)

    def _forget(self, job: Delivery) -> None:
        self.jobs.pop(job, None)
        self._ended.pop(job, None)

    # What is sent

    def _dispatch(self, now: float) -> float:
        """Send what is due, and what is ripe along with it. When to look again."""
        if now < self._resume:
            return self._resume
        idle = [job for job in self.jobs if not job.busy]
        due = {job: job.due() for job in idle}
        self._depending = any(job.depends() for job in idle)
        together = False
        for job in idle:
            if due[job] > now:
                continue
            if job.outbox.batchable and not self._line.single:
                together = True
            else:
                job.busy = True
                self._queue.append(job)
        self._pump()
        later = min((moment for moment in due.values() if moment > now), default=math.inf)
        return min(later, self._send_round(idle, now)) if together else later

    def _send_round(self, idle: list[Delivery], now: float) -> float:
        """Tell of all that is ripe, if it is time for that; when to look again."""
        if self._awaited is None and now < self._round + ROUND:
            return self._round + ROUND
        self._crowded = len(self._batches) >= (1 if self._away else BATCHES)
        if self._crowded:  # looked at again when there is room
            return math.inf
        self._round = now
        ripe = [job for job in idle if not job.busy and job.outbox.batchable and job.ripe() <= now]
        for batch in batches.pack(_changes(ripe[:MAX_BATCH] if self._away else ripe)):
            self._spawn(self._deliver_many(batch), self._batches)
        return now if len(ripe) > MAX_BATCH and self._away else math.inf

    def _pump(self) -> None:
        """Let those who wait for a request of their own have it, a few at once."""
        while self._queue and len(self._alone) < (1 if self._away else CONCURRENT):
            if time.monotonic() < self._resume:
                self._look(self._resume)
                return
            self._spawn(self._deliver(self._queue.popleft()), self._alone)

    def _spawn(self, work: Coroutine[Any, Any, None], kind: set[asyncio.Task[None]]) -> None:
        task = self._loop.create_task(work)
        kind.add(task)

        def landed(task: asyncio.Task[None]) -> None:
            kind.discard(task)
            if self._crowded and kind is self._batches:
                self._look()
            self._pump()

        task.add_done_callback(landed)

    async def _deliver(self, job: Delivery) -> None:
        """A request about one job."""
        try:
            if job.outbox.over:
                return
            answer = await self._line.ask(job.next())
            self._answered()
            job.answered(answer)
        except Exception as error:
            self._unanswered([job], error)
        finally:
            self._free([job])

    async def _deliver_many(self, batch: Batch[Delivery]) -> None:
        """One about many."""
        jobs = batch.senders.values()
        try:
            answer = await self._line.ask(batch.request())
            self._answered()
            self._line.single = batches.unsupported(answer)
            if self._line.single or batches.misunderstood(answer):
                for job in jobs:
                    job.returned(alone=not self._line.single)
            else:
                _deal(batch, answer)
        except Exception as error:
            self._unanswered(jobs, error)
        finally:
            self._free(jobs)

    # What came of it

    def _free(self, jobs: Collection[Delivery]) -> None:
        for job in jobs:
            job.busy = False
        self._learned(jobs)
        self._listener.hear(jobs)

    def _learned(self, jobs: Iterable[Delivery]) -> None:
        """When these are due may have changed."""
        for job in jobs:
            self._printer.look(job)
            if job.outbox.over:
                self._forget(job)
            elif not job.busy:
                self._look(job.due())
            self._settle(job)
        if self._depending:  # parts of them may have waited for their record
            self._look()

    def _answered(self) -> None:
        if not self._away:
            return
        self._away = False
        self._resume = 0.0
        self._backoff.reset()
        for job in self.jobs:
            job.reached()
        self._look()

    def _unanswered(self, jobs: Iterable[Delivery], error: Exception) -> None:
        if not isinstance(error, HeadwayError):  # a fault of ours: it must not be repeated without end
            _log.exception("reporting failed")
            error = Unavailable(f"reporting failed: {error}")
        for job in jobs:
            job.unanswered(error)
        if isinstance(error, Unreachable):
            self._failed(error)

    def _failed(self, error: Unreachable) -> None:
        self._away = True
        if (now := time.monotonic()) >= self._resume:
            wait = self._backoff.next()
            self._resume = now + (wait if self._awaited is None else min(wait, RETRY))
        for job in list(self.jobs):
            job.missed(error)
            self._settle(job)

    # The end

    async def _flush(self, timeout: float) -> None:
        self._take_up()
        ends = time.monotonic() + timeout
        for job in self.jobs:
            job.finish(State.LOST, "process_exited")
            job.hurry()
            self._printer.look(job)
        self._awaited = {job for job in self.jobs if not job.settled}
        self._resume = 0.0
        self._look()
        self._loop.call_later(UNRECORDED, self._give_up)
        if self._awaited:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._flushed.wait()
        for job in self.jobs:
            job.give_up()
        await self._printer.close(0.0 if self._away else ends - time.monotonic())
        await self._listener.close()
        self._queue.clear()  # else each that is cut short makes room for another, which nobody would wait for
        tasks = self._alone | self._batches
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await self._line.close()

    def _settle(self, job: Delivery) -> None:
        if self._awaited and job in self._awaited and job.settled:
            self._awaited.discard(job)
            if not self._awaited:
                self._flushed.set()

    def _give_up(self) -> None:
        """Wait no longer for what no server has heard of."""
        self._awaited = {job for job in self._awaited or () if job.outbox.uuid is not None}
        if not self._awaited:
            self._flushed.set()


def _changes(jobs: list[Delivery]) -> Iterator[tuple[str, Delivery, bytes]]:
    for job in jobs:
        if (uuid := job.outbox.uuid) is not None:
            job.busy = True
            yield uuid, job, job.next().body or b"{}"


def _deal(batch: Batch[Delivery], answer: Answer) -> None:
    """Tell each what came of it."""
    try:
        told = batches.outcomes(answer)
    except HeadwayError:  # which means the same for each
        for job in batch.senders.values():
            job.answered(answer)
        return
    minimal = "preference-applied" in answer.headers
    for uuid, job in batch.senders.items():
        if uuid in told.errors:
            job.refused(told.errors[uuid])
        elif uuid in told.rows or minimal:
            job.accepted(told.rows.get(uuid))
        else:
            job.unanswered(Unreadable("the answer tells nothing of the activity"))


class _Resolver(ThreadPoolExecutor):
    """Looks up names for the loop; also when the interpreter is on its way out and takes no more work for its pools,
    which is when the last words are said: then at once, for nobody else is waiting.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        try:
            return super().submit(fn, *args, **kwargs)
        except RuntimeError:
            done: Future[Any] = Future()
            try:
                done.set_result(fn(*args, **kwargs))
            except Exception as error:
                done.set_exception(error)
            return done
