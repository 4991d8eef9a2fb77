"""`headway watch`."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headway.core.view import Kind
from headway.wire import sse
from tests.cli.invoking import PROGRAM, environment, invoke
from tests.client.scripted_server import (
    UUID,
    Asked,
    Drop,
    Reply,
    ScriptedServer,
    eventually,
    free_port,
    html,
    listed,
    refused,
    row,
)

STREAM = {"Content-Type": "text/event-stream"}


def event(kind: Kind, **members: Any) -> bytes:
    return sse.activity(kind, UUID, json.dumps(row(**members)).encode(), "c")


def snapshot(*rows: dict[str, Any]) -> bytes:
    return sse.snapshot(listed(*rows).body, "c")  # type: ignore[arg-type]


class Headway:
    """One activity, and streams that tell of it in turn."""

    def __init__(self, *streams: list[bytes] | Drop, state: str = "running") -> None:
        self.streams = list(streams)
        self.state = state

    def __call__(self, asked: Asked) -> Reply | Drop:
        if asked.path.startswith("/activities"):
            return listed(row(state=self.state))
        stream = self.streams.pop(0) if self.streams else Drop()
        return stream if isinstance(stream, Drop) else Reply(200, stream, STREAM)


def test_one_activity_is_watched_to_its_end(tmp_path: Path) -> None:
    script = Headway([snapshot(row()), event(Kind.UPDATED, progress=50), event(Kind.ENDED, state="failed", error="x")])
    with ScriptedServer(script) as server:
        result = invoke(tmp_path, "watch", UUID, "--url", server.url)
    assert result.exit_code == 0
    words = [line.split()[1:3] for line in result.output.splitlines()]
    assert words == [["running", "0%"], ["running", "50%"], ["ended", "0%"]]
    assert server.asked[1].query["uuid"] == UUID


def test_a_lost_connection_is_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.client.live.subscription.RETRY", 0.01)
    script = Headway([snapshot(row())], Drop(), [event(Kind.ENDED, state="succeeded")])
    with ScriptedServer(script) as server:
        result = invoke(tmp_path, "watch", UUID, "--url", server.url)
    assert "succeeded" in result.stdout
    assert [line.split()[1] for line in result.stderr.splitlines()] == ["trying", "connected"]


def test_json_is_an_event_a_line(tmp_path: Path) -> None:
    script = Headway([snapshot(row()), event(Kind.ENDED, state="succeeded")])
    with ScriptedServer(script) as server:
        result = invoke(tmp_path, "watch", UUID, "--json", "--url", server.url)
    assert [json.loads(line)["event"] for line in result.output.splitlines()] == ["snapshot", "ended"]


def test_one_that_has_ended_is_said_to_have(tmp_path: Path) -> None:
    with ScriptedServer(Headway([snapshot()], state="succeeded")) as server:
        result = invoke(tmp_path, "watch", UUID, "--url", server.url)
    assert (result.exit_code, "succeeded" in result.output) == (0, True)


def test_a_server_that_is_not_there_at_first_is_an_error(tmp_path: Path) -> None:
    assert invoke(tmp_path, "watch", "--url", f"http://127.0.0.1:{free_port()}").exit_code == 3


@pytest.mark.parametrize(
    ("reply", "code"), [(refused(401, "not_authenticated"), 4), (html(200), 3), (refused(429, "too_many"), 1)]
)
def test_so_is_one_that_does_not_let_us_in(tmp_path: Path, reply: Reply, code: int) -> None:
    with ScriptedServer(lambda asked: reply) as server:
        assert invoke(tmp_path, "watch", "--url", server.url).exit_code == code


class Endless:
    """A stream that goes on until the server stops."""

    def __init__(self, *frames: bytes) -> None:
        self.frames = frames
        self.server: ScriptedServer | None = None

    def __call__(self, asked: Asked) -> Reply:
        return Reply(200, self._body(), STREAM)

    def _body(self) -> Any:
        yield from self.frames
        assert self.server is not None
        self.server.stopping.wait()


def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    script = Endless(snapshot(row(title="one")))
    with ScriptedServer(script) as script.server:
        arguments = [*PROGRAM, "watch", "--url", script.server.url]
        with subprocess.Popen(
            arguments, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as watching:
            assert watching.stdout is not None
            assert "one" in watching.stdout.readline()
            watching.send_signal(signal.SIGINT)
            rest = watching.communicate(timeout=60)
    assert (watching.returncode, rest) == (0, ("", ""))


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    frames = [snapshot(row()), *(event(Kind.UPDATED, progress=progress) for progress in range(0, 100, 10))] * 1_000
    script = Endless(*frames)
    with ScriptedServer(script) as script.server:
        arguments = [*PROGRAM, "watch", "--json", "--url", script.server.url]
        with subprocess.Popen(
            arguments, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as watching:
            assert watching.stdout is not None and watching.stderr is not None
            os.read(watching.stdout.fileno(), 1)
            watching.stdout.close()
            assert watching.stderr.read() == b""
            eventually(lambda: watching.poll() is not None)


def test_textual_is_imported_only_where_it_fills_a_screen(tmp_path: Path) -> None:
    code = (
        "import sys; from headway.cli import headway\n"
        "headway(sys.argv[1:], standalone_mode=False)\n"
        "print('textual' in sys.modules, file=sys.stderr)"
    )
    with ScriptedServer(Headway([snapshot(row()), event(Kind.ENDED, state="succeeded")])) as server:
        arguments = [sys.executable, "-c", code, "watch", UUID, "--url", server.url]
        done = subprocess.run(arguments, env=environment(tmp_path), capture_output=True, text=True, timeout=60)
    assert "succeeded" in done.stdout
    assert done.stderr.splitlines()[-1] == "False"


def test_plain_is_the_same_where_there_is_no_terminal(tmp_path: Path) -> None:
    for options in ([], ["--plain"]):
        script = Headway([snapshot(row()), event(Kind.ENDED, state="succeeded")])
        with ScriptedServer(script) as server:
            result = invoke(tmp_path, "watch", UUID, "--url", server.url, *options)
        assert [line.split()[1] for line in result.stdout.splitlines()] == ["running", "ended"]
