"""`headway logs`, and what `headway show` has of it."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.cli.logs import continued
from tests.cli.invoking import PROGRAM, environment, invoke
from tests.client.fake_headway import FakeHeadway
from tests.client.scripted_server import OTHER, UUID, ScriptedServer, eventually, refused, row


@pytest.fixture
def headway() -> FakeHeadway:
    """With an activity that prints."""
    headway = FakeHeadway()
    headway.rows = {UUID: row(UUID, title="Talking")}
    headway.printed = {UUID: ["one\ntwö\n"]}
    return headway


def test_what_there_is_is_printed(tmp_path: Path, server: ScriptedServer) -> None:
    result = invoke(tmp_path, "logs", UUID, "--url", server.url)
    assert (result.exit_code, result.output) == (0, "one\ntwö\n")


def test_the_last_line_is_ended(tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
    headway.printed[UUID] = ["one\nunfinished"]
    assert invoke(tmp_path, "logs", UUID, "--url", server.url).output == "one\nunfinished\n"
    headway.printed[UUID] = [""]
    assert invoke(tmp_path, "logs", UUID, "--url", server.url).output == ""


def test_nothing_of_it_reaches_the_terminal_raw(tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
    headway.printed[UUID] = ["\x1b]0;owned\x07\x9b31m\u202e\r\n\t."]
    assert invoke(tmp_path, "logs", UUID, "--url", server.url).output == "\ufffd]0;owned\ufffd\ufffd31m\n\t.\n"


def test_what_nobody_knows_and_what_is_not_kept(tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
    unknown = invoke(tmp_path, "logs", OTHER, "--url", server.url)
    assert (unknown.exit_code, "output" in unknown.stderr) == (1, False)
    headway.outputs = False
    older = invoke(tmp_path, "logs", UUID, "--url", server.url)
    assert (older.exit_code, "keeps no output" in older.stderr) == (1, True)


def test_show_has_the_last_lines(tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
    headway.printed[UUID] = ["".join(f"line {number}\n\n" for number in range(100))]
    shown = invoke(tmp_path, "show", UUID, "--url", server.url).output
    assert shown.partition("\n\n")[2] == "".join(f"line {number}\n" for number in range(90, 100))
    assert "line" not in invoke(tmp_path, "show", UUID, "--json", "--url", server.url).output
    for nothing in ("", "\n \n"):
        headway.printed[UUID] = [nothing]
        assert "\n\n" not in invoke(tmp_path, "show", UUID, "--url", server.url).output


def test_show_does_without(tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
    headway.trouble_with_outputs = refused(500, "internal")
    result = invoke(tmp_path, "show", UUID, "--url", server.url)
    assert (result.exit_code, "Talking" in result.output) == (0, True)


class TestFollowing:
    def follow(self, data: Path, server: ScriptedServer) -> "subprocess.Popen[str]":
        arguments = [*PROGRAM, "--url", server.url, "logs", "-f", UUID]
        return subprocess.Popen(arguments, env=environment(data), stdout=subprocess.PIPE, text=True)

    def test_what_comes_is_printed_line_by_line_until_the_end(
        self, tmp_path: Path, headway: FakeHeadway, server: ScriptedServer
    ) -> None:
        with self.follow(tmp_path, server) as following:
            assert following.stdout is not None
            assert [following.stdout.readline() for _ in range(2)] == ["one\n", "twö\n"]
            headway.printed[UUID] = ["one\ntwö\n10%"]
            asked = len(server.asked)
            eventually(lambda: len(server.asked) > asked + 2)
            headway.printed[UUID] = ["twö\n20%\nthree\n"]
            assert [following.stdout.readline() for _ in range(2)] == ["20%\n", "three\n"]
            headway.change(headway.only, state="succeeded", endedAt=1_000)
            asked = len(server.asked)
            eventually(lambda: len(server.asked) > asked + 2)
            headway.printed[UUID] = ["twö\n20%\nthree\nlate\nlast"]  # it comes after the end
            assert following.stdout.read() == "late\nlast\n"
            assert following.wait(60) == 0

    def test_a_server_that_restarts_is_waited_for(
        self, tmp_path: Path, headway: FakeHeadway, server: ScriptedServer
    ) -> None:
        with self.follow(tmp_path, server) as following:
            assert following.stdout is not None
            assert [following.stdout.readline() for _ in range(2)] == ["one\n", "twö\n"]
            server.stop()
            headway.printed[UUID] = ["one\ntwö\nthree\n"]
            with ScriptedServer(headway, port=server.port):
                assert following.stdout.readline() == "three\n"
                headway.change(headway.only, state="failed", endedAt=1_000)
                assert following.wait(60) == 0

    def test_what_has_ended_is_printed_and_that_is_all(
        self, tmp_path: Path, headway: FakeHeadway, server: ScriptedServer
    ) -> None:
        headway.change(headway.only, state="failed", endedAt=1_000)
        with self.follow(tmp_path, server) as following:
            assert following.stdout is not None
            assert following.stdout.read() == "one\ntwö\n"
            assert following.wait(60) == 0


@pytest.mark.parametrize(
    ("shown", "text", "more"),
    [
        ("", "", ""),
        ("", "a\n", "a\n"),
        ("a\n", "a\nb\n", "b\n"),
        ("a\nb\n", "b\nc\n", "c\n"),
        ("a\nb\nb\n", "b\nb\nb\n", "b\n"),
        ("a\n", "b\n", "b\n"),
        ("a\nb\n", "", ""),
        ("x\n" * 9, "x\n" * 9, ""),
    ],
)
def test_what_comes_behind_what_was_shown(shown: str, text: str, more: str) -> None:
    assert continued(shown, text) == more


@given(st.lists(st.sampled_from(["a\n", "b\n", "cc\n"])), st.integers(0, 9), st.integers(0, 9))
def test_what_was_shown_and_what_comes_are_the_whole_if_they_touch(lines: list[str], cut: int, end: int) -> None:
    shown, text = "".join(lines[: len(lines) - end]), "".join(lines[cut:])
    more = continued(shown, text)
    assert text.endswith(more)
    assert (shown + more).endswith(text)
