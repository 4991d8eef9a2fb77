"""Stopping an operation: asked, then, after a grace, forced; over only when nothing of it runs."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from headway.operations.process.lineage import Lineage
from headway.operations.process.subreaper import Findings

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.1
"""Seconds between two looks at what still lives. They grow while nothing changes."""

PATIENCE = 1.0
"""The same for what SIGKILL does not end at once: a process inside a system call, or another user's."""

EMPTY_LOOKS = 2
"""Looks in a row that must find nobody: one may miss a process while it forks, or its mark while it execs."""

RESTLESS = 2.0
"""Seconds, at most, that orphans of whom nobody knows whose they are may put off the verdict that nobody is there."""

Outcome = Literal["exited", "terminated", "killed"]

Ask = Callable[..., Awaitable[Findings]]
"""Given a lineage and signals: look for what lives of it, signal that, tell."""


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

    def __init__(self, lineage: Lineage, ask: Ask, grace: float, *, ended: bool) -> None:
        """`grace`: seconds between SIGTERM and SIGKILL; `ended`: the first process has exited by itself already."""
        self._lineage = lineage
        self._ask = ask
        self._ended = ended
        self._deadline = time.monotonic() + grace

    def tighten(self, grace: float) -> None:
        """Allow no more than `grace` seconds from now."""
        self._deadline = min(self._deadline, time.monotonic() + grace)

    async def run(self) -> Stopped:
        """Returns when nothing runs any more, however long that takes."""
        began = time.monotonic()
        # Who is stopped takes a signal only when it goes on.
        found = await self._ask(self._lineage, signal.SIGTERM, signal.SIGCONT)
        survivors = [] if await self._gone() else await self._kill()
        outcome: Outcome = "killed" if survivors else "terminated"
        if self._ended and not found.living:
            outcome = "exited"
        return Stopped(outcome, tuple(survivors), time.monotonic() - began)

    async def _gone(self) -> bool:
        """Whether all is over before the deadline."""
        verdict, pause = Verdict(), FIRST_PAUSE
        while not verdict.nobody:
            left = self._deadline - time.monotonic()
            if left <= 0:
                return False
            await asyncio.sleep(min(pause, left))
            found = verdict.weigh(await self._ask(self._lineage))
            pause = min(pause * 1.5, LONGEST_PAUSE) if found else FIRST_PAUSE
        return True

    async def _kill(self) -> list[int]:
        """Kill until nobody is left to kill; the process ids."""
        killed: set[int] = set()
        verdict, pause, before = Verdict(), FIRST_PAUSE, set[int]()
        while not verdict.nobody:
            living = verdict.weigh(await self._ask(self._lineage, signal.SIGKILL))
            # Slowly only while nothing changes: what forks all the time must be pursued.
            pause = min(pause * 1.5, PATIENCE) if living == before else FIRST_PAUSE
            killed, before = killed | living, living
            await asyncio.sleep(pause)
        return sorted(killed)


class Verdict:
    """Whether looks say that nobody is there."""

    def __init__(self) -> None:
        self._empty = 0
        self._since = time.monotonic()

    @property
    def nobody(self) -> bool:
        """They do."""
        return self._empty >= EMPTY_LOOKS

    def weigh(self, findings: Findings) -> set[int]:
        """Take one look into account; returns the process ids that it found."""
        now = time.monotonic()
        if findings.living:
            self._since = now
        restless = findings.restless and now - self._since < RESTLESS
        self._empty = 0 if findings.living or restless else self._empty + 1
        return {entry.pid for entry in findings.living}
