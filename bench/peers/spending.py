"""How those who report are measured: calls in bursts for so many seconds, the time in them, and the processor time of
the whole process from the first to the last, whichever of its threads took it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

from bench.peers.serving import tell

Burst = Callable[[range], object]
"""A call for each of the numbers, which count up from burst to burst."""


def bursts(burst: Burst, size: int, calls: int = 1) -> None:
    """Measure them, one after the other. ``size``: numbers in a burst, ``calls``: how many each of them stands for."""
    spending = Spending(burst, size, calls)
    while spending.goes_on():
        spending.burst()
    spending.told()


async def bursts_and_breaks(burst: Burst, size: int) -> None:
    """The same on an event loop, with a turn for everything else there after each."""
    spending = Spending(burst, size)
    while spending.goes_on():
        spending.burst()
        await asyncio.sleep(0)
    spending.told()


class Spending:
    """Says that all is ready, waits to be told for how many seconds, and says at the end what came of it."""

    def __init__(self, burst: Burst, size: int, calls: int = 1) -> None:
        self._burst, self._size, self._each = burst, size, calls
        self._done, self._inside = 0, 0.0
        self.burst()  # the first has more to do than all others
        tell(ready=True)
        seconds = float(sys.stdin.readline())
        self._done, self._inside = 0, 0.0
        self._cpu, self._began = time.process_time(), time.perf_counter()
        self._end = self._began + seconds

    def goes_on(self) -> bool:
        """Whether there is time for another."""
        return time.perf_counter() < self._end

    def burst(self) -> None:
        """One more."""
        begun = time.perf_counter()
        self._burst(range(self._done, self._done + self._size))
        self._inside += time.perf_counter() - begun
        self._done += self._size

    def told(self) -> None:
        """What one call took, without the loop around it."""
        cpu, seconds = time.process_time() - self._cpu, time.perf_counter() - self._began
        calls, loop = self._done * self._each, _looped(self._size) / self._each
        tell(calls=calls, rate=calls / seconds, call=self._inside / calls - loop, cpu=cpu / calls - loop)


def _looped(size: int) -> float:
    """Seconds that counting up by one takes by itself."""
    tries = []
    for _ in range(20):
        begun = time.perf_counter()
        for _ in range(size):
            pass
        tries.append(time.perf_counter() - begun)
    return min(tries) / size
