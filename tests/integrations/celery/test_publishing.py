"""Who publishes tasks, for whom, and that nobody waits for Headway to do so."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from headway.client import Client
from headway.client.jobs.reporting import TIMEOUT
from tests.examples.site import DEADLINE, ROOT, until
from tests.integrations.celery.workers import Shop, worker

PUBLISHING = """
import time
from tests.integrations.celery import shop
shop.add.apply_async((0,), queue="nowhere")
began = time.monotonic()
for number in range(50):
    shop.add.apply_async((number,), queue="nowhere")
print(time.monotonic() - began)
"""


@contextmanager
def silent() -> Iterator[str]:
    """Something that accepts connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=100)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def refusing() -> Iterator[str]:
    """Where nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("away", [silent, refusing])
def test_publishing_waits_for_no_answer(shop: Shop, away: Callable[[], AbstractContextManager[str]]) -> None:
    """Fifty tasks take less than a single answer may."""
    with away() as url:
        taken = float(shop.run(PUBLISHING, {**shop.environment, "HEADWAY_URL": url}))
    assert taken < TIMEOUT


@contextmanager
def site(environment: Mapping[str, str]) -> Iterator[str]:
    """A web application that has the activities itself."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tests.integrations.celery.site", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment, "SHOP_SITE": "1", "HEADWAY_URL": f"{url}/headway"}
    )

    def answers() -> bool:
        assert process.poll() is None
        with suppress(requests.ConnectionError):
            return requests.get(f"{url}/headway/activities", timeout=DEADLINE).ok
        return False

    try:
        until(answers)
        yield url
    finally:
        process.terminate()
        process.wait(DEADLINE)


def test_the_reply_to_a_request_that_published_a_task_names_its_activity(shop: Shop, tmp_path: Path) -> None:
    with site(shop.environment) as url, Client(f"{url}/headway") as client:
        environment = {**shop.environment, "SHOP_QUEUE": "site", "HEADWAY_URL": f"{url}/headway"}
        here = {"queue": "site", "customer": "7"}
        replies = [requests.post(f"{url}/{path}", params=here, timeout=DEADLINE) for path in ("orders", "threads")]
        uuids = [reply.headers["X-Plex-Activity"] for reply in replies]
        waiting = [client.activities.get(uuid) for uuid in uuids]
        assert [(row.subtitle, row.user) for row in waiting] == [("queued", 7)] * 2
        assert [(row.context or {})["taskID"] for row in waiting] == [reply.json() for reply in replies]
        with worker(tmp_path, environment, "-P", "prefork", "-c", "2"):
            assert [client.activities.wait(uuid, DEADLINE).state for uuid in uuids] == ["succeeded"] * 2
            parts = [row for uuid in uuids for row in client.activities.history(parent=uuid).rows]
            assert [row.user for row in parts] == [7, 7]
