"""What a media file says of itself: its tags, its streams, and a fingerprint of its bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import mutagen

from examples.mediaserver.files import shown
from headway.core.text import clean, shortened

BLOCK = 1 << 20
"""Bytes that are read at once."""
LONGEST = 256
"""Characters of a tag that are kept."""


class Broken(Exception):
    """A file that is not the media it is named as; the message says why."""


class Tags(msgspec.Struct, frozen=True, omit_defaults=True):
    """What its makers wrote into a file."""

    title: str
    artist: str = ""
    album: str = ""
    index: int = 0
    year: int = 0


class Analysis(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known from its bytes."""

    duration: int
    """Milliseconds."""
    bitrate: int
    """Kilobits a second."""
    codec: str
    channels: int
    hash: str


def read_tags(path: Path) -> Tags:
    """The tags; the title is the file's name if there is none. Raises ``Broken``."""
    tags = _opened(path).tags or {}
    return Tags(
        title=_text(tags, "title") or name_of(path),
        artist=_text(tags, "artist"),
        album=_text(tags, "album"),
        index=_number(tags, "tracknumber"),
        year=_number(tags, "date"),
    )


def analyse(path: Path, between: Callable[[], None]) -> Analysis:
    """The streams, and the whole file read once. ``between`` is called before each block: it may take long, and
    whatever is raised there ends it. Raises ``Broken``.
    """
    file, digest = _opened(path), hashlib.sha1(usedforsecurity=False)
    try:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                between()
                digest.update(block)
    except OSError as error:
        raise Broken(error.strerror or "cannot be read") from error
    return Analysis(
        duration=round(1000 * file.info.length),
        bitrate=round(getattr(file.info, "bitrate", 0) / 1000),
        codec=_codec(file),
        channels=getattr(file.info, "channels", 0),
        hash=digest.hexdigest(),
    )


def name_of(path: Path) -> str:
    """What to call a file whose tags have not been read or do not say."""
    return shortened(shown(path.stem), LONGEST)


def _opened(path: Path) -> Any:
    try:
        file = mutagen.File(path, easy=True)
    except Exception as error:  # made to be hostile, a file can make a parser fail in any way
        raise Broken(shortened(clean(str(error)), LONGEST) or type(error).__name__) from error
    if file is None:
        raise Broken("no media in it")
    return file


def _codec(file: Any) -> str:
    """As Plex names it: ``aac``, ``mp3``, ``flac``, ``vorbis``, ``opus``; empty for a film without sound."""
    name = type(file).__name__.lower()
    if name.endswith("mp4"):
        return str(file.info.codec_description).partition(" ")[0].lower()
    return name.removeprefix("easy").removeprefix("ogg")


def _text(tags: Any, name: str) -> str:
    values = tags.get(name) or [""]
    return shortened(clean(str(values[0])), LONGEST)


def _number(tags: Any, name: str) -> int:
    """The number that a tag begins with: of ``3/12`` or ``2002-09-20`` the first."""
    match = re.match(r"\s*([0-9]{1,9})", _text(tags, name))
    return int(match[1]) if match else 0
