"""What jobs print, on its way to the server: each time the last of it as a whole, when it has changed and now and then.

A task for each job that prints, beside the reports, which never wait for it: there are servers that take them and not
this.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from headway.client import calls
from headway.client.backoff import Backoff
from headway.client.exchange import Answer
from headway.client.jobs.delivery import Delivery
from headway.client.jobs.line import Line
from headway.client.jobs.outbox import MAX_ADVISED, MAX_RETRY, RETRY
from headway.core.errors import HeadwayError
from headway.wire import fitting

LAST = 2.0
"""Seconds that the end of the process waits for the last of it, at most, once all else has been said."""

CONCURRENT = 4
"""Requests that are under way at once."""

AFTERWARDS = 60.0
"""Seconds after its end for which the last of a job is tried again: a server takes it no longer."""

MAX_ENDED = 100
"""Jobs that have ended and whose last could not be delivered so far; of more, it is dropped."""

_LATER = frozenset((401, 408, 421, 425, 429))
"""Refusals that may not be for long; so are all of 500 and more."""

_log = logging.getLogger("headway")


class _Page:
    """One job's, as the server knows it."""

    def __init__(self, job: Delivery) -> None:
        self.job = job
        self.changed = asyncio.Event()
        """There may be more to send,"""
        self.hurry = asyncio.Event()
        """and no time to lose."""
        self.sent: tuple[str, str] | None = None
        """To which activity, and what."""
        self.refused: str | None = None
        """The activity that takes none."""
        self.backoff = Backoff(RETRY, MAX_RETRY)

    def unsent(self) -> tuple[str, str] | None:
        """What is to be sent, and to which activity."""
        uuid, source = self.job.outbox.uuid, self.job.printed
        if uuid is None or source is None or uuid == self.refused:
            return None
        text = fitting.output(source())
        return None if (uuid, text) == (self.sent or (uuid, "")) else (uuid, text)


class Printer:
    """What is sent of which job, and when. Belongs to the sender's event loop."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._pages: dict[Delivery, tuple[_Page, asyncio.Task[None]]] = {}
        self._ended: dict[Delivery, None] = {}
        self._room = asyncio.Semaphore(CONCURRENT)
        self._closing = False

    def __repr__(self) -> str:
        return f"<Printer jobs={len(self._pages)} closing={self._closing}>"

    def look(self, job: Delivery) -> None:
        """A job may have printed more, have a record now, or have ended."""
        if job.printed is None or self._closing:
            return
        if job not in self._pages:
            page = _Page(job)
            task = asyncio.get_running_loop().create_task(self._follow(page))
            self._pages[job] = page, task
            task.add_done_callback(lambda task: self._over(job, task))
        page, _ = self._pages[job]
        page.changed.set()
        if job.finished or job.over:
            page.hurry.set()
            self._ended[job] = None
            if len(self._ended) > MAX_ENDED:
                first = next(iter(self._ended))
                del self._ended[first]
                self._pages[first][1].cancel()

    async def close(self, timeout: float) -> None:
        """Send what is left, within so many seconds, and ``LAST``."""
        for page, _ in self._pages.values():
            page.hurry.set()
            page.changed.set()
        self._closing = True
        tasks = [task for _, task in self._pages.values()]
        if tasks and timeout > 0:
            await asyncio.wait(tasks, timeout=min(LAST, timeout))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _over(self, job: Delivery, task: asyncio.Task[None]) -> None:
        self._pages.pop(job, None)
        self._ended.pop(job, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("what a job has printed cannot be shown", exc_info=error)
        elif not (job.finished or job.over):
            return
        job.printed = None  # nobody asks for it any more, and it is large

    async def _follow(self, page: _Page) -> None:
        job, gives_up = page.job, 0.0
        while True:
            page.changed.clear()
            job.looked_at()
            last = self._closing or job.finished or job.over  # before the text is asked for: it is all there is then
            if job.over:
                gives_up = gives_up or time.monotonic() + AFTERWARDS
            unsent = page.unsent()
            if unsent is None:
                if last and (job.outbox.uuid is not None or job.over):
                    return
                await page.changed.wait()
            elif gives_up and time.monotonic() > gives_up:
                return
            else:
                await self._send(page, *unsent)

    async def _send(self, page: _Page, uuid: str, text: str) -> None:
        answer = await self._ask(uuid, text)
        if answer is not None and 200 <= answer.status < 300:
            page.sent = uuid, text
            page.backoff.reset()
            with suppress(TimeoutError):
                async with asyncio.timeout(fitting.output_pause(text)):
                    await page.hurry.wait()
        elif answer is not None and answer.status < 500 and answer.status not in _LATER:
            _log.debug("the server takes no output: %d", answer.status)
            page.refused = uuid
        else:
            advised = 0.0 if answer is None else min(answer.retry_after or 0.0, MAX_ADVISED)
            pause = max(page.backoff.next(), advised)
            await asyncio.sleep(min(pause, RETRY) if self._closing else pause)

    async def _ask(self, uuid: str, text: str) -> Answer | None:
        async with self._room:
            try:
                return await self._line.ask(calls.write_output(uuid, text).request)
            except HeadwayError:
                return None
