"""Finding a Plex server, and who is sent its token."""

import plistlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from headway.cli import plex
from headway.cli.connection import Connection
from headway.cli.plex import HOW_TO_GET_A_TOKEN, NoPlex, find_plex, preferences
from headway.client.address import Address
from headway.core.errors import NotAuthenticated
from headway.wire.errors import Unreadable
from tests.cli.invoking import invoke
from tests.client.scripted_server import Asked, Reply, ScriptedServer, as_json, free_port, listed, refused, row

IDENTIFIER = "b2f5a3c04d1e4f6789abcdef0123456789abcdef"
PREFERENCES = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<Preferences OldestPreviousVersion="1.40" MachineIdentifier="m" ProcessedMachineIdentifier="{identifier}"'
    ' PlexOnlineToken="{token}" PlexOnlineMail="a&amp;b@example.org"/>'
)


class Plex:
    """Enough of a server on this machine: it says who it is, and lists what runs."""

    def __init__(self) -> None:
        self.identifier = IDENTIFIER

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/identity":
            return as_json({"MediaContainer": {"size": 0, "claimed": True, "machineIdentifier": self.identifier}})
        if "x-plex-token" not in asked.headers:
            return refused(401, "not_authenticated")
        return listed(row(title="Scanning Films"))


@pytest.fixture
def script() -> Plex:
    return Plex()


@pytest.fixture
def local(script: Plex, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """The server on this machine."""
    with ScriptedServer(script) as server:
        monkeypatch.setattr(plex, "LOCAL_PLEX", server.url)
        yield server


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where that server's preferences are, and nothing else of a real machine is looked at."""
    home, support = tmp_path / "home", tmp_path / "support"
    home.mkdir()
    (support / "Plex Media Server").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(plex, "_FOLDERS", (str(support),))
    return support / "Plex Media Server"


def write_preferences(folder: Path, token: str = "plex-token", identifier: str = IDENTIFIER) -> Path:
    path = folder / "Preferences.xml"
    path.write_text(PREFERENCES.format(token=token, identifier=identifier))
    return path


def found() -> Address:
    return Connection(plex=True).locate()


def test_the_server_on_this_machine_is_opened_by_its_own_preferences(folder: Path, local: ScriptedServer) -> None:
    path = write_preferences(folder)
    assert found() == Address(local.url, "plex-token")
    assert find_plex().token_source == str(path)
    assert [("x-plex-token" in asked.headers) for asked in local.asked] == [False, False]


def test_another_server_at_its_place_is_not_sent_its_token(folder: Path, local: ScriptedServer) -> None:
    write_preferences(folder, identifier="0" * 40)
    assert found() == Address(local.url, None)


@pytest.mark.parametrize(
    "place", ["support/Plex Media Server/Preferences.xml", "home/Library/Preferences/com.plexapp.plexmediaserver.plist"]
)
def test_wherever_they_are(tmp_path: Path, local: ScriptedServer, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".plist":
        members = {"PlexOnlineToken": "plex-token", "ProcessedMachineIdentifier": IDENTIFIER}
        path.write_bytes(plistlib.dumps(members, fmt=plistlib.FMT_BINARY))
    else:
        write_preferences(path.parent)
        monkeypatch.setattr(plex, "_FOLDERS", ())
        monkeypatch.setenv("PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR", str(tmp_path / "support"))
    assert found().token == "plex-token"


def test_what_cannot_be_read_is_told_with_how_to_get_a_token(
    tmp_path: Path, folder: Path, local: ScriptedServer
) -> None:
    (folder / "Preferences.xml").mkdir()  # nobody can read it as a file, not even root
    assert found().token is None
    assert find_plex().token_source == f"none: {folder}/Preferences.xml cannot be read (Is a directory)"
    result = invoke(tmp_path, "--plex", "ls")
    assert result.exit_code == 4
    assert HOW_TO_GET_A_TOKEN in result.stderr


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<Preferences",
        b'<!DOCTYPE x [<!ENTITY a "b">]><Preferences PlexOnlineToken="&a;"/>',
        b"<a>" * 100_000,
        b"\x00\xff" * 100,
    ],
    ids=["empty", "cut", "entities", "deep", "bytes"],
)
@pytest.mark.parametrize("name", ["Preferences.xml", "x.plist"])
def test_broken_preferences_count_as_none(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unreadable):
        preferences(tmp_path / name)


@pytest.mark.parametrize(
    ("url", "token"), [("PLEX_URL", "PLEX_TOKEN"), ("PLEXAPI_AUTH_SERVER_BASEURL", "PLEXAPI_AUTH_SERVER_TOKEN")]
)
def test_a_server_in_the_environment_comes_first_with_the_token_beside_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, url: str, token: str
) -> None:
    write_preferences(folder)
    monkeypatch.setenv(url, "http://10.0.0.5:32400/")
    assert found() == Address("http://10.0.0.5:32400", None)
    monkeypatch.setenv(token, "its-own")
    assert found() == Address("http://10.0.0.5:32400", "its-own")


def test_plex_token_alone_is_for_the_server_on_this_machine(
    folder: Path, local: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_preferences(folder)
    monkeypatch.setenv("PLEX_TOKEN", "given")
    assert found() == Address(local.url, "given")


@pytest.mark.parametrize("place", ["home/.config/plexapi/config.ini", "elsewhere.ini"])
def test_then_the_configuration_of_plexapi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[auth]\nserver_baseurl = http://10.0.0.6:32400\nserver_token = 100%its-own\n")
    if path.suffix == ".ini" and path.name == "elsewhere.ini":
        monkeypatch.setenv("PLEXAPI_CONFIG_PATH", str(path))
    assert found() == Address("http://10.0.0.6:32400", "100%its-own")


@pytest.mark.parametrize("content", [b"[auth", b"[auth]\nno equals", b"\xff", b"[other]\na = b\n"])
def test_which_may_be_broken(
    tmp_path: Path, local: ScriptedServer, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path = tmp_path / "config.ini"
    path.write_bytes(content)
    monkeypatch.setenv("PLEXAPI_CONFIG_PATH", str(path))
    assert found().url == local.url


def test_where_there_is_none_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setattr(plex, "LOCAL_PLEX", url)
    with pytest.raises(NoPlex, match=f"cannot reach {url}: connection refused"):
        find_plex()
    result = invoke(tmp_path, "ls", "--plex")
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)


@pytest.mark.parametrize("reply", [Reply(200, b"<html></html>", {"Content-Type": "text/html"}), as_json({})])
def test_something_else_at_its_place_is_none(local: ScriptedServer, folder: Path, reply: Reply) -> None:
    write_preferences(folder)
    local.script = lambda asked: reply
    with pytest.raises(NoPlex):
        find_plex()
    assert all("x-plex-token" not in asked.headers for asked in local.asked)


def test_a_headway_token_in_the_environment_is_not_for_plex(
    folder: Path, local: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWAY_TOKEN", "hw_env")
    assert found().token is None
    with pytest.raises(NotAuthenticated), Connection(plex=True).client() as client:
        client.activities.list()
    assert all("x-plex-token" not in asked.headers for asked in local.asked)
    write_preferences(folder)
    assert found().token == "plex-token"
    assert Connection(plex=True, token="given").locate().token == "given"


def test_the_option_may_stand_before_the_command_or_after_it(
    tmp_path: Path, folder: Path, local: ScriptedServer
) -> None:
    write_preferences(folder)
    for arguments in (["--plex", "ls"], ["ls", "--plex"]):
        assert "Scanning Films" in invoke(tmp_path, *arguments).stdout
