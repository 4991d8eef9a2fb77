"""What is typed, on its way to the job."""

from __future__ import annotations

import asyncio
import os

CHUNK = 65536


class Keyboard:
    """Passes what is typed on a raw terminal to a pseudo-terminal, while it is on."""

    def __init__(self, terminal: int, master: int) -> None:
        """Both are descriptors; `terminal` never blocks a read (``VMIN`` 0), `master` is non-blocking."""
        # The loop knows a reader by its number: ours must not replace one that somebody has on the same descriptor.
        self._terminal = os.dup(terminal)
        self._blocking = os.get_blocking(terminal)
        self._master = master
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._hung_up = False
        self.on: bool = False

    def turn(self, on: bool) -> None:
        """Begin or stop to read; what has been read is still delivered."""
        if on != self.on and not (on and self._hung_up):
            self.on = on
            self._listen()

    def close(self) -> None:
        """Stop to read, and drop what has not been passed on."""
        self.turn(False)
        self._loop.remove_writer(self._master)
        os.close(self._terminal)

    def _listen(self) -> None:
        if self.on and not self._rest:
            self._loop.add_reader(self._terminal, self._read)
        else:
            self._loop.remove_reader(self._terminal)
            # Shared with the shell: some loops (uvloop) leave a descriptor non-blocking behind.
            os.set_blocking(self._terminal, self._blocking)

    def _read(self) -> None:
        try:
            typed = os.read(self._terminal, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            typed = b""
        if typed:
            self._rest = typed
            self._deliver()
        elif not os.isatty(self._terminal):
            self._hang_up()

    def _deliver(self) -> None:
        """Give the job what it takes; read on only when it has taken all, so that it is the job's pace that counts."""
        try:
            taken = os.write(self._master, self._rest)
        except BlockingIOError:
            taken = 0
        except OSError:  # the job has gone
            taken = len(self._rest)
        self._rest = self._rest[taken:]
        if self._rest:
            self._loop.add_writer(self._master, self._deliver)
        else:
            self._loop.remove_writer(self._master)
        self._listen()

    def _hang_up(self) -> None:
        self._hung_up = True
        self.turn(False)
