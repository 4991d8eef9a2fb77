"""The data folder: where it is, and that nobody else can look into it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from headway.server.data import (
    ADMIN_TOKEN,
    DataError,
    admin_token,
    create_private,
    data_dir,
    make_data_dir,
    write_private,
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HEADWAY_DATA", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A umask that takes nothing away: whatever is private then was made so."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_option_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADWAY_DATA", "/from/environment")
    assert data_dir(tmp_path / "given") == tmp_path / "given"
    assert data_dir("/given") == Path("/given")


def test_the_environment_comes_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_DATA", "/from/environment")
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
    assert data_dir() == data_dir("") == Path("/from/environment")


def test_the_data_home_of_the_desktop_comes_third(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_DATA", "")
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
    assert data_dir() == Path("/xdg/headway")


@pytest.mark.parametrize("invalid", ["", "relative/folder"])
def test_the_home_folder_comes_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, invalid: str) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", invalid)
    assert data_dir() == tmp_path / "home/.local/share/headway"


def test_a_relative_option_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert data_dir("here") == tmp_path / "here"


@pytest.mark.usefixtures("open_umask")
def test_the_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    make_data_dir(tmp_path / "a/b")
    assert mode(tmp_path / "a/b") == 0o700


def test_a_folder_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o750)
    make_data_dir(folder)
    assert mode(folder) == 0o750


@pytest.mark.usefixtures("open_umask")
def test_private_files_are_private_from_their_first_moment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    at_birth: list[int] = []
    fchmod = os.fchmod

    def noting(file: int, mode: int) -> None:
        at_birth.append(stat.S_IMODE(os.fstat(file).st_mode))
        fchmod(file, mode)

    monkeypatch.setattr(os, "fchmod", noting)
    create_private(tmp_path / "empty")
    write_private(tmp_path / "text", "secret\n")
    assert at_birth == [0o600, 0o600]
    assert (mode(tmp_path / "empty"), mode(tmp_path / "text")) == (0o600, 0o600)


def test_a_umask_that_takes_too_much_away_is_made_good(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        write_private(tmp_path / "text", "secret\n")
    finally:
        os.umask(before)
    assert mode(tmp_path / "text") == 0o600


def test_an_existing_file_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("kept")
    create_private(path)
    assert path.read_text() == "kept"


def test_a_private_file_replaces_what_was_there_and_its_own_leftovers(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("not ours")
    path = tmp_path / "text"
    path.symlink_to(elsewhere)
    (tmp_path / "text.new").symlink_to(elsewhere)
    write_private(path, "secret\n")
    assert path.read_text() == "secret\n"
    assert not path.is_symlink()
    assert elsewhere.read_text() == "not ours"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["elsewhere", "text"]


def test_what_cannot_be_made_is_said_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(DataError, match=r"cannot make the data folder .*/file/x: Not a directory; choose another"):
        make_data_dir(file / "x")
    with pytest.raises(DataError, match="File exists"):
        make_data_dir(file)
    with pytest.raises(DataError, match=r"cannot make .*missing/x: No such file or directory"):
        create_private(tmp_path / "missing/x")
    with pytest.raises(DataError, match=r"cannot write .*missing/x: No such file or directory"):
        write_private(tmp_path / "missing/x", "")


def test_the_admin_token_is_read_without_its_line_end(tmp_path: Path) -> None:
    assert admin_token(tmp_path) is None
    (tmp_path / ADMIN_TOKEN).write_text("hw_token\n")
    assert admin_token(tmp_path) == "hw_token"


def test_an_admin_token_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ADMIN_TOKEN).mkdir()
    with pytest.raises(DataError, match="set HEADWAY_TOKEN"):
        admin_token(tmp_path)
