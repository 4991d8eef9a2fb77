"""`headway run`: a command runs as it would without, whatever the server does, and its record tells what it did."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from headway.client.jobs.outbox import LEASE
from headway.client.jobs.reporting import PATIENCE
from tests.cli.invoking import PROGRAM, environment, program
from tests.client.fake_headway import FakeHeadway
from tests.client.scripted_server import Drop, Hang, Reply, ScriptedServer, eventually, free_port, html, refused

# Says something on both streams, as bytes that are no text, and reads what it is given.
SCRIPT = r"""
import os, sys
os.write(1, b"out \xff\x00 1\n"); os.write(2, b"err\r 1\n")
os.write(1, sys.stdin.buffer.read()); sys.exit(7)
"""
TALKATIVE = (sys.executable, "-c", SCRIPT)
PATIENT = (sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(600)")
STUBBORN = "import signal, time; signal.signal(15, lambda *_: print('no', flush=True)); print('ready', flush=True)"


@contextmanager
def running(
    data: Path, server: ScriptedServer | None, *arguments: str, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """`headway run` as a program, once its command says that it is ready."""
    url = f"http://127.0.0.1:{free_port()}" if server is None else server.url
    started = subprocess.Popen(
        [*PROGRAM, "--url", url, "run", *arguments],
        env=environment(data),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )
    with started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline() == b"ready\n"
            yield started
        finally:
            started.kill()


def run(data: Path, server: ScriptedServer | str, *arguments: str, input: bytes = b"") -> tuple[int, bytes, bytes]:
    """`headway run` to its end: exit code, output, errors."""
    url = server if isinstance(server, str) else server.url
    done = subprocess.run(
        [*PROGRAM, "--url", url, "run", *arguments],
        env=environment(data),
        input=input,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


TROUBLES: dict[str, Reply | Drop | Hang] = {
    "hangs": Hang(),
    "drops": Drop(),
    "is another": html(200),
    "refuses": refused(401, "not_authenticated"),
    "is overloaded": refused(503, "unavailable", Retry_After="3600"),
    "is elsewhere": Reply(302, b"", {"Location": "http://127.0.0.1:1/"}),
    "says too much": Reply(200, b"x" * 10_000_000, {"Content-Type": "application/json"}),
}
EXPECTED = (7, b"out \xff\x00 1\nin\xfe", b"err\r 1\n")


class TestTheCommandIsLeftAlone:
    def test_its_input_output_and_exit_code_are_its_own(self, tmp_path: Path, server: ScriptedServer) -> None:
        assert run(tmp_path, server, "--", *TALKATIVE, input=b"in\xfe") == EXPECTED

    @pytest.mark.parametrize("progress", ["auto", "none"])
    def test_also_without_a_server(self, tmp_path: Path, progress: str) -> None:
        url = f"http://127.0.0.1:{free_port()}"
        assert run(tmp_path, url, "--progress", progress, "--", *TALKATIVE, input=b"in\xfe") == EXPECTED

    def test_also_with_a_server_in_trouble(self, tmp_path: Path) -> None:
        """Whichever it is: all at once, for most are given two seconds before they are given up."""

        def beside(trouble: str) -> tuple[int, bytes, bytes]:
            headway = FakeHeadway()
            headway.trouble = TROUBLES[trouble]
            with ScriptedServer(headway) as server:
                return run(tmp_path / trouble, server, "--", *TALKATIVE, input=b"in\xfe")

        with ThreadPoolExecutor(len(TROUBLES)) as threads:
            assert dict(zip(TROUBLES, threads.map(beside, TROUBLES), strict=True)) == dict.fromkeys(TROUBLES, EXPECTED)

    def test_also_with_a_url_that_is_none(self, tmp_path: Path) -> None:
        assert run(tmp_path, "gopher://x", "--", *TALKATIVE, input=b"in\xfe") == EXPECTED

    def test_options_behind_the_command_are_the_command_s(self, tmp_path: Path, server: ScriptedServer) -> None:
        assert run(tmp_path, server, "echo", "--json", "--help", "--", "x")[1] == b"--json --help -- x\n"

    def test_errors_and_output_in_one_file_keep_their_order(self, tmp_path: Path, server: ScriptedServer) -> None:
        lines = "import os\nfor n in range(2000): os.write(1 + n % 2, b'%d\\n' % n)"
        with (tmp_path / "log").open("wb") as log:
            arguments = [*PROGRAM, "--url", server.url, "run", "--", sys.executable, "-c", lines]
            subprocess.run(arguments, env=environment(tmp_path), stdout=log, stderr=log, check=True, timeout=120)
        assert (tmp_path / "log").read_bytes() == b"".join(b"%d\n" % number for number in range(2000))

    def test_a_reader_that_leaves_is_noticed_by_the_command(self, tmp_path: Path, server: ScriptedServer) -> None:
        with subprocess.Popen(
            [*PROGRAM, "--url", server.url, "run", "--", "yes"], env=environment(tmp_path), stdout=subprocess.PIPE
        ) as started:
            assert started.stdout is not None
            started.stdout.read(1)
            started.stdout.close()
            assert started.wait(60) == 128 + signal.SIGPIPE

    def test_signals_are_passed_on(self, tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
        with running(tmp_path, server, "--", *PATIENT) as started:
            eventually(lambda: headway.rows)
            started.terminate()
            assert started.wait(60) == 128 + signal.SIGTERM
        assert (headway.only["state"], headway.only["error"]) == ("failed", "killed by SIGTERM")


class TestWhatCannotBeRun:
    def test_no_such_command(self, tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
        code, out, err = run(tmp_path, server, "--", "no-such-command-here")
        assert (code, out, err) == (127, b"", b"headway: no-such-command-here: command not found\n")
        assert headway.rows == {}

    def test_no_program(self, tmp_path: Path, server: ScriptedServer) -> None:
        plain = tmp_path / "plain"
        plain.touch(0o644)
        assert run(tmp_path, server, "--", str(plain))[0] == 126

    @pytest.mark.parametrize("arguments", [[], ["--type", "a b", "--", "true"], ["--grace", "301", "--", "true"]])
    def test_a_wrong_command_line(self, tmp_path: Path, arguments: list[str]) -> None:
        assert program(tmp_path, "run", *arguments).returncode == 2


class TestTheRecord:
    def test_what_it_says_of_a_command(self, tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
        run(tmp_path, server, "--", "sh", "-c", "echo $$; exit 3")
        record = headway.only
        assert (record["type"], record["title"]) == ("command.sh", "sh -c 'echo $$; exit 3'")
        assert (record["state"], record["error"], record["progress"]) == ("failed", "exit status 3", -1)
        assert (record["cancellable"], record["lease"], record["grace"]) == (True, 30.0, 10.0)
        assert record["Context"]["command"] == "sh"
        assert record["Context"]["host"] == os.uname().nodename

    def test_what_it_was_told_to_say(self, tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
        options = ("--type", "a.b", "--title", "Backup", "--not-cancellable", "--grace", "3")
        run(tmp_path, server, *options, "--", "true", "--password", "hunter2")
        record = headway.only
        assert (record["type"], record["title"], record["cancellable"], record["grace"]) == ("a.b", "Backup", False, 3)
        assert record["state"] == "succeeded"
        assert b"hunter2" not in b"".join(asked.body for asked in server.asked)

    def test_progress_is_read_off_what_is_printed(
        self, tmp_path: Path, headway: FakeHeadway, server: ScriptedServer
    ) -> None:
        run(tmp_path, server, "--progress", "percent", "--", "sh", "-c", "echo 10% >&2; echo 60% >&2; exit 1")
        assert headway.only["progress"] == 60

    def test_it_catches_up_with_a_server_that_comes_late(self, tmp_path: Path, headway: FakeHeadway) -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        arguments = [*PROGRAM, "--url", url, "run", "--progress", "percent", "--", "sh", "-c", "echo 50%; read line"]
        with subprocess.Popen(
            arguments, env=environment(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as started:
            assert started.stdout is not None
            assert started.stdout.readline() == b"50%\n"
            with ScriptedServer(headway, port=port):
                eventually(lambda: headway.rows and headway.only["progress"] == 50)
                started.communicate(b"\n", timeout=60)
        assert headway.only["state"] == "succeeded"

    def test_an_end_is_kept_until_a_server_that_was_away_is_back(self, tmp_path: Path, headway: FakeHeadway) -> None:
        waits = (sys.executable, "-c", "print('ready', flush=True); input()")
        port = free_port()
        with ScriptedServer(headway, port=port) as first:
            command = [*PROGRAM, "--url", first.url, "run", "--", *waits]
            pipe = subprocess.PIPE
            run = subprocess.Popen(command, env=environment(tmp_path), stdin=pipe, stdout=pipe, stderr=pipe)
            eventually(lambda: headway.rows)
            first.stop()
        with run:
            assert run.stdin is not None
            run.stdin.write(b"\n")
            run.stdin.close()
            with pytest.raises(
                subprocess.TimeoutExpired
            ):  # it waits for longer than it would for somebody who looks on
                run.wait(PATIENCE + 1.0)
            with ScriptedServer(headway, port=port):
                assert run.wait(LEASE) == 0
        assert headway.only["state"] == "succeeded"


class TestCancel:
    @staticmethod
    def ask(headway: FakeHeadway) -> None:
        eventually(lambda: headway.rows)
        headway.change(headway.only, state="cancelling", cancelRequested=True)

    def test_it_stops_the_command(self, tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
        with running(tmp_path, server, "--", *PATIENT) as started:
            self.ask(headway)
            assert started.wait(60) == 128 + signal.SIGTERM
        assert headway.only["state"] == "cancelled"

    def test_it_kills_what_will_not_stop(self, tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
        script = f"{STUBBORN}\nwhile True: time.sleep(600)"
        with running(tmp_path, server, "--grace", "0.2", "--", sys.executable, "-c", script) as started:
            self.ask(headway)
            assert started.wait(60) == 128 + signal.SIGKILL
        assert headway.only["state"] == "cancelled"

    def test_work_that_is_finished_anyway_succeeded(
        self, tmp_path: Path, headway: FakeHeadway, server: ScriptedServer
    ) -> None:
        script = (
            "import signal, sys; signal.signal(15, lambda *_: sys.exit(0)); print('ready', flush=True); signal.pause()"
        )
        with running(tmp_path, server, "--", sys.executable, "-c", script) as started:
            self.ask(headway)
            assert started.wait(60) == 0
        assert headway.only["state"] == "succeeded"

    def test_being_given_up_by_force_stops_it_too(
        self, tmp_path: Path, headway: FakeHeadway, server: ScriptedServer
    ) -> None:
        with running(tmp_path, server, "--", *PATIENT) as started:
            eventually(lambda: headway.rows)
            headway.change(headway.only, state="lost", error="abandoned")
            assert started.wait(60) == 128 + signal.SIGTERM
