"""Many activities that report far more often than anyone wants to read, and end now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from bench.frame import stamp

TICK = 0.005
"""Seconds between two bursts of reports."""
END_EVERY = 0.1
"""Seconds between two ends; each makes room for a start."""


class Flood:
    """Calls ``report`` at a rate for each of some activities, and ends one after the other.

    Reports that cannot be made in time are not made up for: the rate that was reached is part of the outcome.
    """

    def __init__(
        self,
        activities: int,
        rate: float,
        report: Callable[[int, int], object],
        end: Callable[[int, str], Awaitable[None]],
    ) -> None:
        """``rate``: reports per second of each. ``report(number, count)``: so many of one of them.

        ``end(number, stamp)``: one of them ends, and another takes its place.
        """
        self._activities = activities
        self._burst = max(1, round(rate * TICK))
        self._tick = self._burst / rate
        self._report, self._end = report, end
        self._tasks: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()
        self._reports = self._ended = 0
        self._began = self._stopped = 0.0

    def begin(self) -> None:
        """Report from now on."""
        loop = asyncio.get_running_loop()
        self._began = time.monotonic()
        self._over.clear()
        self._tasks = [loop.create_task(self._reporting()), loop.create_task(self._ending())]

    async def stop(self) -> None:
        """No report after this, and no end."""
        self._stopped = time.monotonic()
        self._over.set()
        reporting, ending = self._tasks
        reporting.cancel()
        await asyncio.gather(reporting, ending, return_exceptions=True)

    def counted(self) -> dict[str, float]:
        """What came of it."""
        return {"reports": self._reports, "ended": self._ended, "lasted": self._stopped - self._began}

    async def _reporting(self) -> None:
        report, numbers = self._report, range(self._activities)
        due = time.monotonic()
        while True:
            for number in numbers:
                report(number, self._burst)
                self._reports += self._burst
                if time.monotonic() > due + 4 * TICK:
                    await asyncio.sleep(0)  # what cannot keep up must still let others in
            due = max(due + self._tick, time.monotonic() - TICK)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _ending(self) -> None:
        number = 0
        while not await self._stopped_within(END_EVERY):
            await self._end(number, stamp(0, time.monotonic_ns()))
            self._ended += 1
            number = (number + 1) % self._activities

    async def _stopped_within(self, seconds: float) -> bool:
        """So that an end on its way, which watchers see, is counted too."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
        return self._over.is_set()
