"""An example as its reader runs it: under uvicorn, as a process of its own, on a free port."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0
LISTENS = re.compile(r"running on http://127\.0\.0\.1:(\d+)")


def until(condition: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """What the condition gives once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
    return found


class Site:
    """A host application that runs, with the activities below a path of it."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, url: str, mounted: str) -> None:
        self.process, self.log, self.url, self.mounted = process, log, url, mounted

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> httpx2.Response:
        """One request to the host."""
        accept = {"Accept": "application/json"}
        return httpx2.request(method, self.url + path, headers={**accept, **(headers or {})}, timeout=30.0, **options)

    def rows(self, headers: Mapping[str, str], path: str = "/activities") -> list[dict[str, Any]]:
        """What somebody sees of the activities."""
        answer = self.ask("GET", self.mounted + path, headers)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["MediaContainer"].get("Activity", [])
        return rows

    def row(self, uuid: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """One activity, running or ended."""
        (row,) = self.rows(headers, f"/activities/{uuid}")
        return row

    def stop(self) -> int:
        """Ask the server to stop; its exit status once it has."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)


@contextmanager
def running(
    app: str, folder: Path, *options: str, mounted: str = "/headway", environment: Mapping[str, str] | None = None
) -> Iterator[Site]:
    """``uvicorn APP``, its log and whatever it writes in the folder."""
    log = folder / "uvicorn.log"
    command = [sys.executable, "-m", "uvicorn", app, "--port", "0", "--app-dir", str(ROOT), "--no-use-colors", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=output, env={**os.environ, **(environment or {})}
        )
    try:
        found = until(lambda: LISTENS.search(log.read_text()) or process.poll() is not None)
        assert isinstance(found, re.Match), log.read_text()
        yield Site(process, log, f"http://127.0.0.1:{found[1]}", mounted)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(DEADLINE)
