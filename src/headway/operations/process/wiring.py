"""Which end of what a job gets as its standard streams, and who passes its output on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from headway.operations.process.child import Streams
from headway.operations.process.job_control import JobControl
from headway.operations.process.pump import Pump, Tee
from headway.operations.process.terminal import Terminal

Output = Tee | int | None
"""A tee; or a descriptor (also ``subprocess.DEVNULL``) that the job writes to itself; None: ours."""


class Wiring:
    """The streams of one job. A tee that ends on the caller's terminal is a pseudo-terminal, others are pipes."""

    def __init__(
        self,
        stdin: int | None,
        stdout: Output,
        stderr: Output,
        terminal: Terminal | None,
        send: Callable[[int], None],
    ) -> None:
        """`send` signals the job."""
        self.control: JobControl | None = None
        self._pumps: list[Pump] = []
        self._theirs = contextlib.ExitStack()
        self._screen = terminal
        interactive = False
        if terminal is not None:
            keyboard = terminal.shows(0 if stdin is None else stdin)
            interactive = keyboard and self._on_screen(stdout)
            shown = [tee for tee in (stdout, stderr) if isinstance(tee, Tee) and self._on_screen(tee)]
            seen_by = shown[0].on_output if shown else None
            self.control = JobControl(terminal, seen_by, send, interactive=interactive)
        first = self.control.slave if self.control is not None and interactive else stdin
        self.streams: Streams = (first, self._end(stdout), self._end(stderr))

    def started(self) -> None:
        """The job has its ends: close ours of them, so that we see when it closes the last."""
        self._theirs.close()
        if self.control is not None:
            self.control.begin()

    async def drained(self) -> None:
        """The job has ended: wait until all that it wrote has been passed on."""
        for pump in self._pumps:
            pump.drain()
        if self.control is not None:
            await self.control.ended()
        for pump in self._pumps:
            await pump.drained()

    def close(self) -> None:
        """Give the terminal back; what is still on its way is passed on in the background."""
        self._theirs.close()
        for pump in self._pumps:
            pump.drain()
        if self.control is not None:
            self.control.close()

    def _on_screen(self, output: Output) -> bool:
        return isinstance(output, Tee) and self._screen is not None and self._screen.shows(output.to)

    def _end(self, output: Output) -> int | None:
        if not isinstance(output, Tee):
            return output
        if self.control is not None and self._on_screen(output):
            return self.control.slave
        ours, theirs = os.pipe()
        self._theirs.callback(os.close, theirs)
        self._pumps.append(Pump(ours, output))
        return theirs
