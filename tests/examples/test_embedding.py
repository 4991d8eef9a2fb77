"""The examples of embedding, run as their readers would: the README's and the longer one."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

ROOT = Path(__file__).parents[2]
JSON = {"Accept": "application/json"}


def readme() -> str:
    text = (ROOT / "README.md").read_text()
    return text.partition("```python\n")[2].partition("```")[0]


@pytest.fixture(params=["README.md", "examples/embedding.py"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    source = readme() if request.param == "README.md" else (ROOT / request.param).read_text()
    example: dict[str, Any] = {"__name__": "embedding"}
    exec(compile(source, request.param, "exec"), example)
    running = uvicorn.Server(uvicorn.Config(example["app"], port=0, log_level="warning"))
    thread = threading.Thread(target=running.run)
    thread.start()
    until(lambda: running.started)
    port = running.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join()


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
    return found


def rows(server: str, token: str, path: str = "/activities") -> list[dict[str, Any]]:
    answer = httpx2.get(f"{server}/headway{path}", headers={"X-Plex-Token": token, **JSON})
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["MediaContainer"].get("Activity", [])
    return found


def test_a_user_follows_and_stops_what_an_endpoint_started(server: str) -> None:
    assert httpx2.post(f"{server}/exports", headers={"X-Plex-Token": "alice"}).status_code == 202
    (row,) = until(lambda: [row for row in rows(server, "alice") if row["progress"] > 0])
    assert (row["title"], row["userID"], row["cancellable"]) == ("Exporting the report", 2, True)
    assert rows(server, "bob") == []
    url = f"{server}/headway/activities/{row['uuid']}"
    assert httpx2.delete(url, headers={"X-Plex-Token": "bob"}).status_code == 404
    assert httpx2.delete(url, params={"wait": 5}, headers={"X-Plex-Token": "alice"}).headers["X-Headway-State"] == (
        "cancelled"
    )
    assert rows(server, "alice") == []
    assert [row["state"] for row in rows(server, "alice", "/activities/history")] == ["cancelled"]


def test_a_stranger_is_refused(server: str) -> None:
    assert httpx2.get(f"{server}/headway/activities").status_code == 401
    assert httpx2.get(f"{server}/headway/identity").status_code == 200
