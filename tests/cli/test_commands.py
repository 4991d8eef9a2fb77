"""The group of commands: what it imports, what it passes on, and how everything ends in an exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headway.client.errors import Unreachable
from headway.core.errors import HeadwayError, InvalidInput, NotAllowed, NotAuthenticated, NotFound
from headway.wire.errors import Unreadable
from tests.cli.invoking import PROGRAM, environment, invoke
from tests.client.scripted_server import ScriptedServer, free_port, listed, refused, row

COMMANDS = ["run", "ls", "show", "logs", "watch", "wait", "cancel", "history", "share", "web", "serve", "token"]
COMMANDS += ["context", "doctor", "completion", "demo"]


def test_help_lists_every_command_and_imports_none() -> None:
    code = (
        "import sys; from headway.cli import headway\n"
        "headway(['--help'], standalone_mode=False)\n"
        "print(*(name for name in ('rich', 'httpx2', 'starlette', 'uvicorn') if name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    listing = done.stdout.partition("Commands:")[2].partition("Exit codes")[0]
    assert [line.split()[0] for line in listing.splitlines() if line.strip()] == COMMANDS
    assert done.stderr.strip() == ""


def test_an_unknown_command_is_a_wrong_command_line(tmp_path: Path) -> None:
    assert invoke(tmp_path, "lsof").exit_code == 2


def test_options_may_stand_before_the_command(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed(row())) as server:
        before = invoke(tmp_path, "--url", server.url, "--token", "t", "--json", "ls")
        after = invoke(tmp_path, "ls", "--url", server.url, "--token", "t", "--json")
    assert before.output == after.output
    assert [asked.headers["x-plex-token"] for asked in server.asked] == ["t", "t"]


def test_what_stands_after_the_command_counts_more_and_the_environment_least(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed(row(title="right"))) as server:
        wrong = f"http://127.0.0.1:{free_port()}"
        for arguments in (["--url", server.url, "ls"], ["--url", wrong, "ls", "--url", server.url]):
            assert "right" in invoke(tmp_path, *arguments, HEADWAY_URL=wrong).output


def test_options_reach_the_commands_of_a_group_within(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert invoke(tmp_path / "x", "--data", str(elsewhere), "token", "create", "anna").exit_code == 0
    listing = invoke(tmp_path / "x", "--data", str(elsewhere), "--json", "token", "list")
    assert "anna" in [token["user"] for token in json.loads(listing.stdout)]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("no"), 1),
        (HeadwayError("no"), 1),
        (InvalidInput("no"), 2),
        (Unreachable("no"), 3),
        (Unreadable("no"), 3),
        (NotAuthenticated("no"), 4),
        (NotAllowed("no"), 4),
    ],
)
def test_every_error_is_one_line_and_a_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: HeadwayError, code: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("headway.cli.connection.Connection.locate", fail)
    result = invoke(tmp_path, "ls")
    assert result.exit_code == code
    assert result.stderr.splitlines()[0] == "Error: no"
    assert result.stdout == ""


def test_a_missing_server_and_a_missing_token_come_with_advice(tmp_path: Path) -> None:
    result = invoke(tmp_path, "ls", "--url", f"http://127.0.0.1:{free_port()}")
    assert (result.exit_code, "headway serve" in result.stderr) == (3, True)
    with ScriptedServer(lambda asked: refused(401, "not_authenticated")) as server:
        result = invoke(tmp_path, "ls", "--url", server.url)
    assert (result.exit_code, "HEADWAY_TOKEN" in result.stderr) == (4, True)


def test_it_is_said_that_a_token_was_not_sent_since_it_is_for_another_server(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: refused(401, "not_authenticated")) as server:
        given = {"HEADWAY_URL": "http://balancer", "HEADWAY_TOKEN": "hw_env"}
        result = invoke(tmp_path, "ls", "--url", server.url, **given)
    assert "HEADWAY_TOKEN is for HEADWAY_URL, which is another server. Give this one's with --token" in result.stderr


def test_what_a_server_says_cannot_reach_the_terminal_raw(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: refused(500, "internal", "\x1b]0;owned\x07\x9b31m")) as server:
        result = invoke(tmp_path, "ls", "--url", server.url)
    assert not {"\x1b", "\x07", "\x9b"} & set(result.stderr)


def test_the_token_shows_nowhere(tmp_path: Path) -> None:
    for reply in (refused(401, "not_authenticated"), refused(500, "internal")):
        with ScriptedServer(lambda asked, reply=reply: reply) as server:  # type: ignore[misc]
            result = invoke(tmp_path, "ls", "--url", server.url, HEADWAY_TOKEN="hw_s3cret")
        assert "s3cret" not in result.output


def test_ctrl_c_ends_it_as_shells_expect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("headway.cli.connection.Connection.locate", interrupted)
    assert invoke(tmp_path, "ls").exit_code == 130


def test_what_is_not_installed_is_one_line(tmp_path: Path) -> None:
    """As with ``headway[client]`` alone, where something else has brought click along."""
    code = "import sys; sys.modules['rich'] = None; sys.argv = ['headway', 'ls']; from headway.cli import main; main()"
    with ScriptedServer(lambda asked: listed(row())) as server:
        here = environment(tmp_path, HEADWAY_URL=server.url, HEADWAY_TOKEN="t")
        done = subprocess.run([sys.executable, "-c", code], env=here, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip() == "Error: rich is not installed: pip install 'headway[cli]'"


def test_the_group_knows_its_version(tmp_path: Path) -> None:
    assert invoke(tmp_path, "--version").output.startswith("headway ")


@pytest.mark.parametrize("arguments", [["ls"], ["ls", "--json"], ["history"], ["--help"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_left_is_no_news(tmp_path: Path, arguments: list[str], unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    env = environment(tmp_path, PYTHONUNBUFFERED=unbuffered)
    with ScriptedServer(lambda asked: listed(row())) as server, open(writing, "wb") as gone:
        done = subprocess.run(
            [*PROGRAM, "--url", server.url, *arguments], env=env, stdout=gone, stderr=subprocess.PIPE, timeout=60
        )
    assert done.stderr == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_line(tmp_path: Path, unbuffered: str) -> None:
    env = environment(tmp_path, PYTHONUNBUFFERED=unbuffered)
    with ScriptedServer(lambda asked: listed(row())) as server, open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PROGRAM, "--url", server.url, "ls"], env=env, stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    assert (done.returncode, done.stderr) == (1, b"Error: No space left on device\n")
