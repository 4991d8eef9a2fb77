"""Waiting for what happens in other processes, always with a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

DEADLINE = 60.0

T = TypeVar("T")


async def until(condition: Callable[[], object], what: str = "it") -> None:
    """Return when the condition holds; fail when it still does not after half a minute."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain until {what}")
        await asyncio.sleep(0.01)


async def within(awaitable: Awaitable[T]) -> T:
    """The result; fail when there is still none after half a minute."""
    async with asyncio.timeout(DEADLINE):
        return await awaitable
