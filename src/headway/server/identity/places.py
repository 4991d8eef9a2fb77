"""Where the tables of users and tokens are: in a file of the data folder, or in the store that nodes share."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

from headway.core.errors import Unavailable
from headway.ports import Document
from headway.server.data import IDENTITY, DataError, create_private, make_data_dir
from headway.server.identity.database import explained, is_ready, require_usable, upgrade

First = Callable[[sqlite3.Connection], None]
"""Fills empty tables."""


class Place(Protocol):
    """The tables, as one thread uses them. Each method raises ``DataError``."""

    name: str
    db: sqlite3.Connection
    """For reading."""

    def prepare(self, first: First | None) -> None:
        """Bring them to this program's version; ``first`` fills them where they are empty, None leaves them alone."""

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """A transaction that is theirs, for all to see, when the block is left without an error."""

    def changed(self) -> bool:
        """Whether there was a commit, by anyone, since what ``seen`` was told of; at first there was."""

    def seen(self) -> None:
        """What ``changed`` has found has been read."""

    def close(self) -> None:
        """Let go."""


class FilePlace:
    """``identity.db``, opened by several processes: the server, and the command line beside it."""

    def __init__(self, folder: Path, patience: float, *, create: bool) -> None:
        """``patience``: seconds to wait while another process writes."""
        self.path: Path = folder / IDENTITY
        self.name: str = str(self.path)
        self._patience = patience
        self._seen: int | None = None
        self._now: int | None = None
        if create:
            make_data_dir(folder)
            create_private(self.path)
        db, self._file = self._connected()
        self.db: sqlite3.Connection = db

    def prepare(self, first: First | None) -> None:
        """See ``Place.prepare``."""
        with explained(self.name):
            if is_ready(self.db, self.name, fill=first is not None):
                return
        with self.writing() as db:
            # Asked again now that nobody else can write: another process may have been first.
            if not is_ready(db, self.name, fill=first is not None):
                upgrade(db, self._back_up, first)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """See ``Place.writing``."""
        # What this connection commits is no change to SQLite's data_version: it is news all the same.
        self._seen = None
        with explained(self.name), self.db as db:
            db.execute("BEGIN IMMEDIATE")
            yield db

    def changed(self) -> bool:
        """See ``Place.changed``. Costs microseconds, and may wait as long as another process writes."""
        self._follow()
        with explained(self.name):
            self._now = self.db.execute("PRAGMA data_version").fetchone()[0]
        return self._now != self._seen

    def seen(self) -> None:
        """See ``Place.seen``."""
        self._seen = self._now

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def _connected(self) -> tuple[sqlite3.Connection, tuple[int, int]]:
        """A connection, and which file it is to."""
        with explained(self.name):
            file = _file(self.path)
            # mode=rw: SQLite would make a missing file for all to read.
            uri = f"{self.path.absolute().as_uri()}?mode=rw"
            db = sqlite3.connect(uri, uri=True, timeout=self._patience, isolation_level=None, check_same_thread=False)
            try:
                # No write-ahead log: its shared memory ties a short-lived command to the server for nothing here.
                for pragma in ("journal_mode = DELETE", "synchronous = FULL", "foreign_keys = ON"):
                    db.execute(f"PRAGMA {pragma}")
            except sqlite3.Error:
                db.close()
                raise
            return db, file

    def _follow(self) -> None:
        """Open the file anew when there is another in its place (a restored backup): else nothing revoked there
        would ever be noticed here.
        """
        with explained(self.name):
            if _file(self.path) == self._file:
                return
        other = FilePlace(self.path.parent, self._patience, create=False)
        try:
            other.prepare(None)
        except DataError:
            other.close()
            raise
        self.db.close()
        self.db, self._file, self._seen = other.db, other._file, None

    def _back_up(self, version: int) -> None:
        """Over a connection of its own: SQLite copies nothing over one that is about to write."""
        copy = self.path.with_name(f"{self.path.name}.v{version}.backup")
        draft = copy.with_name(f"{copy.name}.new")
        draft.unlink(missing_ok=True)
        create_private(draft)
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(draft)) as target:
            source.backup(target)
        draft.replace(copy)


class SharedPlace:
    """A document in the store that all nodes share: the whole database, a few kilobytes, held in memory by each."""

    def __init__(self, document: Document, folder: Path) -> None:
        """``folder``: this node's own, for backups."""
        self.name: str = document.name
        self._document = document
        self._folder = folder
        self._version = 0
        self._seen = -1
        self._content = b""
        self.db: sqlite3.Connection = _in_memory()

    def prepare(self, first: First | None) -> None:
        """See ``Place.prepare``."""
        with explained(self.name):
            self._refresh()
        if is_ready(self.db, self.name, fill=first is not None):
            return
        with self.writing() as db:
            if not is_ready(db, self.name, fill=first is not None):
                upgrade(db, self._back_up, first)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """See ``Place.writing``."""
        with explained(self.name), self._document.locked():
            self._refresh()
            with self.db as db:
                db.execute("BEGIN IMMEDIATE")
                yield db
            content = self.db.serialize()
            try:
                self._version = self._document.write(content, self._version)
            except Unavailable:
                self._load(self._content)  # should it have got there all the same, it is news
                raise
            self._content, self._seen = content, -1

    def changed(self) -> bool:
        """See ``Place.changed``."""
        with explained(self.name):
            self._refresh()
        return self._version != self._seen

    def seen(self) -> None:
        """See ``Place.seen``."""
        self._seen = self._version

    def close(self) -> None:
        """Let go."""
        self.db.close()
        self._document.close()

    def _refresh(self) -> None:
        found = self._document.read(self._version)
        if found is None:
            return
        self._version, self._content = found
        self._load(self._content)
        require_usable(self.db, self.name)  # whoever has upgraded it meanwhile

    def _load(self, content: bytes) -> None:
        if content:
            self.db.deserialize(content)
        else:
            self.db.close()
            self.db = _in_memory()

    def _back_up(self, version: int) -> None:
        copy = self._folder / f"{IDENTITY}.shared.v{version}.backup"
        copy.unlink(missing_ok=True)
        create_private(copy)
        copy.write_bytes(self._content)


def _in_memory() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA foreign_keys = ON")
    return db


def _file(path: Path) -> tuple[int, int]:
    """Which file it is, whatever it is called."""
    status = os.stat(path)
    return status.st_dev, status.st_ino
