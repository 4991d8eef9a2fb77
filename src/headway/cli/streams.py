"""What a command gets for its output and errors, so that they can be looked at in passing and stay as they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from headway.operations.process import Tee, Terminal
from headway.operations.process.pump import OnOutput, Pump

Output = Tee | int | None
Look = Callable[[int], OnOutput]
"""What looks at the pieces of a stream, 1 or 2."""


class Streams:
    """Output and errors of one command; entered while it is started, ``drained`` when it has ended.

    Where both go to the same file or pipe, they are one pipe here, too: in two, what was written first may arrive last.
    """

    def __init__(self, look: Look | None, terminal: Terminal | None) -> None:
        """Where nothing looks at them, the command has them to itself, but for those on a ``terminal``."""
        self._pump: Pump | None = None
        self._theirs = -1
        if look is not None and _same(1, 2) and (terminal is None or not terminal.shows(1)):
            ours, self._theirs = os.pipe()
            self._pump = Pump(ours, Tee(1, look(1)))
            self.output: Output = self._theirs
            self.errors: Output = self._theirs
        else:
            self.output, self.errors = (_end(stream, look, terminal) for stream in (1, 2))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._theirs >= 0:  # the command has its own by now
            os.close(self._theirs)

    async def drained(self) -> None:
        """The command has ended: wait until all that it wrote has been passed on."""
        if self._pump is not None:
            self._pump.drain()
            await self._pump.drained()


def together(looks: Sequence[Look]) -> Look | None:
    """One that lets each of them look."""
    if len(looks) < 2:
        return looks[0] if looks else None

    def look(stream: int) -> OnOutput:
        takes = [each(stream) for each in looks]

        def take(data: bytes) -> None:
            for each in takes:
                each(data)

        return take

    return look


def _end(stream: int, look: Look | None, terminal: Terminal | None) -> Output:
    if look is not None:
        return Tee(stream, look(stream))
    return Tee(stream) if terminal is not None and terminal.shows(stream) else None


def _same(one: int, other: int) -> bool:
    try:
        return os.path.sameopenfile(one, other)
    except OSError:  # one of them is closed
        return False
