"""Real workers of each library, a real broker, and a Headway server that is looked at from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import redis

from headway.client import Client, Row
from tests.e2e.serving import Serving
from tests.examples.site import DEADLINE, ROOT, until
from tests.stores.redis_servers import redis_server

HERE = "tests.integrations.queues"
RQ = ("rq.cli", "worker", "--worker-class", f"{HERE}.rq_shop.Worker", "--url", "{broker}")
COMMANDS: dict[str, Sequence[Sequence[str]]] = {
    "celery": [("celery", "-A", f"{HERE}.celery_shop", "worker", "-P", "prefork", "-c", "2", "--without-mingle")],
    "taskiq": [("taskiq", "worker", f"{HERE}.taskiq_shop:broker", "--workers", "1", "--max-threadpool-threads", "4")],
    "dramatiq": [("dramatiq", f"{HERE}.dramatiq_shop", "--processes", "1", "--threads", "4")],
    "rq": [RQ, RQ],
    "arq": [("arq", f"{HERE}.arq_shop.WorkerSettings")],
}
"""The workers of each library, as its users start them."""

LIBRARIES = tuple(name for name in COMMANDS if find_spec(name) and (name != "taskiq" or find_spec("taskiq_redis")))
"""Those that are installed."""


class Published(NamedTuple):
    """What a publisher says."""

    id: str
    seconds: float


class Shop:
    """What a test has of one library."""

    def __init__(self, library: str, client: Client, broker: str, folder: Path, headway: Mapping[str, str]) -> None:
        self.library, self.client, self.folder = library, client, folder
        self.broker = broker
        url, _, number = broker.rpartition("/")
        notes = f"{url}/{int(number) + 8}"
        self.book = redis.Redis.from_url(notes, protocol=2)
        self.environment = {
            **os.environ,
            "SHOP_BROKER": broker,
            "SHOP_NOTES": notes,
            **headway,
        }
        self.workers: list[subprocess.Popen[bytes]] = []
        self.log = folder / f"{library}.log"
        self.unseen = ""
        """The id of what was published while there was no server."""
        self._publisher: subprocess.Popen[str] | None = None

    def start_workers(self) -> None:
        """Each leads a group of its own."""
        with self.log.open("ab") as log:
            for words in COMMANDS[self.library]:
                command = [sys.executable, "-m", *(word.format(broker=self.broker) for word in words)]
                self.workers.append(
                    subprocess.Popen(
                        command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
                    )
                )

    def kill_workers(self) -> None:
        """As a machine does that dies."""
        for worker in self.workers:
            with suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(DEADLINE)

    def close(self) -> None:
        """All of it."""
        if self._publisher is not None and self._publisher.stdin is not None:
            self._publisher.stdin.close()
            self._publisher.wait(DEADLINE)
            if self._publisher.stdout is not None:
                self._publisher.stdout.close()
        self.kill_workers()
        self.book.close()

    def stop(self, id: str) -> None:
        """Have a task stopped by the library's own means."""
        self._ask(stop=id)

    def publish(self, task: str, *args: Any, owner: int | None = None) -> Published:
        """A task, by a program of its own."""
        return self._ask(task=task, args=args, owner=owner)

    def _ask(self, **told: Any) -> Published:
        if self._publisher is None:
            with self.log.with_suffix(".publisher.log").open("wb") as log:
                self._publisher = subprocess.Popen(
                    [sys.executable, "-m", f"{HERE}.publisher", self.library],
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
        assert self._publisher.stdin is not None and self._publisher.stdout is not None
        self._publisher.stdin.write(json.dumps({"owner": None, "stop": None, **told}) + "\n")
        self._publisher.stdin.flush()
        line = self._publisher.stdout.readline()
        assert line, self.log.with_suffix(".publisher.log").read_text()
        return Published(**json.loads(line))

    def rows(self, **context: str) -> list[Row]:
        """Activities, live and ended."""
        live = self.client.activities.list(context=context).rows
        ended = self.client.activities.history(context=context).rows
        return [*{row.uuid: row for row in (*live, *ended)}.values()]  # one may end in between

    def row(self, id: str) -> Row:
        """The activity of a task, once it has one."""
        found: list[Row] = until(lambda: self.rows(taskID=id), 20.0)
        return found[0]

    def live(self, uuid: str, **members: Any) -> Row:
        """The activity once it is so."""

        def there() -> Row | None:
            row = self.client.activities.get(uuid)
            return row if all(getattr(row, name) == value for name, value in members.items()) else None

        found: Row = until(there, 20.0)
        return found

    def ended(self, uuid: str) -> Row:
        """It, once it has ended."""
        row = self.client.activities.wait(uuid, 30.0)
        assert row.ended_at is not None, row
        return row

    def runs(self, name: str) -> list[int]:
        """The processes in which a task of that name has run."""
        return [int(process) for process, _ in self._notes(name)]

    def began(self, name: str) -> float:
        """When one last did, in seconds since the epoch."""
        return float(self._notes(name)[-1][1])

    def _notes(self, name: str) -> list[list[str]]:
        found: Any = self.book.lrange(name, 0, -1)
        return [each.decode().split() for each in found]


@contextmanager
def shops(folder: Path, libraries: Sequence[str] = LIBRARIES) -> Iterator[tuple[Serving, Mapping[str, Shop]]]:
    """One of each, with nobody at work so far."""
    with ExitStack() as resources:
        broker = resources.enter_context(redis_server(folder / "broker"))
        server = resources.enter_context(Serving(folder / "data"))
        token = (server.data / "admin.token").read_text().strip()
        client = resources.enter_context(Client(server.url, token))
        headway, made = {"HEADWAY_URL": server.url, "HEADWAY_TOKEN": token}, dict[str, Shop]()
        for number, library in enumerate(libraries):
            made[library] = Shop(library, client, f"{broker.url}/{number + 1}", folder, headway)
            resources.callback(made[library].close)
        yield server, made
