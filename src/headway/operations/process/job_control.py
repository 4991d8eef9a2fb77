"""A job behind a pseudo-terminal, and this process between it and the caller's terminal, as a shell would be.

- The keyboard is the job's from the start if it is its standard input and the screen its standard output. Otherwise
  (a pipeline, a redirection) others may be reading it, so it is the job's only while it has switched off echo or line
  editing, as what asks for a password or shows pages does. Then the caller's terminal is raw: Ctrl-C is a byte, and the
  pseudo-terminal makes a signal of it. Otherwise Ctrl-C reaches this process, which passes it on.
- Ctrl-Z stops the job; then this process steps back and stops itself together with its process group, so that the shell
  sees a stopped job. When continued (``fg``, ``bg``) it continues the job. Without a shell that could continue it, the
  kernel does not stop it (its group is orphaned), and the job goes on at once.
- In the background nothing is read and no mode is changed; the screen is still written.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import termios
from collections.abc import Callable

from headway.operations.process.keyboard import Keyboard
from headway.operations.process.pump import OnOutput, Pump, Tee
from headway.operations.process.signals import handling
from headway.operations.process.terminal import PseudoTerminal, Terminal

WATCH_EVERY = 0.1
"""Seconds between two looks at what nobody tells us: whether the job reads keys, whether we are in the foreground."""

SCREEN_GRACE = 1.0
"""Seconds that a slow screen may hold up Ctrl-Z."""


class JobControl:
    """The caller's terminal, lent to one job. Needs the main thread, as signals do."""

    def __init__(
        self, terminal: Terminal, on_output: OnOutput | None, send: Callable[[int], None], *, interactive: bool
    ) -> None:
        """`on_output` sees what goes to the screen; `send` signals the job; `interactive`: the keyboard is the job's
        from the start. Raises as PseudoTerminal does."""
        self._terminal = terminal
        self._send = send
        self._interactive = interactive
        self._pty = PseudoTerminal(terminal)
        self._pump = Pump(os.dup(self._pty.master), Tee(terminal.screen, on_output, outlive_destination=True))
        self._keyboard = Keyboard(terminal.keyboard, self._pty.master)
        self._held = contextlib.ExitStack()
        self._held.enter_context(
            handling({signal.SIGWINCH: self._sync, signal.SIGCONT: self._continued, signal.SIGTSTP: send})
        )
        self._set_modes(raw=self._wanted())

    @property
    def slave(self) -> int:
        """The job's side of the pseudo-terminal."""
        return self._pty.slave

    def begin(self) -> None:
        """The job runs, and takes what is typed."""
        watching = asyncio.ensure_future(self._watch())
        self._held.callback(watching.cancel)

    async def suspend(self) -> None:
        """The job is stopped: stop, too, until somebody continues us."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SCREEN_GRACE):
                await self._pump.settle()
        self._lend(False)
        _stop_own_group()
        self._sync()

    async def ended(self) -> None:
        """The job has ended: wait until all that it wrote is on the screen."""
        self._pty.close_slave()
        self._pump.drain()
        await self._pump.drained()

    def close(self) -> None:
        """Give the terminal back as it was."""
        self._held.close()
        self._keyboard.close()
        self._pty.close()
        self._pump.drain()
        self._terminal.restore()

    async def _watch(self) -> None:
        while True:
            self._sync()
            await asyncio.sleep(WATCH_EVERY)

    def _continued(self, signum: int) -> None:
        self._sync()
        self._send(signum)

    def _sync(self, _: int = 0) -> None:
        if self._pty.slave < 0:
            return
        with contextlib.suppress(OSError, termios.error):  # the caller's terminal has hung up
            self._pty.resize(self._terminal.size)
            self._lend(self._wanted())

    def _wanted(self) -> bool:
        """Whether the keyboard is to be the job's."""
        return self._terminal.in_foreground and (self._interactive or self._pty.reads_keys)

    def _lend(self, keyboard: bool) -> None:
        if keyboard != self._keyboard.on:
            self._set_modes(raw=keyboard)
            self._keyboard.turn(keyboard)

    def _set_modes(self, raw: bool) -> None:
        # In this order a line end may be made twice in between, which nobody sees, but is never left out.
        if raw:
            self._pty.finish_lines(True)
            self._terminal.make_raw()
        else:
            self._terminal.restore()
            self._pty.finish_lines(False)


def _stop_own_group() -> None:
    """As Ctrl-Z would have: every member of a pipeline. Returns when continued, or at once if nobody could."""
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.killpg(0, signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handler)
