"""Real workers of the shop, a real broker, and a Headway server that is looked at from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis

from headway.client import Client, NotFound, Row
from tests.examples.site import DEADLINE, ROOT, until

SHOP = "tests.integrations.celery.shop"


class Worker:
    """``celery worker``, a process of its own that leads its group."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log

    def wait_ready(self) -> None:
        """Until it takes tasks."""
        until(lambda: " ready." in self.log.read_text() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()

    def ask_to_stop(self) -> None:
        """And wait for nothing."""
        if self.process.poll() is None:
            self.process.terminate()

    def stop(self) -> None:
        """Until it has, which is made sure of."""
        try:
            self.process.wait(10.0)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """As a machine does that dies: all its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(DEADLINE)


def started(folder: Path, environment: Mapping[str, str], *options: str) -> Worker:
    """One that begins."""
    log = folder / f"{len(list(folder.iterdir()))}.log"
    command = [sys.executable, "-m", "celery", "-A", SHOP, "worker", "--without-mingle", "--without-gossip", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "-l", "INFO", "-n", f"{log.stem}@here"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return Worker(process, log)


@contextmanager
def worker(folder: Path, environment: Mapping[str, str], *options: str) -> Iterator[Worker]:
    """One that is ready, and dies when the block ends: to stop takes its time."""
    one = started(folder, environment, *options)
    try:
        one.wait_ready()
        yield one
    finally:
        one.kill()


class Shop:
    """What a test has of it all."""

    def __init__(self, app: Any, client: Client, broker: str, environment: Mapping[str, str]) -> None:
        self.app, self.client, self.broker, self.environment = app, client, broker, environment

    def row(self, id: str) -> Row:
        """The activity of a task, once it has one."""
        return until(lambda: self.find(taskID=id))[0]  # type: ignore[no-any-return]

    def find(self, **context: str) -> list[Row]:
        """Activities, live and ended."""
        live = self.client.activities.list(context=context).rows
        ended = self.client.activities.history(context=context, limit=100).rows
        return [*{row.uuid: row for row in (*live, *ended)}.values()]  # one may end in between

    def live(self, uuid: str, **members: Any) -> Row:
        """The activity once it is so."""

        def there() -> Row | None:
            row = self.client.activities.get(uuid)
            return row if all(getattr(row, name) == value for name, value in members.items()) else None

        found: Row = until(there)
        return found

    def ended(self, id: str) -> Row:
        """The activity of a task, once it has ended."""
        row = self.client.activities.wait(self.row(id).uuid, DEADLINE)
        assert row.ended_at is not None, row
        return row

    def whole(self, id: str) -> Row:
        """What a task has been part of, once that has ended."""
        parent = self.row(id).parent
        assert parent is not None
        return self.client.activities.wait(parent, DEADLINE)

    def parts(self, uuid: str) -> list[Row]:
        """What has been part of it."""
        return self.client.activities.history(parent=uuid, limit=100).rows

    def find_live(self, **context: str) -> list[Row]:
        """Those that have not ended."""
        return self.client.activities.list(context=context).rows

    def cancel(self, uuid: str) -> None:
        """Ask it to stop, unless it has ended meanwhile."""
        with suppress(NotFound):
            self.client.activities.cancel(uuid)

    def run(self, program: str, environment: Mapping[str, str]) -> str:
        """What a program prints that publishes tasks."""
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=True,
        )
        return done.stdout

    def notes(self) -> list[str]:
        """What tasks have left word of."""
        with redis.Redis.from_url(self.broker, protocol=2) as client:
            return [each.decode() for each in client.lrange("notes", 0, -1)]

    def noted(self, name: str) -> int:
        """The process that runs the task of that name, once it does."""
        found: list[str] = until(lambda: [note for note in self.notes() if note.split()[0] == name])
        return int(found[-1].split()[1])

    def revoked(self) -> set[str]:
        """The tasks that a worker knows to be revoked."""
        told: dict[str, list[str]] = self.app.app.control.inspect(timeout=1.0).revoked() or {}
        return {id for ids in told.values() for id in ids}

    def release(self, name: str) -> None:
        """Let go on what waits for it."""
        with redis.Redis.from_url(self.broker, protocol=2) as client:
            client.rpush(name, "go")


def free_of(process: int) -> bool:
    """Whether it is gone."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def moment() -> str:
    """A name that nothing else has."""
    return f"t{time.monotonic_ns()}"
