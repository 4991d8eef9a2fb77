"""Which server a command talks to, and above all: who is sent the local server's token."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headway.cli.connection import Connection
from headway.cli.contexts import Context, changed_contexts
from headway.client.address import DEFAULT_URL, Address
from headway.core.errors import InvalidInput
from headway.server.data import ADMIN_TOKEN, DataError
from headway.server.standalone import ADDRESS

URL = "http://127.0.0.1:4999"
TOKEN = "hw_admin"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of a server that runs: this process."""
    (tmp_path / ADMIN_TOKEN).write_text(TOKEN + "\n")
    write_server(tmp_path, URL, os.getpid())
    return tmp_path


def write_server(data: Path, url: str, pid: int) -> None:
    (data / ADDRESS).write_text(json.dumps({"url": url, "pid": pid}))


def located(data: Path, url: str | None = None, token: str | None = None) -> Address:
    return Connection(url, token, str(data)).locate()


def test_the_local_server_is_found_with_its_token(data: Path) -> None:
    assert located(data) == Address(URL, TOKEN)


def test_naming_the_very_same_url_changes_nothing(data: Path) -> None:
    assert located(data, URL + "/") == Address(URL, TOKEN)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:5000",
        "https://127.0.0.1:4999",
        "http://localhost:4999",
        "http://127.0.0.2:4999",
        "http://127.0.0.1:4999/below",
        "http://127.0.0.1.example:4999",
        "http://media.example",
    ],
)
def test_no_other_server_is_sent_its_token(data: Path, url: str) -> None:
    assert located(data, url).token is None


def test_a_token_that_was_given_goes_where_it_was_meant_to(data: Path) -> None:
    assert located(data, token="mine") == Address(URL, "mine")
    assert located(data, "http://media.example", "mine") == Address("http://media.example", "mine")


def test_what_a_dead_server_wrote_down_gets_no_token(data: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    write_server(data, URL, gone.pid)
    assert located(data) == Address(URL, None)


@pytest.mark.parametrize("pid", [0, -1])
def test_nor_does_a_pid_that_is_none(data: Path, pid: int) -> None:
    write_server(data, URL, pid)
    assert located(data).token is None


def test_nor_does_a_server_that_is_not_on_this_machine(data: Path) -> None:
    write_server(data, "http://10.0.0.1:4590", os.getpid())
    assert located(data) == Address("http://10.0.0.1:4590", None)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"url": 1}', '{"url": "ftp://x", "pid": 1}', "\xff"])
def test_a_broken_note_counts_as_none(data: Path, content: str) -> None:
    (data / ADDRESS).write_text(content, encoding="latin-1")
    assert located(data) == Address(DEFAULT_URL, None)


def test_without_a_server_it_is_the_default(tmp_path: Path) -> None:
    assert located(tmp_path / "nothing") == Address(DEFAULT_URL, None)


def test_a_lost_token_file_is_no_error_here(data: Path) -> None:
    (data / ADMIN_TOKEN).unlink()
    assert located(data) == Address(URL, None)


def test_a_url_that_is_none_is_refused(data: Path) -> None:
    with pytest.raises(InvalidInput):
        located(data, "gopher://x")


def test_it_does_not_show_the_token() -> None:
    assert "s3cret" not in repr(Connection("http://x", "s3cret"))


def test_who_follows_a_server_expects_it_back_where_it_was(data: Path) -> None:
    locate = Connection(data=str(data)).following()
    assert locate() == Address(URL, TOKEN)
    (data / ADDRESS).unlink()
    assert locate() == Address(URL, None)
    write_server(data, "http://127.0.0.1:5001", os.getpid())
    assert locate() == Address("http://127.0.0.1:5001", TOKEN)


NAMED = "http://10.0.0.7:32400"


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contexts: ``den`` with a token, and ``bare``, which has none."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with changed_contexts() as known:
        known.contexts["den"] = Context(NAMED, "hw_den")
        known.contexts["bare"] = Context("http://10.0.0.8:4590")


def become_current(name: str) -> None:
    with changed_contexts() as known:
        known.current = name


@pytest.mark.usefixtures("named")
class TestWhoNamesTheServer:
    """Each of these beats all that follow it."""

    STEPS = ("flag", "HEADWAY_URL", "HEADWAY_CONTEXT", "current", "local", "default")

    @pytest.fixture(params=range(len(STEPS)), ids=STEPS)
    def chosen(
        self, request: pytest.FixtureRequest, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> tuple[str, Address]:
        """All from that step on say something; what comes of it."""
        left = self.STEPS[request.param :]
        if "HEADWAY_URL" in left:
            monkeypatch.setenv("HEADWAY_URL", "http://environment")
        if "HEADWAY_CONTEXT" in left:
            monkeypatch.setenv("HEADWAY_CONTEXT", "bare")
        if "current" in left:
            become_current("den")
        if "local" not in left:
            (data / ADDRESS).unlink()
        return left[0], located(data, "http://flag" if "flag" in left else None)

    def test_the_first_that_says_so(self, chosen: tuple[str, Address]) -> None:
        step, address = chosen
        assert {
            "flag": Address("http://flag"),
            "HEADWAY_URL": Address("http://environment"),
            "HEADWAY_CONTEXT": Address("http://10.0.0.8:4590"),
            "current": Address(NAMED, "hw_den"),
            "local": Address(URL, TOKEN),
            "default": Address(DEFAULT_URL),
        }[step] == address

    def test_context_counts_more_than_the_environment(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HEADWAY_URL", "http://environment")
        monkeypatch.setenv("HEADWAY_CONTEXT", "bare")
        assert Connection(context="den", data=str(data)).locate() == Address(NAMED, "hw_den")

    def test_local_is_the_server_on_this_machine_whatever_is_current(self, data: Path) -> None:
        become_current("den")
        assert Connection(context="local", data=str(data)).locate() == Address(URL, TOKEN)

    @pytest.mark.parametrize(
        "two",
        [{"url": "x", "context": "den"}, {"url": "x", "plex": True}, {"context": "den", "plex": True}],
        ids=lambda two: "+".join(two),
    )
    def test_two_on_the_command_line_are_refused(self, data: Path, two: dict[str, Any]) -> None:
        with pytest.raises(InvalidInput, match="give one of them"):
            Connection(data=str(data), **two).locate()


@pytest.mark.usefixtures("named")
class TestWhoIsSentAToken:
    def test_a_context_s_token_goes_to_no_other_server(self, data: Path) -> None:
        become_current("den")
        assert located(data).token == "hw_den"
        for url in ("http://elsewhere", NAMED):
            assert located(data, url).token is None

    def test_the_local_server_s_token_goes_to_no_context(self, data: Path) -> None:
        assert Connection(context="bare", data=str(data)).locate().token is None

    def test_token_on_the_command_line_is_for_whatever_it_names(self, data: Path) -> None:
        assert Connection(token="mine", context="den", data=str(data)).locate() == Address(NAMED, "mine")

    def test_a_token_that_is_not_needed_is_not_read(self, data: Path) -> None:
        with changed_contexts() as known:
            known.contexts["filed"] = Context(NAMED, token_file=str(data / "gone"))
        assert Connection(token="mine", context="filed", data=str(data)).locate().token == "mine"
        with pytest.raises(DataError, match="gone"):
            Connection(context="filed", data=str(data)).locate()

    @pytest.mark.parametrize(
        ("environment", "options", "token"),
        [
            ({}, {}, "hw_env"),
            ({}, {"url": "http://flag"}, "hw_env"),
            ({"HEADWAY_URL": "http://environment"}, {}, "hw_env"),
            ({"HEADWAY_URL": "http://environment"}, {"url": "http://environment/"}, "hw_env"),
            ({"HEADWAY_URL": "http://environment"}, {"url": "http://flag"}, None),
            ({"HEADWAY_URL": "gopher://broken"}, {"url": "http://flag"}, None),
            ({"HEADWAY_URL": "http://environment"}, {"context": "local"}, TOKEN),
            ({"HEADWAY_CONTEXT": "den"}, {}, "hw_env"),
            ({}, {"context": "den"}, "hw_den"),
            ({}, {"context": "bare"}, None),
        ],
    )
    def test_the_environment_s_token(
        self,
        data: Path,
        monkeypatch: pytest.MonkeyPatch,
        environment: dict[str, str],
        options: dict[str, Any],
        token: str | None,
    ) -> None:
        for name, value in {"HEADWAY_TOKEN": "hw_env", **environment}.items():
            monkeypatch.setenv(name, value)
        assert Connection(data=str(data), **options).locate().token == token

    def test_whoever_follows_a_context_stays_with_it(self, data: Path) -> None:
        become_current("den")
        locate = Connection(data=str(data)).following()
        assert locate() == Address(NAMED, "hw_den")
        become_current("bare")
        assert locate() == Address(NAMED, "hw_den")

    def test_nor_does_a_new_context_take_away_what_follows_the_local_server(self, data: Path) -> None:
        locate = Connection(data=str(data)).following()
        assert locate() == Address(URL, TOKEN)
        become_current("den")
        assert locate() == Address(URL, TOKEN)


def test_a_choice_says_who_made_it_and_not_the_token(data: Path) -> None:
    choice = Connection(data=str(data)).choose()
    assert (choice.url_source, choice.token_source) == ("the server on this machine", str(data / ADMIN_TOKEN))
    assert TOKEN not in repr(choice)
