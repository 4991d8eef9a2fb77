"""What there is to serve, and to whom."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from starlette.requests import HTTPConnection

from headway import Principal

TOKEN = "X-Plex-Token"


class Kind(StrEnum):
    """What a section holds; the value is its name in Plex."""

    MOVIES = "movie"
    MUSIC = "artist"

    @property
    def suffixes(self) -> frozenset[str]:
        """How the names of its files end."""
        return _SUFFIXES[self]

    @property
    def item(self) -> str:
        """The type of its items in Plex."""
        return "movie" if self is Kind.MOVIES else "track"

    @property
    def code(self) -> str:
        """The number of that type in queries."""
        return "1" if self is Kind.MOVIES else "10"


_SUFFIXES = {
    Kind.MOVIES: frozenset({".mp4", ".m4v"}),
    Kind.MUSIC: frozenset({".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a"}),
}


class Section(NamedTuple):
    """A folder of one kind of media."""

    id: int
    title: str
    kind: Kind
    folder: Path


class Config(NamedTuple):
    """One server."""

    sections: tuple[Section, ...]
    users: Mapping[str, Principal]
    """By token."""
    data: Path
    """A folder of the server's own, outside of the sections."""

    def section(self, id: int) -> Section | None:
        """The section of a number, if there is one."""
        return next((section for section in self.sections if section.id == id), None)

    def identify(self, connection: HTTPConnection) -> Principal | None:
        """Who is calling, by the token in a header or in the query."""
        token = connection.headers.get(TOKEN) or connection.query_params.get(TOKEN, "")
        known = (user for name, user in self.users.items() if hmac.compare_digest(name.encode(), token.encode()))
        return next(known, None)


def sections_of(folder: Path) -> tuple[Section, ...]:
    """The two sections that a folder of media has."""
    return (
        Section(1, "Movies", Kind.MOVIES, folder / "Movies"),
        Section(2, "Music", Kind.MUSIC, folder / "Music"),
    )
