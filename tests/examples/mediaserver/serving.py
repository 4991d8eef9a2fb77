"""A media server under test, in a thread of its own, so that clients that block can be tried on it."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from examples.mediaserver.app import MediaServer
from headway import Activity
from headway.server.guard import Guard
from headway.server.serve import Server
from tests.server.harness import DEADLINE


class Gate:
    """Holds threads until it is opened."""

    def __init__(self) -> None:
        self._arrived, self._opened = threading.Event(), threading.Event()

    def reached(self) -> None:
        """Wait until a thread stands before it."""
        assert self._arrived.wait(DEADLINE)

    def open(self) -> None:
        """Let them through, and all who come."""
        self._opened.set()

    def close(self) -> None:
        """Hold who comes from now on."""
        self._opened.clear()
        self._arrived.clear()

    def pass_through(self) -> None:
        """For the threads."""
        self._arrived.set()
        assert self._opened.wait(DEADLINE)


class Serving:
    """The server, where its media are, and its address."""

    def __init__(self, server: MediaServer, folder: Path, url: str) -> None:
        self.server, self.folder, self.url = server, folder, url

    def ask(self, method: str, path: str, token: str = "owner", accept: str = "*/*") -> httpx2.Response:
        """One request."""
        return httpx2.request(method, self.url + path, headers={"X-Plex-Token": token, "Accept": accept})

    def rows(self, path: str, name: str = "Metadata", token: str = "owner") -> list[dict[str, Any]]:
        """The rows of a container."""
        answer = self.ask("GET", path, token, "application/json")
        assert answer.status_code == 200, answer
        rows: list[dict[str, Any]] = answer.json()["MediaContainer"].get(name, [])
        return rows

    def start(self, method: str, path: str, token: str = "owner") -> str:
        """Send what starts an activity; its uuid."""
        answer = self.ask(method, path, token)
        assert answer.status_code == 200, answer
        return str(answer.headers["X-Plex-Activity"])

    def refreshed(self, section: int) -> Activity:
        """Refresh a section, to the end."""
        return self.ended(self.start("GET", f"/library/sections/{section}/refresh"))

    def ended(self, uuid: str) -> Activity:
        """Wait for the end of an activity."""
        activities = self.server.activities
        activity = activities.call(lambda: activities.wait(uuid, DEADLINE, ended=True))
        assert activity.ended, activity
        return activity

    def all_cancelling(self) -> None:
        """Wait until whatever runs has been asked to stop: a request goes down a tree in its own time."""
        deadline = time.monotonic() + DEADLINE
        while {row["state"] for row in self.rows("/activities", "Activity")} != {"cancelling"}:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def activity(self, uuid: str) -> Activity:
        """As it stands now."""
        return self.server.activities.call(self.server.activities.get, uuid)


@contextmanager
def served(server: MediaServer) -> Iterator[str]:
    """The URL of the server, while the block runs."""
    urls: queue.Queue[list[str]] = queue.Queue()
    listening = Server(Guard(server.app), port=0, on_ready=urls.put, on_stop=server.mounted.stop)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_run, args=(loop, listening))
    thread.start()
    try:
        (url, *_) = urls.get(timeout=DEADLINE)
        yield url
    finally:
        loop.call_soon_threadsafe(listening.stop)
        thread.join(DEADLINE)
        assert not thread.is_alive()


def _run(loop: asyncio.AbstractEventLoop, server: Server) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(server.serve())
