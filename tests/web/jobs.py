"""A job that goes on until the test lets it end."""

from __future__ import annotations

import asyncio

from headway import current
from headway.reporter import Reporter


class Gate:
    """What a job waits for."""

    def __init__(self) -> None:
        self._reporter: asyncio.Future[Reporter] = asyncio.get_running_loop().create_future()
        self._gate = asyncio.Event()

    async def work(self) -> None:
        self._reporter.set_result(current())
        await self._gate.wait()

    async def reporter(self) -> Reporter:
        """The job's, once it runs."""
        return await self._reporter

    def open(self) -> None:
        """Let it end."""
        self._gate.set()
