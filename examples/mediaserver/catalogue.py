"""The library's own database: what lies in the sections, in SQLite.

One connection, used by one thread at a time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from examples.mediaserver.files import MediaFile
from examples.mediaserver.media import Analysis, Tags, name_of

SCHEMA = """
CREATE TABLE IF NOT EXISTS item (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    section INTEGER NOT NULL,
    path BLOB NOT NULL UNIQUE,  -- names of files need not be text
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,  -- ns, as the file system says
    added REAL NOT NULL,        -- s since the epoch
    updated REAL NOT NULL,
    tags BLOB NOT NULL,         -- JSON
    analysis BLOB,              -- JSON; none before the first refresh, nor for a broken file
    problem TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS item_section ON item (section, id);
"""
TITLED = "section = ? AND instr(lower(json_extract(tags, '$.title')), lower(?))"
"""Of a section, and with a text in its title: the empty one is in all."""


class Item(msgspec.Struct, frozen=True):
    """One film or track."""

    id: int
    section: int
    file: MediaFile
    added: int
    updated: int
    tags: Tags
    analysis: Analysis | None
    problem: str
    """Why the file cannot be used, if it cannot."""

    @property
    def key(self) -> str:
        """Where it is found, as Plex has it."""
        return f"/library/metadata/{self.id}"


class Catalogue:
    """All items. Any thread may call it."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._lock = threading.Lock()
        self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + SCHEMA)

    def close(self) -> None:
        """No calls after this."""
        self._database.close()

    def files(self, section: int) -> dict[Path, MediaFile]:
        """The files of a section as the last scan found them."""
        with self._using() as database:
            rows = database.execute("SELECT path, size, modified FROM item WHERE section = ?", (section,)).fetchall()
        files = (MediaFile(_path(path), size, modified) for path, size, modified in rows)
        return {file.path: file for file in files}

    def items(self, section: int, title: str = "", start: int = 0, size: int = -1) -> list[Item]:
        """Those of a section in order of arrival, with this in their titles, in whatever case; ``size`` -1: all."""
        return self._items(f"{TITLED} ORDER BY id LIMIT ? OFFSET ?", section, title, size, start)

    def count(self, section: int, title: str = "") -> int:
        """How many those are."""
        with self._using() as database:
            count: int = database.execute(f"SELECT count(*) FROM item WHERE {TITLED}", (section, title)).fetchone()[0]  # noqa: S608
        return count

    def find(self, ids: Iterable[int]) -> list[Item]:
        """The items of these ids, as far as there are any."""
        return self._items(
            "id IN (SELECT value FROM json_each(?)) ORDER BY id", msgspec.json.encode(list(ids)).decode()
        )

    def fresh(self, section: int) -> list[Item]:
        """Those of which only the file's name is known so far."""
        return self._items("section = ? AND analysis IS NULL AND problem = '' ORDER BY id", section)

    def put(self, section: int, file: MediaFile) -> None:
        """Take in a file that is new or has changed."""
        tags, now = msgspec.json.encode(Tags(name_of(file.path))), time.time()
        with self._using() as database:
            database.execute(
                "INSERT INTO item (section, path, size, modified, added, updated, tags) VALUES (?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (path) DO UPDATE SET section = excluded.section, size = excluded.size, "
                "modified = excluded.modified, updated = excluded.updated, analysis = NULL, problem = ''",
                (section, os.fsencode(file.path), file.size, file.modified, now, now, tags),
            )

    def describe(self, id: int, tags: Tags, analysis: Analysis | None, problem: str = "") -> None:
        """Keep what has been read from an item's file."""
        with self._using() as database:
            database.execute(
                "UPDATE item SET tags = ?, analysis = ?, problem = ?, updated = ? WHERE id = ?",
                (msgspec.json.encode(tags), analysis and msgspec.json.encode(analysis), problem, time.time(), id),
            )

    def remove(self, paths: Iterable[Path]) -> None:
        """Forget files that are gone."""
        with self._using() as database:
            database.executemany("DELETE FROM item WHERE path = ?", [(os.fsencode(path),) for path in paths])

    def optimize(self) -> int:
        """Give back what the database no longer needs, and learn its statistics anew; how many bytes that saved."""
        with self._using() as database:
            before = _size(database)
            for statement in ("VACUUM", "ANALYZE"):
                database.execute(statement)
            return max(0, before - _size(database))

    def _items(self, condition: str, *arguments: object) -> list[Item]:
        columns = "id, section, path, size, modified, added, updated, tags, analysis, problem"
        with self._using() as database:
            rows = database.execute(f"SELECT {columns} FROM item WHERE {condition}", arguments).fetchall()  # noqa: S608
        return [_item(*row) for row in rows]

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._database


def _item(
    id: int,
    section: int,
    path: bytes,
    size: int,
    modified: int,
    added: float,
    updated: float,
    tags: bytes,
    analysis: bytes | None,
    problem: str,
) -> Item:
    file = MediaFile(_path(path), size, modified)
    analysed = None if analysis is None else msgspec.json.decode(analysis, type=Analysis)
    known = msgspec.json.decode(tags, type=Tags)
    return Item(id, section, file, int(added), int(updated), known, analysed, problem)


def _path(stored: bytes) -> Path:
    return Path(os.fsdecode(stored))


def _size(database: sqlite3.Connection) -> int:
    size: int = database.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
    return size
