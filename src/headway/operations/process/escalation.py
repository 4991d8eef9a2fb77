"""Stopping an operation: asked, then, after a grace, forced; over only when nothing of it runs."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from typing import Literal

from headway.operations.process.lineage import Lineage

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.1
"""Seconds between two looks at what still lives. They grow while nothing changes."""

PATIENCE = 1.0
"""The same for what SIGKILL does not end at once: a process inside a system call, or another user's."""

EMPTY_LOOKS = 2
"""Looks in a row that must find nothing: a process can be missed by one while it forks, or its mark while it execs."""

Outcome = Literal["exited", "terminated", "killed"]


@dataclass(frozen=True, slots=True)
class Stopped:
    """How an operation was stopped. Nothing of it runs."""

    outcome: Outcome
    """``exited``: there was nothing to stop; ``terminated``: all ended within the grace; ``killed``: not all did."""
    survivors: tuple[int, ...]
    """Process ids of those that outlived the grace and were killed, the operation's first process among them or not."""
    duration: float
    """Seconds."""


class Escalation:
    """One stop of one operation."""

    def __init__(self, lineage: Lineage, grace: float, *, ended: bool) -> None:
        """`grace`: seconds between SIGTERM and SIGKILL; `ended`: the first process has exited by itself already."""
        self._lineage = lineage
        self._ended = ended
        self._deadline = time.monotonic() + grace

    def tighten(self, grace: float) -> None:
        """Allow no more than `grace` seconds from now."""
        self._deadline = min(self._deadline, time.monotonic() + grace)

    async def run(self) -> Stopped:
        """Returns when nothing runs any more, however long that takes."""
        began = time.monotonic()
        found = await asyncio.to_thread(self._ask)
        survivors = [] if await self._gone() else await self._kill()
        outcome: Outcome = "killed" if survivors else "terminated"
        if self._ended and not found:
            outcome = "exited"
        return Stopped(outcome, tuple(survivors), time.monotonic() - began)

    def _ask(self) -> bool:
        found = self._lineage.signal(signal.SIGTERM)
        # Who is stopped takes a signal only when it goes on.
        self._lineage.signal(signal.SIGCONT)
        return bool(found)

    async def _gone(self) -> bool:
        """Whether all is over before the deadline."""
        looks, pause = 0, FIRST_PAUSE
        while looks < EMPTY_LOOKS:
            left = self._deadline - time.monotonic()
            if left <= 0:
                return False
            await asyncio.sleep(min(pause, left))
            living = await asyncio.to_thread(self._lineage.living)
            if living or self._lineage.restless:
                looks, pause = 0, min(pause * 1.5, LONGEST_PAUSE)
            else:
                looks, pause = looks + 1, FIRST_PAUSE
        return True

    async def _kill(self) -> list[int]:
        """Kill until nothing is left to kill; the process ids, oldest first."""
        killed = {entry.pid for entry in await asyncio.to_thread(self._lineage.living)}
        looks, pause, before = 0, FIRST_PAUSE, set(killed)
        while looks < EMPTY_LOOKS:
            living = {entry.pid for entry in await asyncio.to_thread(self._lineage.kill)}
            looks = 0 if living or self._lineage.restless else looks + 1
            # Slowly only while nothing changes: what forks all the time must be pursued.
            pause = min(pause * 1.5, PATIENCE) if living == before else FIRST_PAUSE
            killed, before = killed | living, living
            await asyncio.sleep(pause)
        return sorted(killed)
