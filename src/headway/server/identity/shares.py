"""Shares as they are kept: who has a share's secret may look at one activity, as long as its token is good."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec

from headway.core.errors import TooMany
from headway.server.identity.database import free_id
from headway.server.identity.tokens import digest, new_share

if TYPE_CHECKING:
    from headway.server.identity.store import TokenRecord

SHARE_LIFETIME = 86_400.0
"""Seconds that a share is open where nobody says how long."""
MAX_SHARE_LIFETIME = 30 * 86_400
"""Seconds: a link is passed on, and its sender forgets."""
SHARES_PER_USER = 100
"""That are open. The oldest does not make room for another: somebody may be looking at it."""

_SELECT = """
    SELECT s.hash, s.id, s.token_id, t.user_id, u.name, s.activity, s.owner, s.created_at, s.expires_at, t.expires_at
    FROM shares AS s JOIN tokens AS t ON t.id = s.token_id JOIN users AS u ON u.id = t.user_id
"""


class ShareRecord(msgspec.Struct, frozen=True):
    """What may be known of a share: neither its secret nor the hash of that."""

    id: str
    token: str
    """The id of the token that it was made with."""
    user_id: int
    """Who made it."""
    user: str
    activity: str
    owner: int
    """Whose activity it is."""
    created_at: float
    """Seconds since the epoch, like every time here."""
    expires_at: float
    """Never later than the token's."""


def admitted_shares(db: sqlite3.Connection) -> list[tuple[bytes, ShareRecord]]:
    """Those that open something until they expire, each with its digest; oldest first."""
    rows = db.execute(f"{_SELECT} WHERE t.revoked_at IS NULL ORDER BY s.rowid").fetchall()
    return [(row[0], _record(row)) for row in rows]


def find_share(db: sqlite3.Connection, id: str) -> ShareRecord | None:
    """The share with that public id."""
    row = db.execute(f"{_SELECT} WHERE s.id = ?", (id,)).fetchone()
    return None if row is None else _record(row)


def require_room(db: sqlite3.Connection, user_id: int, now: float) -> None:
    """Sweep out what has expired; raise ``TooMany`` where a user has as many as there may be."""
    db.execute("DELETE FROM shares WHERE expires_at <= ?", (now,))
    (count,) = db.execute(
        "SELECT count(*) FROM shares AS s JOIN tokens AS t ON t.id = s.token_id WHERE t.user_id = ?", (user_id,)
    ).fetchone()
    if count >= SHARES_PER_USER:
        raise TooMany(f"a user may have {SHARES_PER_USER} shares; revoke some first")


def insert_share(
    db: sqlite3.Connection, token: TokenRecord, activity: str, owner: int, *, now: float, expires_at: float
) -> tuple[str, ShareRecord]:
    """Make one; the secret cannot be had again."""
    expires_at = min(expires_at, token.expires_at)
    record = ShareRecord(free_id(db, "shares"), token.id, token.user_id, token.user, activity, owner, now, expires_at)
    secret = new_share(record.id)
    db.execute(
        "INSERT INTO shares (id, hash, token_id, activity, owner, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (record.id, digest(secret), token.id, activity, owner, now, expires_at),
    )
    return secret, record


def _record(row: tuple[Any, ...]) -> ShareRecord:
    *(_, id, token, user_id, user, activity, owner, created_at, expires_at), token_expires_at = row
    if token_expires_at is not None:
        expires_at = min(expires_at, token_expires_at)  # which may have been brought forward since
    return ShareRecord(id, token, user_id, user, activity, owner, created_at, expires_at)
