"""What real files say of themselves, and what files say that are not what they seem."""

from __future__ import annotations

import os
from pathlib import Path

import mutagen
import pytest

from examples.mediaserver.media import LONGEST, Broken, Tags, analyse, read_tags


def nothing() -> None:
    """Between two blocks."""


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp3", "mp3"), ("flac", "flac"), ("ogg", "vorbis"), ("opus", "opus"), ("m4a", "aac")]
)
def test_songs_are_read(originals: Path, suffix: str, codec: str) -> None:
    path = originals / f"song.{suffix}"
    tags = read_tags(path)
    assert (tags.title, tags.artist, tags.album, tags.index, tags.year) == ("Song", "The Sines", "Waves", 3, 2001)
    analysis = analyse(path, nothing)
    assert analysis.codec == codec
    assert 290 <= analysis.duration <= 400
    assert analysis.bitrate > 0
    assert len(analysis.hash) == 40


def test_films_are_read_with_sound_and_without(originals: Path) -> None:
    assert read_tags(originals / "film.mp4") == Tags("Firefly", year=2002)
    assert analyse(originals / "film.mp4", nothing).codec == "aac"
    assert analyse(originals / "silent.mp4", nothing).codec == ""


def test_a_file_without_tags_is_called_by_its_name(tmp_path: Path, originals: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff nameless.flac")
    path.write_bytes((originals / "song.flac").read_bytes())
    mutagen.File(path).delete()
    assert read_tags(path) == Tags("\ufffd nameless")


def test_tags_are_cleaned_and_cut(tmp_path: Path, originals: Path) -> None:
    path = tmp_path / "song.flac"
    path.write_bytes((originals / "song.flac").read_bytes())
    file = mutagen.File(path)
    file.update({"title": "a\x00b\x1b" + "c" * 10_000, "tracknumber": "side B", "date": "9" * 400})
    file.save()
    tags = read_tags(path)
    assert tags.title.startswith("a\ufffdb\ufffdccc")
    assert len(tags.title) == LONGEST
    assert (tags.index, tags.year) == (0, 999_999_999)


@pytest.mark.parametrize(
    "content", [b"", b"no media", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", b"fLaC" + bytes(30), b"\xff" * 400]
)
@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "m4a", "mp4"])
def test_what_is_no_media_is_broken(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    with pytest.raises(Broken) as raised:
        read_tags(path)
    assert str(raised.value)


def test_a_file_that_is_gone_is_broken(tmp_path: Path) -> None:
    with pytest.raises(Broken):
        read_tags(tmp_path / "gone.mp3")


def test_reading_a_long_file_can_be_ended_between_its_blocks(tmp_path: Path, originals: Path) -> None:
    path = tmp_path / "long.mp3"
    path.write_bytes((originals / "song.mp3").read_bytes())
    os.truncate(path, 1 << 40)  # a terabyte that takes no place; reading it all would take an hour
    read = 0

    def enough() -> None:
        nonlocal read
        read += 1
        if read == 3:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        analyse(path, enough)
