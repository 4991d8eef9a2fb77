"""Real media, tiny, and a media server that has them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import mutagen
import pytest

from examples.mediaserver import media
from examples.mediaserver.app import MediaServer
from examples.mediaserver.config import Config, sections_of
from headway import Principal, Role
from tests.examples.mediaserver.serving import Gate, Serving, served

SINE = ["-f", "lavfi", "-i", "sine=frequency=440:duration=0.3"]
PICTURE = ["-f", "lavfi", "-i", "testsrc=duration=0.3:size=64x48:rate=5"]


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one file of each kind, as ffmpeg makes them."""
    folder = tmp_path_factory.mktemp("originals")
    for suffix in ("mp3", "flac", "ogg", "opus", "m4a"):
        make(
            folder / f"song.{suffix}", *SINE, title="Song", artist="The Sines", album="Waves", track="3/12", date="2001"
        )
    make(folder / "film.mp4", *PICTURE, *SINE, title="Firefly", date="2002-09-20")
    make(folder / "silent.mp4", *PICTURE, title="Silent")
    return folder


def make(path: Path, *inputs: str, **tags: str) -> None:
    metadata = [part for name, value in tags.items() for part in ("-metadata", f"{name}={value}")]
    subprocess.run(["ffmpeg", "-v", "error", *inputs, *metadata, path], check=True, timeout=60)


@pytest.fixture
def folder(tmp_path: Path, originals: Path) -> Path:
    """Three songs and two films."""
    copy(originals / "song.mp3", tmp_path / "media/Music/The Sines/Waves/1.mp3", title="One")
    copy(originals / "song.flac", tmp_path / "media/Music/The Sines/Waves/2.flac", title="Two")
    copy(originals / "song.ogg", tmp_path / "media/Music/The Sines/Waves/3.ogg", title="Three")
    copy(originals / "film.mp4", tmp_path / "media/Movies/Firefly (2002)/Firefly.mp4")
    copy(originals / "silent.mp4", tmp_path / "media/Movies/Silent.mp4")
    return tmp_path / "media"


def copy(original: Path, path: Path, **tags: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(original.read_bytes())
    if tags:
        file = mutagen.File(path, easy=True)
        file.update(tags)
        file.save()


@pytest.fixture
def serving(tmp_path: Path, folder: Path) -> Iterator[Serving]:
    """The server, with an owner and a guest, whose tokens are these words."""
    users = {"owner": Principal(1, Role.ADMIN), "guest": Principal(2, Role.USER)}
    server = MediaServer(Config(sections_of(folder), users, tmp_path / "data"))
    with served(server) as url:
        yield Serving(server, folder, url)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Holds whoever reads the tags of a file, until it is opened."""
    gate = Gate()
    read = media.read_tags

    def read_behind_the_gate(path: Path) -> media.Tags:
        gate.pass_through()
        return read(path)

    monkeypatch.setattr(media, "read_tags", read_behind_the_gate)
    yield gate
    gate.open()
