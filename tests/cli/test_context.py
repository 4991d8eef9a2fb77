"""`headway context`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.invoking import PROGRAM, contexts_file, environment, invoke
from tests.client.fake_headway import FakeHeadway
from tests.client.scripted_server import ScriptedServer, eventually, listed, row
from tests.operations.process.screen import Screen, login

URL = "http://10.0.0.7:32400"


def add(data: Path, name: str, url: str = URL, *options: str, input: str = "") -> None:
    result = invoke(data, "context", "add", name, url, *options, input=input)
    assert result.exit_code == 0, result.output


def names(data: Path) -> list[str]:
    """All there are, the one that is used marked."""
    listing = json.loads(invoke(data, "context", "list", "--json").stdout)
    return [f"{each['name']}{'*' if each['current'] else ''}" for each in listing]


def test_a_token_comes_from_a_pipe_and_is_never_shown(tmp_path: Path) -> None:
    result = invoke(tmp_path, "context", "add", "den", URL, input="hw_s3cret\nmore\n")
    shown = [result.output]
    shown += [invoke(tmp_path, "context", *words).output for words in (["list"], ["list", "--json"], ["show", "den"])]
    assert "s3cret" not in "".join(shown)
    assert json.loads(contexts_file(tmp_path).read_text())["contexts"] == {"den": {"url": URL, "token": "hw_s3cret"}}


def test_it_is_asked_for_on_a_terminal_without_echo(tmp_path: Path) -> None:
    screen = Screen(24, 100)
    try:
        with login(screen, [*PROGRAM, "context", "add", "den", URL], environment(tmp_path)) as started:
            eventually(lambda: b"Token of den" in screen.output)
            screen.type("hw_s3cret\n")
            assert started.wait(60) == 0
        assert b"s3cret" not in screen.output
    finally:
        screen.close()
    assert "hw_s3cret" in contexts_file(tmp_path).read_text()


def test_where_there_is_no_input_there_is_no_token(tmp_path: Path) -> None:
    adding = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *PROGRAM, "context", "add", "den", URL],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (adding.returncode, adding.stderr) == (0, f"den is {URL}; its token: none.\n")


def test_or_is_elsewhere_or_not_at_all(tmp_path: Path) -> None:
    add(tmp_path, "filed", URL, "--token-file", "~/token")
    add(tmp_path, "set", URL, "--token-env", "DEN_TOKEN")
    add(tmp_path, "open", URL, "--no-token", input="ignored")
    listing = json.loads(invoke(tmp_path, "context", "list", "--json").stdout)
    home = tmp_path / "home"
    assert [each["token"] for each in listing[1:]] == [f"the file {home}/token", "none", "the variable DEN_TOKEN"]
    both = invoke(tmp_path, "context", "add", "x", URL, "--no-token", "--token-env", "Y")
    assert both.exit_code == 2


def test_the_list_marks_what_is_used(tmp_path: Path) -> None:
    add(tmp_path, "den")
    assert names(tmp_path) == ["local*", "den"]
    assert invoke(tmp_path, "context", "use", "den").exit_code == 0
    assert names(tmp_path) == ["local", "den*"]
    lines = invoke(tmp_path, "context", "list").stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["NAME", "URL", "TOKEN"],
        ["local", "found", "by", "itself", "found", "by", "itself"],
        ["*", "den", URL, "none"],
    ]
    assert invoke(tmp_path, "context", "use", "local").exit_code == 0
    assert names(tmp_path) == ["local*", "den"]


def test_what_is_used_can_be_shown(tmp_path: Path) -> None:
    add(tmp_path, "den")
    shown = {"name": "den", "current": False, "url": URL, "token": "none"}
    assert json.loads(invoke(tmp_path, "context", "show", "den", "--json").stdout) == shown
    by_variable = invoke(tmp_path, "context", "show", HEADWAY_CONTEXT="den").stdout
    assert by_variable.split() == ["name", "den", "url", URL, "token", "none"]


def test_it_is_used(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed(row(title="right"))) as server:
        add(tmp_path, "den", server.url, input="hw_den")
        for options, more in ((["--context", "den"], {}), ([], {"HEADWAY_CONTEXT": "den"})):
            assert "right" in invoke(tmp_path, *options, "ls", **more).stdout
            assert "right" in invoke(tmp_path, "ls", *options, **more).stdout
        invoke(tmp_path, "context", "use", "den")
        assert "right" in invoke(tmp_path, "ls").stdout
    assert {asked.headers["x-plex-token"] for asked in server.asked} == {"hw_den"}


def test_its_token_is_not_sent_where_another_url_leads(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed()) as server:
        add(tmp_path, "den", "http://127.0.0.1:9", input="hw_den")
        invoke(tmp_path, "context", "use", "den")
        assert invoke(tmp_path, "ls", "--url", server.url).exit_code == 0
        add(tmp_path, "open", server.url, "--no-token")
        assert invoke(tmp_path, "--context", "open", "ls", HEADWAY_TOKEN="hw_env").exit_code == 0
    assert [asked for asked in server.asked if "x-plex-token" in asked.headers] == []


def test_run_reports_to_it(tmp_path: Path, headway: FakeHeadway, server: ScriptedServer) -> None:
    add(tmp_path, "den", server.url, input="hw_den")
    invoke(tmp_path, "context", "use", "den")
    assert invoke(tmp_path, "run", "--", sys.executable, "-c", "").exit_code == 0
    assert headway.only["state"] == "succeeded"
    assert {asked.headers["x-plex-token"] for asked in server.asked} == {"hw_den"}


def test_a_name_can_be_changed_and_forgotten(tmp_path: Path) -> None:
    for name in ("den", "nas"):
        add(tmp_path, name)
    invoke(tmp_path, "context", "use", "den")
    assert invoke(tmp_path, "context", "rename", "den", "attic").exit_code == 0
    assert names(tmp_path) == ["local", "attic*", "nas"]
    taken = invoke(tmp_path, "context", "rename", "attic", "nas")
    assert (taken.exit_code, taken.stderr) == (1, "Error: there is a context nas already\n")
    assert invoke(tmp_path, "context", "remove", "attic", "nas").exit_code == 0
    assert names(tmp_path) == ["local*"]


@pytest.mark.parametrize("words", [["use", "dne"], ["show", "dne"], ["rename", "dne", "x"], ["remove", "dne", "den"]])
def test_an_unknown_name_changes_nothing_and_comes_with_a_suggestion(tmp_path: Path, words: list[str]) -> None:
    add(tmp_path, "den")
    result = invoke(tmp_path, "context", *words)
    assert (result.exit_code, result.stderr) == (1, "Error: there is no context dne; did you mean den?\n")
    assert names(tmp_path) == ["local*", "den"]
    assert "did you mean den?" in invoke(tmp_path, "ls", "--context", "dne").stderr
    assert "`headway context list`" in invoke(tmp_path, "ls", "--context", "\x1bxyz").stderr


@pytest.mark.parametrize("name", ["local", "", "-x", "a b", "a/b", "ü", "x" * 64, "a\n"])
def test_some_names_nothing_can_have(tmp_path: Path, name: str) -> None:
    assert invoke(tmp_path, "context", "add", "--no-token", "--", name, URL).exit_code == 2


def test_a_url_that_is_none_is_refused(tmp_path: Path) -> None:
    assert invoke(tmp_path, "context", "add", "--no-token", "den", "gopher://x").exit_code == 2
    assert not contexts_file(tmp_path).exists()


def test_what_counts_more_is_told(tmp_path: Path) -> None:
    add(tmp_path, "den")
    result = invoke(tmp_path, "context", "use", "den", HEADWAY_URL="http://x")
    assert result.stderr == "HEADWAY_URL is set in this shell, and counts more.\n"
