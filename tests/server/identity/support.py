"""What the tests of identity share."""

import asyncio
import sys
from collections.abc import Callable

CLI = (sys.executable, "-c", "from headway.cli.token import token; token()")
"""`headway token` as a process of its own."""


class FakeClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; the deadline only says that it never will."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)
