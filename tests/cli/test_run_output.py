"""`headway run`: the last that a command prints goes to the server, and the command sees nothing of that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headway.wire.requests import MAX_OUTPUT
from tests.cli.invoking import PROGRAM, environment, program
from tests.client.fake_headway import FakeHeadway
from tests.client.scripted_server import Drop, Hang, Reply, ScriptedServer, eventually, refused

TALK = r"printf 'one\n10%%\r20%%\r30%%\n\033[31mred\033[0m\n'; sleep 0.3; echo oops >&2; printf 'last'"
KEPT = "one\n30%\nred\noops\nlast"
# What is open in a command: its own output, or a pipe of ours.
WHERE = [sys.executable, "-c", "import os, sys; sys.stderr.write(os.readlink('/proc/self/fd/1'))"]


def run(data: Path, server: ScriptedServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    return program(data, "--url", server.url, "run", *arguments)


def kept(headway: FakeHeadway) -> str | None:
    """What was told last of the one activity there is."""
    told = headway.printed.get(str(headway.only["uuid"]))
    return told[-1] if told else None


@pytest.mark.parametrize("progress", ["auto", "none"])
def test_the_last_of_both_streams_is_kept_as_on_a_screen(
    tmp_path: Path, headway: FakeHeadway, server: ScriptedServer, progress: str
) -> None:
    done = run(tmp_path, server, "--progress", progress, "--", "sh", "-c", TALK)
    assert done.stdout == "one\n10%\r20%\r30%\n\x1b[31mred\x1b[0m\nlast".replace("\r", "\n")
    assert done.stderr == "oops\n"
    assert kept(headway) == KEPT
    assert headway.only["state"] == "succeeded"


@pytest.mark.parametrize("progress", ["auto", "none"])
def test_it_can_be_kept_to_oneself(tmp_path: Path, headway: FakeHeadway, server: ScriptedServer, progress: str) -> None:
    done = run(tmp_path, server, "--no-output", "--progress", progress, "--", "sh", "-c", TALK)
    assert done.stderr == "oops\n"
    assert headway.printed == {}
    assert headway.only["state"] == "succeeded"


def test_where_nothing_looks_the_command_has_its_output_to_itself(tmp_path: Path, server: ScriptedServer) -> None:
    for arguments, own in ((["--no-output", "--progress", "none"], True), (["--progress", "none"], False)):
        with (tmp_path / "log").open("wb") as log:
            done = subprocess.run(
                [*PROGRAM, "--url", server.url, "run", *arguments, "--", *WHERE],
                env=environment(tmp_path),
                stdout=log,
                stderr=subprocess.PIPE,
                check=True,
                timeout=120,
            )
        assert (done.stderr.decode() == str(tmp_path / "log")) is own


def test_output_and_errors_in_one_file_are_in_their_order(
    tmp_path: Path, headway: FakeHeadway, server: ScriptedServer
) -> None:
    lines = "import os\nfor n in range(2000): os.write(1 + n % 2, b'%d\\n' % n)"
    with (tmp_path / "log").open("wb") as log:
        arguments = [*PROGRAM, "--url", server.url, "run", "--", sys.executable, "-c", lines]
        subprocess.run(arguments, env=environment(tmp_path), stdout=log, stderr=log, check=True, timeout=120)
    assert kept(headway) == "".join(f"{number}\n" for number in range(2000)) == (tmp_path / "log").read_text()


def test_it_can_be_read_while_it_runs(tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
    with subprocess.Popen(
        [*PROGRAM, "--url", server.url, "run", "--", "sh", "-c", "echo begun; read end; echo $end"],
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as started:
        eventually(lambda: headway.rows and kept(headway) == "begun\n")
        assert headway.only["state"] == "running"
        assert started.communicate(b"over\n", 60)[0] == b"begun\nover\n"
    assert kept(headway) == "begun\nover\n"


def test_of_a_flood_the_end_is_kept(tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
    done = run(tmp_path, server, "--", "seq", "1000000")
    assert len(done.stdout) == 6888896
    told = kept(headway) or ""
    assert done.stdout.endswith(told)
    assert MAX_OUTPUT - 10 < len(told) <= MAX_OUTPUT


@pytest.mark.parametrize(
    "trouble",
    [Hang(), Drop(), refused(404, "not_found"), refused(405, "method_not_allowed"), refused(500, "internal")],
    ids=lambda trouble: str(getattr(trouble, "status", type(trouble).__name__)),
)
def test_a_server_that_does_not_take_it_harms_nothing(
    tmp_path: Path, headway: FakeHeadway, server: ScriptedServer, trouble: Reply | Drop | Hang
) -> None:
    headway.trouble_with_outputs = trouble
    done = run(tmp_path, server, "--", "sh", "-c", f"{TALK}; exit 7")
    assert (done.returncode, done.stderr) == (7, "oops\n")
    assert (headway.only["state"], headway.only["error"]) == ("failed", "exit status 7")


def test_an_archive_on_its_way_into_a_file_is_not_kept(
    tmp_path: Path, headway: FakeHeadway, server: ScriptedServer
) -> None:
    data = os.urandom(1 << 20)
    (tmp_path / "archive").write_bytes(data)
    done = subprocess.run(
        [*PROGRAM, "--url", server.url, "run", "--", "sh", "-c", f"echo reading >&2; cat {tmp_path}/archive"],
        env=environment(tmp_path),
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == data
    assert kept(headway) == "reading\n"
