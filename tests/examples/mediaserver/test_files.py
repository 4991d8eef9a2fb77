"""Walks through folders as people have them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from examples.mediaserver.files import Walk, shown

SUFFIXES = {".mp3"}


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound")


def found(root: Path) -> list[str]:
    return [file.path.relative_to(root).as_posix() for file in Walk(root, SUFFIXES)]


def test_it_finds_what_its_suffix_says_in_order(tmp_path: Path) -> None:
    put(
        tmp_path / "b/2.mp3",
        tmp_path / "b/1.MP3",
        tmp_path / "a/deep/3.mp3",
        tmp_path / "cover.jpg",
        tmp_path / "0.mp3",
    )
    assert found(tmp_path) == ["0.mp3", "a/deep/3.mp3", "b/1.MP3", "b/2.mp3"]


def test_it_leaves_out_what_is_hidden_and_what_is_no_file(tmp_path: Path) -> None:
    put(tmp_path / "._1.mp3", tmp_path / ".trash/2.mp3", tmp_path / "folder.mp3/3.mp3")
    os.mkfifo(tmp_path / "pipe.mp3")
    assert found(tmp_path) == ["folder.mp3/3.mp3"]


def test_links_in_circles_end(tmp_path: Path) -> None:
    put(tmp_path / "a/1.mp3")
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "a/here.mp3").symlink_to("here.mp3")
    (tmp_path / "a/nowhere.mp3").symlink_to("../../none.mp3")
    (tmp_path / "b").symlink_to("a")
    walk = Walk(tmp_path, SUFFIXES)
    assert [file.path.name for file in walk] == ["1.mp3"]
    assert walk.unreadable == []


def test_a_link_to_media_elsewhere_is_followed(tmp_path: Path) -> None:
    put(tmp_path / "disk/1.mp3")
    (tmp_path / "library").mkdir()
    (tmp_path / "library/linked").symlink_to(tmp_path / "disk")
    assert found(tmp_path / "library") == ["linked/1.mp3"]


def test_names_need_not_be_text(tmp_path: Path) -> None:
    put(tmp_path / os.fsdecode(b"\xff\xfe.mp3"), tmp_path / "a\nb\x1b[31m.mp3")
    names = [shown(file.path.name) for file in Walk(tmp_path, SUFFIXES)]
    assert sorted(names) == ["a b\ufffd[31m.mp3", "\ufffd\ufffd.mp3"]


def test_what_cannot_be_read_is_said_and_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # Too deep to be named: unreadable for root as well, who may read everything else.
    deep = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 240, dir_fd=deep)
        deep, above = os.open("d" * 240, os.O_RDONLY, dir_fd=deep), deep
        os.close(above)
    os.close(deep)
    put(tmp_path / "e/1.mp3")
    walk = Walk(tmp_path, SUFFIXES)
    assert [file.path.name for file in walk] == ["1.mp3"]
    assert len(walk.unreadable) == 1
    assert "File name too long" in caplog.text


def test_a_root_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(Walk(tmp_path / "unmounted", SUFFIXES))
