"""Which end of what a job gets as its standard streams, and who passes its output on."""

from __future__ import annotations

import contextlib
import logging
import os
import termios
from collections.abc import Callable

from headway.operations.process.child import Streams
from headway.operations.process.job_control import JobControl
from headway.operations.process.pump import Pump, Tee
from headway.operations.process.terminal import Terminal

Output = Tee | int | None
"""A tee; or a descriptor (also ``subprocess.DEVNULL``) that the job writes to itself; None: ours."""

_log = logging.getLogger("headway")


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
        self._terminal = terminal
        interactive = False
        if terminal is not None:
            interactive = self._on_screen(stdout) and terminal.shows(0 if stdin is None else stdin)
            shown = stdout if self._on_screen(stdout) else stderr
            self.control = self._take_control(terminal, shown, send, interactive)
        if interactive and self.control is not None:
            stdin = self.control.slave
        self.streams: Streams = (stdin, self._end(stdout), self._end(stderr))

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

    def _take_control(
        self, terminal: Terminal, shown: Output, send: Callable[[int], None], interactive: bool
    ) -> JobControl | None:
        look = shown.on_output if isinstance(shown, Tee) and self._on_screen(shown) else None
        try:
            return JobControl(terminal, look, send, interactive=interactive)
        except (OSError, termios.error) as trouble:
            # The job matters more than what it looks like: without a pseudo-terminal it writes to a pipe.
            _log.warning("no pseudo-terminal: %s", trouble)
            return None

    def _on_screen(self, output: Output) -> bool:
        return isinstance(output, Tee) and self._terminal is not None and self._terminal.shows(output.to)

    def _end(self, output: Output) -> int | None:
        if not isinstance(output, Tee):
            return output
        if self.control is not None and self._on_screen(output):
            return self.control.slave
        ours, theirs = os.pipe()
        self._theirs.callback(os.close, theirs)
        self._pumps.append(Pump(ours, output))
        return theirs
