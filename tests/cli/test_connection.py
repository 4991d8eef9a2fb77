"""Which server a command talks to, and above all: who is sent the local server's token."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headway.cli.connection import Connection
from headway.client.address import DEFAULT_URL, Address
from headway.core.errors import InvalidInput
from headway.server.data import ADMIN_TOKEN
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
