"""Sessions as they are kept: a browser that has logged in shows the cookie of one instead of a token."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec

from headway.core.policy import Role
from headway.server.identity.database import free_id
from headway.server.identity.tokens import digest, new_session

if TYPE_CHECKING:
    from headway.server.identity.store import TokenRecord

SESSION_LIFETIME = 30 * 86_400.0
"""Seconds after which a browser has to log in again."""
SESSIONS_PER_USER = 100
"""The oldest ends when there is one more."""

_SELECT = """
    SELECT s.hash, s.id, s.token_id, t.user_id, u.name, t.role, s.created_at, s.expires_at, t.expires_at
    FROM sessions AS s JOIN tokens AS t ON t.id = s.token_id JOIN users AS u ON u.id = t.user_id
    WHERE t.revoked_at IS NULL ORDER BY s.rowid
"""


class SessionRecord(msgspec.Struct, frozen=True):
    """What may be known of a browser's session: neither the cookie nor its hash."""

    id: str
    token: str
    """The id of the token that it came from, whose user and role it has."""
    user_id: int
    user: str
    role: Role
    created_at: float
    expires_at: float
    """Never later than the token's."""


def admitted_sessions(db: sqlite3.Connection) -> list[tuple[bytes, SessionRecord]]:
    """Those that open something until they expire, each with its digest; oldest first."""
    return [(row[0], _record(row)) for row in db.execute(_SELECT).fetchall()]


def insert_session(db: sqlite3.Connection, token: TokenRecord, *, now: float) -> tuple[str, SessionRecord]:
    """Make one, and room for it; its secret cannot be had again."""
    _make_room(db, token.user_id, now)
    expires_at = min(now + SESSION_LIFETIME, token.expires_at)
    record = SessionRecord(free_id(db, "sessions"), token.id, token.user_id, token.user, token.role, now, expires_at)
    secret = new_session(record.id)
    db.execute(
        "INSERT INTO sessions (id, hash, token_id, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
        (record.id, digest(secret), token.id, now, expires_at),
    )
    return secret, record


def _make_room(db: sqlite3.Connection, user_id: int, now: float) -> None:
    """For one more session of a user."""
    db.execute("DELETE FROM sessions WHERE expires_at <= ?", (now,))
    db.execute(
        "DELETE FROM sessions WHERE id IN (SELECT s.id FROM sessions AS s JOIN tokens AS t ON t.id = s.token_id"
        " WHERE t.user_id = ? ORDER BY s.rowid DESC LIMIT -1 OFFSET ?)",
        (user_id, SESSIONS_PER_USER - 1),
    )


def _record(row: tuple[Any, ...]) -> SessionRecord:
    _, id, token, user_id, user, role, created_at, expires_at, token_expires_at = row
    if token_expires_at is not None:
        expires_at = min(expires_at, token_expires_at)  # which may have been brought forward since
    return SessionRecord(id, token, user_id, user, Role(role), created_at, expires_at)
