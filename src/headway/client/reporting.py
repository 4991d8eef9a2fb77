"""Reporting the jobs of this process to a server, in the background.

One thread with an event loop of its own sends for all jobs of the process. What a job calls here is a memory write: it
never waits for the network, and no trouble of the server's reaches it (see ``outbox`` for what is done about trouble).
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from headway.client import calls
from headway.client.address import Address
from headway.client.backoff import Backoff
from headway.client.errors import NoConnection
from headway.client.exchange import Answer, Request
from headway.client.job import Job, Stopped
from headway.client.news import fitted, fitted_type
from headway.client.outbox import LEASE, MAX_RETRY, RETRY, NewRecord, OnLoss, Outbox
from headway.core.activity import DEFAULT_GRACE, State
from headway.core.errors import HeadwayError, Unavailable

if TYPE_CHECKING:
    from headway.client.transport import AsyncTransport

PATIENCE = 5.0
"""Seconds that ``close`` gives to deliver the ends, at most."""

TIMEOUT = 5.0
"""Seconds for an answer to a report."""

HURRY = 0.5
"""Seconds between two looks for a cancel at a server that does not wait when asked to."""

Locate = Callable[[], Address]

_log = logging.getLogger("headway")


class Reporting:
    """The sender of this process for one server."""

    def __init__(self, server: Address | Locate, *, timeout: float = TIMEOUT) -> None:
        """``server``: where it is, or what finds that out, which is asked before each request.

        ``timeout``: seconds for an answer.
        """
        self._locate = server if callable(server) else lambda: server
        self._timeout = timeout
        self._transport: AsyncTransport | None = None
        self._jobs: set[Job] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(_Resolver(max_workers=2, thread_name_prefix="headway-resolving"))
        self._thread = threading.Thread(target=self._run, name="headway-reporting", daemon=True)
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Reporting jobs={len(self._jobs)} closed={self._closed}>"

    def start(
        self,
        type: str,
        *,
        title: str = "",
        subtitle: str = "",
        progress: float | None = None,
        cancellable: bool = True,
        context: Mapping[str, Any] | None = None,
        parent: str | None = None,
        lease: float = LEASE,
        grace: float = DEFAULT_GRACE,
        on_loss: OnLoss = OnLoss.STOP,
        on_stop: Stopped | None = None,
    ) -> Job:
        """A job has begun. Its record is made as soon as there is a server to make it.

        ``lease``: seconds without a sign of life after which it counts as lost. ``grace``: seconds it has to stop when
        asked to. ``on_stop``: called once when it is to stop, in the sender's thread.
        """
        report = fitted(title=title, subtitle=subtitle, progress=progress, context=context)
        record = NewRecord(fitted_type(type), report, cancellable=cancellable, parent=parent, lease=lease, grace=grace)
        job = Job(Outbox(record, time.monotonic(), time.time(), on_loss=on_loss), self._loop, on_stop)
        with self._lock:
            if self._closed:
                raise RuntimeError("reporting is closed")
            self._jobs.add(job)
            self._begin()
        self._loop.call_soon_threadsafe(self._take_up, job)
        return job

    def close(self, timeout: float = PATIENCE) -> None:
        """Deliver what is still to be said, within ``timeout`` seconds; jobs that have not said how they ended end as
        lost. Nothing can be started afterwards.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if not self._thread.is_alive():
            for job in list(self._jobs):
                job.leave()
            self._loop.close()
            return
        atexit.unregister(self.close)
        for job in list(self._jobs):
            job.finish(State.LOST, "process_exited")
        flushing = asyncio.run_coroutine_threadsafe(self._flush(timeout), self._loop)
        with suppress(TimeoutError):
            flushing.result(timeout + 1.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(1.0)

    def _begin(self) -> None:
        if not self._thread.is_alive():
            try:
                self._thread.start()
            except RuntimeError:  # no more threads are to be had: then the jobs go on unreported
                _log.warning("cannot report", exc_info=True)
            else:
                atexit.register(self.close)

    # In the thread

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _take_up(self, job: Job) -> None:
        for work in (self._deliver(job), self._listen(job)):
            task = self._loop.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, job: Job) -> None:
        while await job.due():
            request = job.next()
            try:
                answer = await self._exchange(request)
            except HeadwayError as error:
                job.unanswered(error)
            else:
                job.answered(answer)
        self._jobs.discard(job)

    async def _listen(self, job: Job) -> None:
        """Hold a request open that the server answers when somebody asks the job to stop."""
        backoff = Backoff(RETRY, MAX_RETRY)
        while (uuid := await job.recorded()) is not None:
            asked, known = time.monotonic(), job.state
            call = calls.get(uuid, wait=calls.POLL, known=known)
            try:
                row = call.read(await self._exchange(call.request))
            except HeadwayError:
                await asyncio.sleep(backoff.next())
                continue
            backoff.reset()
            job.seen(row)
            if row.state == known and time.monotonic() - asked < HURRY:
                await asyncio.sleep(HURRY)

    async def _exchange(self, request: Request) -> Answer:
        try:
            transport = await self._connected()
            return await transport.exchange(request)
        except HeadwayError:
            raise
        except (
            Exception
        ) as error:  # a proxy's name that is none, no threads left to resolve names: never the job's affair
            _log.debug("a request failed in an unforeseen way", exc_info=True)
            raise Unavailable(f"cannot ask the server: {error}") from error

    async def _connected(self) -> AsyncTransport:
        """The connections to where the server is now."""
        # Imported here: it takes longer than all the rest, and the job does not wait for it.
        from headway.client.transport import AsyncTransport

        try:
            address = self._locate()
        except HeadwayError as error:
            raise NoConnection(error.message) from error
        if self._transport is None or self._transport.address != address:
            former, self._transport = self._transport, AsyncTransport(address, timeout=self._timeout)
            if former is not None:
                await former.close()
        return self._transport

    async def _flush(self, timeout: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await asyncio.gather(*(job.flushed() for job in list(self._jobs)))
        for job in list(self._jobs):
            job.leave()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._transport is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self._transport.close()


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
