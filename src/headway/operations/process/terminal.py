"""The caller's terminal, and the pseudo-terminal that stands in for it before a job (termios(3), pty(7))."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import signal
import termios
from collections.abc import Iterator
from typing import Any

IFLAG, OFLAG, CFLAG, LFLAG, CC = 0, 1, 2, 3, 6
ECHO_AND_LINES = termios.ECHO | termios.ICANON


class Terminal:
    """The terminal that this process was started from."""

    def __init__(self, keyboard: int, screen: int) -> None:
        """`keyboard` is read, `screen` is written: descriptors of the same terminal, often 0 and 1."""
        self.keyboard = keyboard
        self.screen = screen
        self._saved: list[Any] | None = None
        self._opened: int | None = None

    @classmethod
    def find(cls, stdin: int = 0, stdout: int = 1, stderr: int = 2) -> Terminal | None:
        """The terminal behind one of the streams, or else the one that controls this process; None without any."""
        for stream in (stdout, stderr, stdin):
            if os.isatty(stream):
                return cls(stdin if os.isatty(stdin) else stream, stream)
        try:
            opened = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        except OSError:
            return None
        terminal = cls(opened, opened)
        terminal._opened = opened
        return terminal

    def shows(self, stream: int | None) -> bool:
        """Whether what is written to the descriptor `stream` appears on this terminal."""
        if stream is None or not os.isatty(stream):
            return False
        return os.fstat(stream).st_rdev == os.fstat(self.screen).st_rdev

    @property
    def in_foreground(self) -> bool:
        """Whether we may read and change it: a background job that does is stopped by it (POSIX, job control)."""
        try:
            return os.tcgetpgrp(self.screen) == os.getpgrp()
        except OSError:  # not the terminal that controls us: no job control on it
            return True

    @property
    def size(self) -> bytes:
        """A ``struct winsize``."""
        return _window_size(self.screen)

    @property
    def modes(self) -> list[Any]:
        """As tcgetattr(3) gives them."""
        return termios.tcgetattr(self.screen)

    def make_raw(self) -> None:
        """Let every byte through as it is typed, Ctrl-C too (cfmakeraw(3)); until `restore`, or Python exits."""
        if self._saved is None:
            self._saved = self.modes
            atexit.register(self.restore)
            _set_modes(self.screen, _raw(self._saved))

    def restore(self) -> None:
        """Put the modes back that it had. In the background they are the shell's already."""
        saved, self._saved = self._saved, None
        if saved is not None:
            atexit.unregister(self.restore)
            with contextlib.suppress(termios.error):  # hung up: there is nothing to restore
                if self.in_foreground:
                    _set_modes(self.screen, saved)

    def close(self) -> None:
        """Restore it, and close what `find` opened."""
        self.restore()
        if self._opened is not None:
            os.close(self._opened)
            self._opened = None


class PseudoTerminal:
    """A terminal for the job, with the size and modes of the caller's."""

    def __init__(self, like: Terminal) -> None:
        """Raises OSError if the system has none left, or ``termios.error`` if the other one has hung up."""
        modes, size = like.modes, like.size
        self.master: int
        self.slave: int
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        if like.in_foreground:  # else the modes are those of a shell that is reading a line
            _set_modes(self.slave, modes)
        self._modes = termios.tcgetattr(self.slave)
        self.resize(size)

    @property
    def reads_keys(self) -> bool:
        """Whether the job has switched echo or line editing off, as what asks for a password or a key does."""
        now = termios.tcgetattr(self.slave)
        return bool(self._modes[LFLAG] & ~now[LFLAG] & ECHO_AND_LINES)

    def resize(self, size: bytes) -> None:
        """Take over a window size. If it is another one, the kernel tells the job by SIGWINCH."""
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, size)

    def finish_lines(self, own: bool) -> None:
        """Whether it is here that ``\\n`` becomes ``\\r\\n``: a cooked terminal of the caller's does it itself."""
        modes = termios.tcgetattr(self.slave)
        flag = self._modes[OFLAG] & termios.OPOST
        modes[OFLAG] = modes[OFLAG] & ~termios.OPOST | (flag if own else 0)
        _set_modes(self.slave, modes)

    def close_slave(self) -> None:
        """Let the master see when the last process of the job has closed it."""
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1

    def close(self) -> None:
        """Hang it up."""
        self.close_slave()
        os.close(self.master)


def _raw(modes: list[Any]) -> list[Any]:
    raw = [*modes]
    raw[IFLAG] &= ~(
        termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP | termios.INLCR | termios.IGNCR
        | termios.ICRNL | termios.IXON
    )  # fmt: skip
    raw[OFLAG] &= ~termios.OPOST
    raw[LFLAG] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    raw[CFLAG] = raw[CFLAG] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    # Unlike cfmakeraw: a read never blocks, also when another process took the key that woke us.
    raw[CC] = [*modes[CC]]
    raw[CC][termios.VMIN], raw[CC][termios.VTIME] = 0, 0
    return raw


def _set_modes(descriptor: int, modes: list[Any]) -> None:
    # At once: neither waiting for a slow screen, nor throwing away what was typed ahead.
    with _unstopped():
        termios.tcsetattr(descriptor, termios.TCSANOW, modes)


def _window_size(descriptor: int) -> bytes:
    return fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))


@contextlib.contextmanager
def _unstopped() -> Iterator[None]:
    """Not stopped by the terminal if we lose the foreground just now."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
