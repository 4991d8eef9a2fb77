"""A person at a terminal: starts a program on it, types, reads, resizes the window, hangs up."""

import contextlib
import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.operations.process import census
from tests.operations.process.waiting import until

DRIVER = Path(__file__).with_name("driver.py")

# As a login does: takes the terminal as the one that controls it, and ignores no signal, whatever runs the tests does.
LOGIN = """
import fcntl, os, signal, sys, termios
for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(signum, signal.SIG_DFL)
fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Screen:
    """The side of a terminal where the person is."""

    def __init__(self, rows: int = 24, columns: int = 80) -> None:
        self.master, self.slave = os.openpty()
        self.resize(rows, columns)
        self._output = bytearray()
        self._lock = threading.Lock()
        self._hung_up, self._hang_up = os.pipe()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        self.modes_before = self.modes()

    @property
    def output(self) -> bytes:
        """All that has been shown so far."""
        with self._lock:
            return bytes(self._output)

    async def shows(self, text: str | bytes, times: int = 1) -> None:
        """Wait until the text is on the screen."""
        wanted = text.encode() if isinstance(text, str) else text
        try:
            await until(lambda: self.output.count(wanted) >= times, f"the screen shows {wanted!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows {self.output[-2000:]!r}") from None

    async def shows_only(self, expected: bytes) -> None:
        """Wait until this is all that has been shown."""
        await until(lambda: len(self.output) >= len(expected), f"the screen shows {expected!r}")
        assert self.output == expected

    def type(self, text: str | bytes) -> None:
        """Type or paste; waits while nobody takes it."""
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self.master, data) :]

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self) -> list[Any]:
        return termios.tcgetattr(self.master)

    @property
    def raw(self) -> bool:
        return not self.modes()[3] & termios.ICANON

    def hang_up(self) -> None:
        """Close the window."""
        os.write(self._hang_up, b"\0")
        self.close()

    def close(self) -> None:
        """To be called once every program on it has ended, or been hung up on."""
        if self.master >= 0:
            os.close(self.slave)
            self._reading.join(5.0)
            if self._reading.is_alive():  # a failed test left a program behind: it must not hold up the others
                os.write(self._hang_up, b"\0")
                self._reading.join()
            for descriptor in (self.master, self._hung_up, self._hang_up):
                os.close(descriptor)
            self.master = -1

    def _read(self) -> None:
        while self._hung_up not in select.select([self.master, self._hung_up], [], [])[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # every program has closed it
                return
            with self._lock:
                self._output += data


class Run:
    """The driver with a command, running on a screen."""

    def __init__(self, popen: subprocess.Popen[bytes], report: Path) -> None:
        self.popen = popen
        self.report = report

    async def running(self) -> int:
        """Wait until the command has been started; its process id."""
        marker = self.report.with_name(self.report.name + ".running")
        await until(lambda: marker.exists() or self.popen.poll() is not None, "the command runs")
        return int(marker.read_text().split()[1])

    async def outcome(self) -> dict[str, Any]:
        """Wait until the driver has ended; what it reports."""
        await until(lambda: self.popen.poll() is not None, "the driver ends")
        result: dict[str, Any] = json.loads(self.report.read_text())
        return result


@contextlib.contextmanager
def run(
    screen: Screen,
    report: Path,
    command: Sequence[str],
    env: Mapping[str, str],
    **streams: Any,
) -> Iterator[Run]:
    """Run the driver on the screen, or with other standard streams where given."""
    program = [sys.executable, str(DRIVER), str(report), *command]
    with login(screen, program, env, **streams) as popen:
        yield Run(popen, report)


@contextlib.contextmanager
def login(
    screen: Screen, program: Sequence[str], env: Mapping[str, str], **streams: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program as the leader of a session on the screen."""
    given = {"stdin": screen.slave, "stdout": screen.slave, "stderr": screen.slave, **streams}
    number = next((str(i) for i, name in enumerate(("stdin", "stdout", "stderr")) if given[name] == screen.slave), None)
    command = [sys.executable, "-I", "-S", "-c", LOGIN, number or str(screen.slave), *program]
    with subprocess.Popen(
        command, env=env, start_new_session=True, pass_fds=() if number else (screen.slave,), **given
    ) as popen:
        try:
            yield popen
        finally:
            if popen.poll() is None:
                popen.kill()
            popen.wait()
            assert not census.runs(popen.pid)
