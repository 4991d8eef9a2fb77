"""Users and tokens in ``identity.db``: a file of its own, since the command line writes it while a server runs."""

from __future__ import annotations

import math
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from headway.core.policy import ADMIN_USER, Role
from headway.server.data import (
    ADMIN_TOKEN,
    IDENTITY,
    DataError,
    create_private,
    make_data_dir,
    write_private,
)
from headway.server.identity.tokens import checked_label, checked_name, digest, new_id, new_token

VERSION = 1
ADMIN_NAME = "admin"
PATIENCE = 5.0
"""Seconds to wait while another process writes."""

_SELECT = """
    SELECT t.hash, t.id, t.user_id, u.name, t.role, t.label, t.created_at, t.expires_at, t.revoked_at
    FROM tokens AS t JOIN users AS u ON u.id = t.user_id
"""


class TokenRecord(msgspec.Struct, frozen=True):
    """What may be known of a token: neither the token nor its hash."""

    id: str
    user_id: int
    user: str
    role: Role
    label: str
    created_at: float
    """Seconds since the epoch, like every time here."""
    expires_at: float = math.inf
    revoked_at: float | None = None

    def state(self, now: float) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if now < self.expires_at else "expired"


class TokenStore:
    """The tables of ``schema.sql`` as operations, safe among several processes. One thread at a time."""

    def __init__(self, path: Path, patience: float) -> None:
        self.path = path
        self._patience = patience
        self._db, self._file = _connect(path, patience)
        self._seen: int | None = None

    @classmethod
    def open(cls, folder: Path, *, now: float, create: bool = True, patience: float = PATIENCE) -> TokenStore:
        """Open the database of a data folder, and make both if need be.

        The first opening makes user ``admin`` with id 1 and its token, which is then in ``DATA/admin.token`` and
        nowhere else. Who deletes that file gets a new token by ``headway token create admin --admin``.
        Raises ``DataError``; also when there is no database and none is to be created.
        """
        path = folder / IDENTITY
        if create:
            make_data_dir(folder)
            create_private(path)
        store = cls(path, patience)
        try:
            store._prepare(now, create)
        except DataError:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def create(
        self, user: str, role: Role, *, now: float, label: str = "", expires_at: float = math.inf
    ) -> tuple[str, TokenRecord]:
        """Make a token, and its user if there is none of that name; the token cannot be had again.

        Raises ``InvalidInput`` for a bad name or label, ``DataError``.
        """
        user, label = checked_name(user), checked_label(label)
        with self._writing() as db:
            return _insert(db, user, role, now, label, expires_at)

    def tokens(self) -> list[TokenRecord]:
        """Every token ever made, oldest first. Raises ``DataError``."""
        with _explained(self.path):
            rows = self._db.execute(f"{_SELECT} ORDER BY t.rowid").fetchall()
        return [_record(row) for row in rows]

    def unrevoked(self) -> list[tuple[bytes, TokenRecord]]:
        """The tokens that open something until they expire, each with its digest. Raises ``DataError``."""
        with _explained(self.path):
            rows = self._db.execute(f"{_SELECT} WHERE t.revoked_at IS NULL ORDER BY t.rowid").fetchall()
        return [(row[0], _record(row)) for row in rows]

    def revoke(self, *, now: float, id: str | None = None, user: str | None = None) -> int:
        """Revoke one token, or all of a user; how many matched, those revoked before included. Raises ``DataError``."""
        with self._writing() as db:
            return db.execute(
                "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?) "
                "WHERE id = ? OR user_id = (SELECT id FROM users WHERE name = ?)",
                (now, id, user),
            ).rowcount

    def news(self) -> list[tuple[bytes, TokenRecord]] | None:
        """``unrevoked()`` at first, after a commit by another connection and after the file was replaced; else None.

        Costs microseconds when there is none, and may wait as long as another process writes. Raises ``DataError``;
        what could not be read is still news the next time.
        """
        self._follow()
        with _explained(self.path):
            version: int = self._db.execute("PRAGMA data_version").fetchone()[0]
        if version == self._seen:
            return None
        tokens = self.unrevoked()
        self._seen = version
        return tokens

    def _follow(self) -> None:
        """Open the file anew when there is another in its place (a restored backup): else nothing revoked there
        would ever be noticed here.
        """
        with _explained(self.path):
            if _identity_of(self.path) == self._file:
                return
        other = TokenStore.open(self.path.parent, now=0, create=False, patience=self._patience)
        self._db.close()
        self._db, self._file, self._seen = other._db, other._file, None

    def _prepare(self, now: float, create: bool) -> None:
        if self._version() == 0 and create:
            with self._writing() as db:
                # Asked again now that nobody else can write: another process may have been first.
                if self._version() == 0:
                    _initialise(db, self.path.parent, now)
        version = self._version()
        if version == 0:
            raise DataError(f"{self.path} is empty; the server or `headway token create` fills it")
        if version != VERSION:
            raise DataError(
                f"{self.path} has version {version}, this Headway knows {VERSION}: "
                "use the newer Headway that made it, or another folder (--data, HEADWAY_DATA)"
            )

    def _version(self) -> int:
        with _explained(self.path):
            version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
            return version

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _explained(self.path), self._db as db:
            db.execute("BEGIN IMMEDIATE")
            yield db


def _connect(path: Path, patience: float) -> tuple[sqlite3.Connection, tuple[int, int]]:
    """A connection and which file it is to."""
    with _explained(path):
        file = _identity_of(path)
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


def _identity_of(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _initialise(db: sqlite3.Connection, folder: Path, now: float) -> None:
    schema = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    # Statement by statement: executescript() would first commit the transaction that keeps others out.
    for statement in _statements(schema):
        db.execute(statement)
    token, record = _insert(db, ADMIN_NAME, Role.ADMIN, now, "first start", math.inf)
    if record.user_id != ADMIN_USER:
        raise DataError(f"the first user got id {record.user_id}")
    # Before the commit: after a crash in between, the next opening starts over and replaces the file.
    write_private(folder / ADMIN_TOKEN, f"{token}\n")
    db.execute(f"PRAGMA user_version = {VERSION}")


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _insert(
    db: sqlite3.Connection, user: str, role: Role, now: float, label: str, expires_at: float
) -> tuple[str, TokenRecord]:
    record = TokenRecord(_free_id(db), _user_id(db, user, now), user, role, label, now, expires_at)
    token = new_token(record.id)
    db.execute(
        "INSERT INTO tokens (id, hash, user_id, role, label, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (record.id, digest(token), record.user_id, role.value, label, now, _null(expires_at)),
    )
    return token, record


def _user_id(db: sqlite3.Connection, name: str, now: float) -> int:
    # Looked up first: an insert that ends in a conflict uses up an id all the same.
    if row := db.execute("SELECT id FROM users WHERE name = ?", (name,)).fetchone():
        return int(row[0])
    inserted = db.execute("INSERT INTO users (name, created_at) VALUES (?, ?) RETURNING id", (name, now))
    return int(inserted.fetchone()[0])


def _free_id(db: sqlite3.Connection) -> str:
    while db.execute("SELECT 1 FROM tokens WHERE id = ?", (id := new_id(),)).fetchone():
        pass
    return id


def _null(moment: float) -> float | None:
    return None if moment == math.inf else moment


def _record(row: tuple[Any, ...]) -> TokenRecord:
    _, id, user_id, user, role, label, created_at, expires_at, revoked_at = row
    if expires_at is None:
        expires_at = math.inf
    return TokenRecord(id, user_id, user, Role(role), label, created_at, expires_at, revoked_at)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; the server or `headway token create` makes it") from error
    except OSError as error:
        raise DataError(f"cannot use {path}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise DataError(f"cannot use {path}: {error}") from error
