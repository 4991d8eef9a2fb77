"""The main job, end to end: real work under a real server, watched, stopped, and carried over its crashes."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from tests.cli.invoking import PROGRAM, environment, program
from tests.client.scripted_server import eventually
from tests.e2e.serving import Serving
from tests.operations.process.census import TAG, tagged

# Counts to 100 as slowly as it is told to, with a child that counts along.
WORK = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
for percent in range(101):
    print(f"{percent}%", flush=True)
    if percent == 30:
        sys.stdin.readline()
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def serving(data: Path) -> Iterator[Serving]:
    with Serving(data) as serving:
        yield serving


def headway(data: Path, *arguments: str, **more: str) -> tuple[int, str]:
    """A command against the local server: exit code and output."""
    done = program(data, *arguments, env=environment(data, **more))
    return done.returncode, done.stdout


def listed(data: Path, *arguments: str, **more: str) -> list[dict[str, Any]]:
    code, output = headway(data, *arguments, "--json", **more)
    assert code == 0
    rows: list[dict[str, Any]] = json.loads(output)
    return rows


class Working:
    """`headway run` with work that waits at 30 percent for a line."""

    def __init__(self, data: Path, tag: str) -> None:
        arguments = [*PROGRAM, "run", "--type", "test.work", "--progress", "percent", "--", sys.executable, "-c", WORK]
        self.tag = tag
        self.process = subprocess.Popen(
            arguments,
            env=environment(data, **{TAG: tag}),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def finish(self) -> int:
        """Let it go on; its exit code."""
        self.process.communicate(b"\n", timeout=60)
        return self.process.returncode

    @property
    def of_the_command(self) -> list[int]:
        """What runs of it, apart from `headway run` itself."""
        return [pid for pid in tagged(self.tag) if pid != self.process.pid]


@contextmanager
def working(data: Path, tag: str) -> Iterator[Working]:
    work = Working(data, tag)
    try:
        yield work
    finally:
        for pid in tagged(tag):
            subprocess.run(["kill", "-9", str(pid)], check=False)
        work.process.wait(60)
        assert work.process.stdin is not None
        work.process.stdin.close()


class Watcher:
    """`headway watch --json`, read as it goes."""

    def __init__(self, data: Path) -> None:
        self.events: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [*PROGRAM, "watch", "--json"], env=environment(data), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def __enter__(self) -> Self:
        eventually(lambda: self.events)  # the snapshot: from now on nothing is missed
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(60)
        self._reading.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def lifecycle(self, uuid: str) -> list[str]:
        """What happened to an activity, without its updates."""
        kinds = [event["event"] for event in self.events if event.get("uuid") == uuid]
        return [kind for kind in kinds if kind != "updated"]

    def last(self, uuid: str) -> dict[str, Any]:
        """The activity as it was last told."""
        told: dict[str, Any] = [event["Activity"] for event in self.events if event.get("uuid") == uuid][-1]
        return told

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))


def started(data: Path) -> dict[str, Any]:
    """The one activity that runs, once it stands at 30 percent."""

    def standing() -> dict[str, Any] | None:
        rows = listed(data, "ls")
        return rows[0] if rows and rows[0]["progress"] == 30 else None

    activity: dict[str, Any] = eventually(standing, 60.0)
    return activity


def test_work_is_watched_from_two_sides_and_stopped_with_all_its_processes(serving: Serving) -> None:
    data = serving.data
    with ExitStack() as stack:
        watchers = [stack.enter_context(Watcher(data)) for _ in range(2)]
        work = stack.enter_context(working(data, "stopped"))
        uuid = started(data)["uuid"]
        assert len(work.of_the_command) == 2
        code, output = headway(data, "cancel", uuid[:6], "--wait", "60")
        assert (code, "stopped" in output) == (0, True)
        assert work.process.wait(60) == 143
        assert work.of_the_command == []
        for watcher in watchers:
            eventually(lambda watcher=watcher: "ended" in watcher.lifecycle(uuid))  # type: ignore[misc]
            assert watcher.lifecycle(uuid) == ["started", "ended"]
            assert (watcher.last(uuid)["state"], watcher.last(uuid)["progress"]) == ("cancelled", 30)
    (record,) = listed(data, "history")
    assert (record["uuid"], record["state"], record["cancelledBy"]) == (uuid, "cancelled", 1)


def test_a_server_that_crashes_and_returns_loses_nothing(serving: Serving) -> None:
    data = serving.data
    with Watcher(data) as watcher, working(data, "crashed") as work:
        uuid = started(data)["uuid"]
        eventually(lambda: watcher.lifecycle(uuid) == ["started"])
        serving.kill()
        assert headway(data, "ls")[0] == 3
        serving.start()
        assert started(data)["uuid"] == uuid
        assert work.finish() == 0
        eventually(lambda: watcher.lifecycle(uuid) == ["started", "ended"], 60.0)
        assert (watcher.last(uuid)["state"], watcher.last(uuid)["progress"]) == ("succeeded", 100)
    assert [record["uuid"] for record in listed(data, "history")] == [uuid]


def test_work_that_began_without_a_server_is_recorded_when_there_is_one(data: Path) -> None:
    with working(data, "late") as work:
        eventually(lambda: work.of_the_command, 60.0)
        data.mkdir()
        with Serving(data):
            assert started(data)["type"] == "test.work"
            assert work.finish() == 0
            (record,) = listed(data, "history")
            assert record["state"] == "succeeded"


def test_work_given_up_by_force_is_stopped(serving: Serving) -> None:
    data = serving.data
    with working(data, "forced") as work:
        uuid = started(data)["uuid"]
        assert "given up" in headway(data, "cancel", uuid, "--force")[1]
        assert work.process.wait(60) == 143
        assert work.of_the_command == []
    assert [(each["state"], each["error"]) for each in listed(data, "history")] == [("lost", "abandoned")]


def test_users_see_only_their_own(serving: Serving) -> None:
    data = serving.data
    code, token = headway(data, "token", "create", "anna")
    assert code == 0
    anna = {"HEADWAY_URL": serving.url, "HEADWAY_TOKEN": token.strip()}
    with working(data, "foreign") as work:
        uuid = started(data)["uuid"]
        eventually(lambda: headway(data, "ls", **anna)[0] == 0)
        assert listed(data, "ls", **anna) == []
        assert headway(data, "show", uuid, **anna)[0] == 1
        assert headway(data, "cancel", uuid, **anna)[0] == 1
        assert work.finish() == 0
    assert headway(data, "ls", HEADWAY_URL=serving.url, HEADWAY_TOKEN="nonsense")[0] == 4
