"""The real server as a program that can be killed and started again at the same place."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.cli.invoking import PROGRAM, environment
from tests.client.scripted_server import eventually, free_port


class Serving:
    """`headway serve` on one data folder and one port."""

    def __init__(self, data: Path, *options: str) -> None:
        """``options``: more words for its command line."""
        self.data = data
        self.program: Sequence[str] = PROGRAM
        self._options = options
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        note = self.data / "server.json"
        note.unlink(missing_ok=True)
        log = (self.data.parent / "server.log").open("ab")
        with log:
            arguments = [*self.program, "serve", "--port", str(self.port), "--data", str(self.data), *self._options]
            self._process = subprocess.Popen(arguments, env=environment(self.data), stdout=log, stderr=log)
        eventually(lambda: note.exists() or self._process is None or self._process.poll() is not None)
        assert note.exists(), (self.data.parent / "server.log").read_text()

    def stop(self) -> None:
        """Ask it to stop, if it runs, and wait until it has."""
        if self._process is not None:
            self._process.terminate()
            assert self._process.wait(60) == 0
            self._process = None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(60)
        self._process = None
