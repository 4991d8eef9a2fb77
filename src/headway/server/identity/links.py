"""One-use links as they are kept: who has a token lets a browser in by them, without the token being typed, stored or
logged anywhere. Any node knows them, since the browser may come to any.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import msgspec

from headway.server.identity.tokens import digest, new_link

if TYPE_CHECKING:
    from headway.server.identity.store import TokenRecord

LIFETIME = 300.0
"""Seconds."""
PER_USER = 10
"""The oldest is worthless when there is one more."""


class Link(msgspec.Struct, frozen=True):
    """What may be known of a link: neither its code nor the hash of that."""

    token: str
    """The id of the token whose session it opens."""
    expires_at: float
    """Seconds since the epoch."""


def insert_link(db: sqlite3.Connection, token: TokenRecord, *, now: float) -> tuple[str, Link]:
    """Make one; the code cannot be had again."""
    db.execute("DELETE FROM links WHERE expires_at <= ?", (now,))
    db.execute(
        "DELETE FROM links WHERE rowid IN (SELECT l.rowid FROM links AS l JOIN tokens AS t ON t.id = l.token_id"
        " WHERE t.user_id = ? ORDER BY l.rowid DESC LIMIT -1 OFFSET ?)",
        (token.user_id, PER_USER - 1),
    )
    code, link = new_link(), Link(token.id, min(now + LIFETIME, token.expires_at))
    db.execute("INSERT INTO links (hash, token_id, expires_at) VALUES (?, ?, ?)", (digest(code), *_columns(link)))
    return code, link


def find_link(db: sqlite3.Connection, code: str, *, now: float) -> Link | None:
    """What a code stands for; None for one that is unknown, used or expired."""
    # By digest: a search among hashes tells by its time nothing about what is not known already.
    row = db.execute(
        "SELECT token_id, expires_at FROM links WHERE hash = ? AND expires_at > ?", (digest(code), now)
    ).fetchone()
    return None if row is None else Link(*row)


def take_link(db: sqlite3.Connection, code: str, *, now: float) -> Link | None:
    """The same, once."""
    link = find_link(db, code, now=now)
    db.execute("DELETE FROM links WHERE hash = ?", (digest(code),))
    return link


def drop_links(db: sqlite3.Connection, user_id: int) -> None:
    """Make a user's links worthless."""
    db.execute("DELETE FROM links WHERE token_id IN (SELECT id FROM tokens WHERE user_id = ?)", (user_id,))


def _columns(link: Link) -> tuple[str, float]:
    return link.token, link.expires_at
