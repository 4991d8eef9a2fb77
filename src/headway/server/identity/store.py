"""Users, tokens and what comes of them, as operations on their tables: these are a file of their own, since the command
line writes it while a server runs, or a document in the store that nodes share.
"""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from headway.core.errors import TooMany
from headway.core.policy import ADMIN_USER, Role
from headway.ports import Document
from headway.server.data import (
    ADMIN_TOKEN,
    DataError,
    make_data_dir,
    write_private,
)
from headway.server.identity.database import explained, free_id, require_usable
from headway.server.identity.links import Link, drop_links, find_link, insert_link, take_link
from headway.server.identity.places import FilePlace, Place, SharedPlace
from headway.server.identity.sessions import SessionRecord, admitted_sessions, insert_session
from headway.server.identity.shares import (
    ShareRecord,
    admitted_shares,
    find_share,
    insert_share,
    require_room,
)
from headway.server.identity.tokens import checked_label, checked_name, digest, new_token

ADMIN_NAME = "admin"
PATIENCE = 5.0
"""Seconds to wait while another process writes."""

_SELECT = """
    SELECT t.hash, t.id, t.user_id, u.name, t.role, t.label, t.created_at, t.expires_at, t.revoked_at
    FROM tokens AS t JOIN users AS u ON u.id = t.user_id
"""
DAY = 86_400.0


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


class UserRecord(msgspec.Struct, frozen=True):
    """A user."""

    id: int
    name: str
    created_at: float
    tokens: int
    """How many there are that open something."""
    sessions: int


class Admitted(NamedTuple):
    """All that opens something until it expires, each with its digest."""

    tokens: list[tuple[bytes, TokenRecord]]
    sessions: list[tuple[bytes, SessionRecord]]
    shares: list[tuple[bytes, ShareRecord]]


class TokenStore:
    """The tables of ``schema.sql`` as operations, safe among several processes. One thread at a time."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place: Place = place
        self._folder = folder

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        now: float,
        create: bool = True,
        patience: float = PATIENCE,
        shared: Document | None = None,
    ) -> TokenStore:
        """Open the database of a data folder, and make both if need be; or the one that nodes share.

        The first opening makes user ``admin`` with id 1 and its token, which is then in ``DATA/admin.token`` and
        nowhere else. Who deletes that file gets a new token by ``headway token create admin --admin``.
        Raises ``DataError``; also when there is no database and none is to be created.
        """
        if shared is not None:
            make_data_dir(folder)
        place = FilePlace(folder, patience, create=create) if shared is None else SharedPlace(shared, folder)

        def first(db: sqlite3.Connection) -> None:
            _make_admin(db, folder, now)

        try:
            place.prepare(first if create else None)
        except DataError:
            place.close()
            raise
        return cls(place, folder)

    def close(self) -> None:
        """Let go."""
        self.place.close()

    def create(
        self,
        user: str,
        role: Role,
        *,
        now: float,
        label: str = "",
        expires_at: float = math.inf,
        at_most: float = math.inf,
    ) -> tuple[str, TokenRecord]:
        """Make a token, and its user if there is none of that name; the token cannot be had again.

        ``at_most``: how many a user may have that are valid or were made within a day. Raises ``InvalidInput`` for a
        bad name or label, ``TooMany``, ``DataError``.
        """
        user, label = checked_name(user), checked_label(label)
        with self.place.writing() as db:
            if _recent(db, user, now) >= at_most:
                raise TooMany(f"a user may have {at_most:g} tokens, and make as many within a day; revoke some first")
            return _insert(db, user, role, now, label, expires_at)

    def tokens(self) -> list[TokenRecord]:
        """Every token ever made, oldest first. Raises ``DataError``."""
        with explained(self.place.name):
            rows = self.place.db.execute(f"{_SELECT} ORDER BY t.rowid").fetchall()
        return [_record(row) for row in rows]

    def token(self, id: str) -> TokenRecord | None:
        """The token with that public id. Raises ``DataError``."""
        with explained(self.place.name):
            row = self.place.db.execute(f"{_SELECT} WHERE t.id = ?", (id,)).fetchone()
        return None if row is None else _record(row)

    def unrevoked(self) -> list[tuple[bytes, TokenRecord]]:
        """The tokens that open something until they expire, each with its digest. Raises ``DataError``."""
        with explained(self.place.name):
            rows = self.place.db.execute(f"{_SELECT} WHERE t.revoked_at IS NULL ORDER BY t.rowid").fetchall()
        return [(row[0], _record(row)) for row in rows]

    def revoke(self, *, now: float, id: str | None = None, user: str | None = None) -> int:
        """Revoke one token, or all of a user; how many matched, those revoked before included. Raises ``DataError``."""
        with self.place.writing() as db:
            return db.execute(
                "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?) "
                "WHERE id = ? OR user_id = (SELECT id FROM users WHERE name = ?)",
                (now, id, user),
            ).rowcount

    def users(self, *, now: float) -> list[UserRecord]:
        """Everyone there is, in order of their ids. Raises ``DataError``."""
        with explained(self.place.name):
            rows = self.place.db.execute(
                "SELECT id, name, created_at,"
                " (SELECT count(*) FROM tokens WHERE user_id = u.id AND revoked_at IS NULL AND"
                "  coalesce(expires_at > :now, 1)),"
                " (SELECT count(*) FROM sessions AS s JOIN tokens AS t ON t.id = s.token_id WHERE t.user_id = u.id AND"
                "  s.expires_at > :now AND coalesce(t.expires_at > :now, 1))"
                " FROM users AS u ORDER BY id",
                {"now": now},
            ).fetchall()
        return [UserRecord(*row) for row in rows]

    def open_session(self, token_id: str, *, now: float) -> tuple[str, SessionRecord] | None:
        """Make a session of a token; its secret cannot be had again. None when the token opens nothing (any more).

        Raises ``DataError``.
        """
        with self.place.writing() as db:
            token = _good(db, token_id, now)
            if token is None:
                return None
            return insert_session(db, token, now=now)

    def open_session_by_link(self, code: str, *, now: float) -> tuple[str, SessionRecord] | None:
        """The same by a one-use link, which is then used. None for a code that is none (any more).

        Raises ``DataError``.
        """
        self.place.changed()  # another node may have made it just now
        if find_link(self.place.db, code, now=now) is None:
            return None  # without a look at who is writing: anybody may send codes
        with self.place.writing() as db:
            link = take_link(db, code, now=now)
            token = None if link is None else _good(db, link.token, now)
            return None if token is None else insert_session(db, token, now=now)

    def make_link(self, token_id: str, *, now: float) -> tuple[str, Link] | None:
        """Make a one-use link to a session of a token; its code cannot be had again. None when the token opens nothing
        (any more).

        Raises ``DataError``.
        """
        with self.place.writing() as db:
            token = _good(db, token_id, now)
            return None if token is None else insert_link(db, token, now=now)

    def close_session(self, id: str) -> None:
        """End a session, if there is one of that id. Raises ``DataError``."""
        with self.place.writing() as db:
            db.execute("DELETE FROM sessions WHERE id = ?", (id,))

    def close_sessions(self, user_id: int) -> int:
        """End all sessions of a user, whose links are then worthless too; how many sessions there were.

        Raises ``DataError``.
        """
        with self.place.writing() as db:
            drop_links(db, user_id)
            return db.execute(
                "DELETE FROM sessions WHERE token_id IN (SELECT id FROM tokens WHERE user_id = ?)", (user_id,)
            ).rowcount

    def open_share(
        self, token_id: str, activity: str, owner: int, *, now: float, expires_at: float
    ) -> tuple[str, ShareRecord] | None:
        """Make a share of an activity; its secret cannot be had again. None when the token opens nothing (any more).

        Raises ``TooMany``, ``DataError``.
        """
        with self.place.writing() as db:
            token = _good(db, token_id, now)
            if token is None:
                return None
            require_room(db, token.user_id, now)
            return insert_share(db, token, activity, owner, now=now, expires_at=expires_at)

    def share(self, id: str) -> ShareRecord | None:
        """The share with that public id. Raises ``DataError``."""
        with explained(self.place.name):
            return find_share(self.place.db, id)

    def close_share(self, id: str) -> None:
        """End a share, if there is one of that id. Raises ``DataError``."""
        with self.place.writing() as db:
            db.execute("DELETE FROM shares WHERE id = ?", (id,))

    def admitted(self) -> Admitted:
        """What opens something: tokens, and what came of them. Raises ``DataError``."""
        with explained(self.place.name):
            sessions, shares = admitted_sessions(self.place.db), admitted_shares(self.place.db)
        return Admitted(self.unrevoked(), sessions, shares)

    def news(self) -> Admitted | None:
        """``admitted()`` at first, after any commit and after the file was replaced; else None.

        Raises ``DataError``; what could not be read is still news the next time.
        """
        if not self.place.changed():
            return None
        with explained(self.place.name):
            require_usable(self.place.db, self.place.name)  # whoever has upgraded them meanwhile
        admitted = self.admitted()
        self.place.seen()
        return admitted


def _make_admin(db: sqlite3.Connection, folder: Path, now: float) -> None:
    token, record = _insert(db, ADMIN_NAME, Role.ADMIN, now, "first start", math.inf)
    if record.user_id != ADMIN_USER:
        raise DataError(f"the first user got id {record.user_id}")
    # Before the commit: after a crash in between, the next opening starts over and replaces the file.
    write_private(folder / ADMIN_TOKEN, f"{token}\n")


def _insert(
    db: sqlite3.Connection, user: str, role: Role, now: float, label: str, expires_at: float
) -> tuple[str, TokenRecord]:
    record = TokenRecord(free_id(db, "tokens"), _user_id(db, user, now), user, role, label, now, expires_at)
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


def _recent(db: sqlite3.Connection, user: str, now: float) -> int:
    """How many tokens of a user are valid, or were made within a day: revoking some makes no room for ever more."""
    (count,) = db.execute(
        "SELECT count(*) FROM tokens WHERE user_id = (SELECT id FROM users WHERE name = ?)"
        " AND (created_at > ? OR (revoked_at IS NULL AND coalesce(expires_at > ?, 1)))",
        (user, now - DAY, now),
    ).fetchone()
    return int(count)


def _good(db: sqlite3.Connection, id: str, now: float) -> TokenRecord | None:
    """A token that opens something now."""
    row = db.execute(f"{_SELECT} WHERE t.id = ? AND t.revoked_at IS NULL", (id,)).fetchone()
    token = None if row is None else _record(row)
    return token if token is not None and now < token.expires_at else None


def _null(moment: float) -> float | None:
    return None if moment == math.inf else moment


def _record(row: tuple[Any, ...]) -> TokenRecord:
    _, id, user_id, user, role, label, created_at, expires_at, revoked_at = row
    if expires_at is None:
        expires_at = math.inf
    return TokenRecord(id, user_id, user, Role(role), label, created_at, expires_at, revoked_at)
