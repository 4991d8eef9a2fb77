"""The file ``identity.db``: opened by several processes, and brought to the version that this program knows."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import Literal

from headway.server.data import DataError, create_private
from headway.server.identity.tokens import new_id

STEPS = ("schema.sql", "sessions.sql", "shares.sql")
"""What leads from each version to the next, from none at all on."""

VERSION = len(STEPS)


def connect(path: Path, patience: float) -> tuple[sqlite3.Connection, tuple[int, int]]:
    """A connection, and which file it is to. ``patience``: seconds to wait while another process writes."""
    with explained(path):
        file = identity_of(path)
        # mode=rw: SQLite would make a missing file for all to read.
        uri = f"{path.absolute().as_uri()}?mode=rw"
        db = sqlite3.connect(uri, uri=True, timeout=patience, isolation_level=None, check_same_thread=False)
        try:
            # No write-ahead log: its shared memory ties a short-lived command to the server for nothing here.
            for pragma in ("journal_mode = DELETE", "synchronous = FULL", "foreign_keys = ON"):
                db.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            db.close()
            raise
        return db, file


def identity_of(path: Path) -> tuple[int, int]:
    """Which file it is, whatever it is called."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def version_of(db: sqlite3.Connection) -> int:
    """0 of a database that is empty."""
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def prepare(db: sqlite3.Connection, path: Path, first: Callable[[sqlite3.Connection], None] | None) -> None:
    """Bring the tables to this program's version, an older one after a backup. ``first`` fills an empty database; None
    leaves it alone. Raises ``DataError`` for one that is newer, or empty and to be left alone.
    """
    with explained(path):
        version = version_of(db)
        if 0 < version < VERSION or (version == 0 and first is not None):
            with db:
                db.execute("BEGIN IMMEDIATE")
                # Asked again now that nobody else can write: another process may have been first.
                _upgrade(db, path, version_of(db), first)
        version = version_of(db)
    if version == 0:
        raise DataError(f"{path} is empty; the server or `headway token create` fills it")
    if version != VERSION:
        raise DataError(
            f"{path} has version {version}, this Headway knows {VERSION}: "
            "use the newer Headway that made it, or another folder (--data, HEADWAY_DATA)"
        )


def free_id(db: sqlite3.Connection, table: Literal["tokens", "sessions", "shares"]) -> str:
    """A public id that no row of a table has; inside the transaction that will use it."""
    while db.execute(f"SELECT 1 FROM {table} WHERE id = ?", (id := new_id(),)).fetchone():  # noqa: S608 - constants
        pass
    return id


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What goes wrong with the file is a ``DataError``."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; the server or `headway token create` makes it") from error
    except OSError as error:
        raise DataError(f"cannot use {path}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise DataError(f"cannot use {path}: {error}") from error


def _upgrade(
    db: sqlite3.Connection, path: Path, version: int, first: Callable[[sqlite3.Connection], None] | None
) -> None:
    if 0 < version < VERSION:
        _back_up(path, path.with_name(f"{path.name}.v{version}.backup"))
    for step in STEPS[version:]:
        script = resources.files(__package__).joinpath(step).read_text(encoding="utf-8")
        # Statement by statement: executescript() would first commit the transaction that keeps others out.
        for statement in _statements(script):
            db.execute(statement)
    if version == 0 and first is not None:
        first(db)
    if version < VERSION:
        db.execute(f"PRAGMA user_version = {VERSION}")


def _back_up(path: Path, copy: Path) -> None:
    """Over a connection of its own: SQLite copies nothing over one that is about to write."""
    draft = copy.with_name(f"{copy.name}.new")
    draft.unlink(missing_ok=True)
    create_private(draft)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(draft)) as target:
        source.backup(target)
    draft.replace(copy)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
