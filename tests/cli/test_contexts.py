"""The file of contexts: private, whole, and clear about what is wrong with it."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from headway.cli.contexts import Context, Contexts, changed_contexts, contexts_file, read_contexts
from headway.core.errors import InvalidInput
from headway.server.data import DataError
from tests.cli.invoking import PROGRAM, environment, invoke

URL = "http://10.0.0.7:32400"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return contexts_file()


def write(file: Path, text: str | bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(0o600)


def test_without_a_file_there_are_none(file: Path) -> None:
    assert read_contexts() == Contexts()
    assert not file.parent.exists()


def test_what_is_written_is_read_and_is_for_its_owner_alone(file: Path) -> None:
    umask = os.umask(0)
    try:
        with changed_contexts() as known:
            known.contexts["den"] = Context(URL, "hw_s3cret")
            known.current = "den"
    finally:
        os.umask(umask)
    assert read_contexts() == Contexts("den", {"den": Context(URL, "hw_s3cret")})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_it_is_not_read_while_others_may_open_it(file: Path, mode: int) -> None:
    write(file, "{}")
    file.chmod(mode)
    with pytest.raises(DataError, match=f"chmod 600 {file}"):
        read_contexts()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ('{\n "current": "x",\n nonsense}', 3),
        (b'{\n "current": "\xff"}', 2),
        ("[" * 100_000, 1),
        ("[]", 1),
        ('{"unknown": 1}', 1),
        ('{"contexts": []}', 1),
        ('{"contexts": {\n "den": {\n "url": 4}}}', 2),
        ('{"contexts": {\n\n "den": {"url": "gopher://x"}}}', 3),
        ('{"contexts": {\n "den": {"url": "http://x", "tokne": "y"}}}', 2),
        ('{"contexts": {\n "den": {"url": "http://x", "token": "y", "token_env": "Z"}}}', 2),
        ('{"contexts": {\n "den": {"url": "http://x", "token": "a b"}}}', 2),
        ('{"contexts": {\n "den": {"url": "http://x", "token_env": "A B"}}}', 2),
    ],
)
def test_a_broken_file_is_named_with_the_line(file: Path, text: str | bytes, line: int) -> None:
    write(file, text)
    with pytest.raises(DataError, match=f"^{file}, line {line}: "):
        read_contexts()


def test_a_broken_file_is_never_overwritten(file: Path) -> None:
    write(file, "{")
    with pytest.raises(DataError), changed_contexts():
        raise AssertionError("it must not come to this")
    assert file.read_text() == "{"


def test_a_change_that_fails_leaves_everything_as_it_was(file: Path) -> None:
    write(file, '{"current": null}')
    with pytest.raises(InvalidInput), changed_contexts() as known:
        known.contexts["den"] = Context(URL)
        known.contexts["other"] = Context("gopher://x")
    assert read_contexts() == Contexts()


def test_two_that_write_at_once_both_count(tmp_path: Path) -> None:
    names = [f"server{number}" for number in range(6)]
    adding = [
        subprocess.Popen([*PROGRAM, "context", "add", "--no-token", name, URL], env=environment(tmp_path))
        for name in names
    ]
    assert [process.wait(60) for process in adding] == [0] * len(names)
    listing = json.loads(invoke(tmp_path, "context", "list", "--json").stdout)
    assert [each["name"] for each in listing] == ["local", *names]


@pytest.mark.parametrize("place", ["", "relative"])
def test_it_is_below_the_home_folder_where_nothing_else_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", place)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert contexts_file() == tmp_path / ".config" / "headway" / "contexts.json"


def test_where_there_is_no_home_there_are_no_contexts(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    assert read_contexts() == Contexts()
    with pytest.raises(DataError, match="XDG_CONFIG_HOME"), changed_contexts():
        raise AssertionError("it must not come to this")


class TestTokens:
    def test_from_a_file_which_is_read_each_time(self, tmp_path: Path) -> None:
        path = tmp_path / "token"
        context = Context(URL, token_file=str(path))
        for token in ("one", "two"):
            write(path, f"{token}\n")
            assert context.read_token() == token

    def test_which_must_be_there_and_private(self, tmp_path: Path) -> None:
        path = tmp_path / "token"
        with pytest.raises(DataError, match="there is no file"):
            Context(URL, token_file=str(path)).read_token()
        write(path, "hw_s3cret")
        path.chmod(0o644)
        with pytest.raises(DataError, match="chmod 600") as refusal:
            Context(URL, token_file=str(path)).read_token()
        assert "s3cret" not in str(refusal.value)

    def test_from_a_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        context = Context(URL, token_env="DEN_TOKEN")
        assert context.read_token() is None
        monkeypatch.setenv("DEN_TOKEN", "hw_den")
        assert context.read_token() == "hw_den"

    def test_shows_nowhere(self) -> None:
        context = Context(URL, "hw_s3cret")
        assert "s3cret" not in repr(context) + repr(Contexts("den", {"den": context})) + context.token_source
