"""The tables of users and tokens, wherever they are: brought to the version that this program knows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Literal

from headway.core.errors import Unavailable
from headway.server.data import DataError
from headway.server.identity.tokens import new_id

STEPS = ("schema.sql", "sessions.sql", "shares.sql", "links.sql", "compatibility.sql")
"""What leads from each version to the next, from none at all on."""

VERSION = len(STEPS)


def version_of(db: sqlite3.Connection) -> int:
    """0 of a database that is empty."""
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def is_ready(db: sqlite3.Connection, name: str, *, fill: bool) -> bool:
    """Whether this program can use the tables as they are; else it has to upgrade them first. Raises ``DataError`` for
    those that only newer ones can use, and for empty ones that are not to be filled.
    """
    version = version_of(db)
    if version == 0 and not fill:
        raise DataError(f"{name} is empty; the server or `headway token create` fills it")
    require_usable(db, name)
    return version >= VERSION


def require_usable(db: sqlite3.Connection, name: str) -> None:
    """Raise ``DataError`` for tables that only newer programs can use."""
    version = version_of(db)
    if version <= VERSION:
        return
    (oldest,) = db.execute("SELECT oldest FROM compatibility").fetchone()
    if oldest > VERSION:
        raise DataError(
            f"{name} has version {version}, this Headway knows {VERSION}: "
            "use the newer Headway that made it, or another folder (--data, HEADWAY_DATA)"
        )


def upgrade(
    db: sqlite3.Connection, back_up: Callable[[int], None], first: Callable[[sqlite3.Connection], None] | None
) -> None:
    """Bring the tables to this program's version, an older one after a backup (``back_up`` is told its version).
    ``first`` fills an empty database. Within a transaction, where nobody else can write.
    """
    version = version_of(db)
    if 0 < version < VERSION:
        back_up(version)
    for step in STEPS[version:]:
        script = resources.files(__package__).joinpath(step).read_text(encoding="utf-8")
        # Statement by statement: executescript() would first commit the transaction that keeps others out.
        for statement in _statements(script):
            db.execute(statement)
    if version == 0 and first is not None:
        first(db)
    if version < VERSION:
        db.execute(f"PRAGMA user_version = {VERSION}")


def free_id(db: sqlite3.Connection, table: Literal["tokens", "sessions", "shares"]) -> str:
    """A public id that no row of a table has; inside the transaction that will use it."""
    while db.execute(f"SELECT 1 FROM {table} WHERE id = ?", (id := new_id(),)).fetchone():  # noqa: S608 - constants
        pass
    return id


@contextmanager
def explained(name: str) -> Iterator[None]:
    """What goes wrong with the tables is a ``DataError``. ``name``: where they are."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{name} does not exist; the server or `headway token create` makes it") from error
    except OSError as error:
        raise DataError(f"cannot use {name}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise DataError(f"cannot use {name}: {error}") from error
    except Unavailable as error:
        raise DataError(f"cannot use the tokens: {error.message}") from error


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
