"""What a token, a user name, a label and a lifetime look like."""

from __future__ import annotations

import hashlib
import re
import secrets

from headway.core.errors import InvalidInput
from headway.core.text import clean

TOKEN = re.compile(r"hw_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")
"""``hw_`` + public id + ``_`` + 32 random bytes in base64url: safe as it stands in URLs, headers, cookies and shells.

The prefix is known at sight by secret scanners and by ``redaction``. The id finds the one digest to compare with, so
that the comparison itself can take constant time; and who comes upon a leaked token knows which one to revoke.
"""

SESSION = re.compile(r"hws_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")
"""A browser's session looks alike, and is told apart: it opens nothing but where a cookie stands."""

SHARE = re.compile(r"hwg_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")
"""A guest's secret, which is in a link: it opens one activity, and counts only as the header that a page sends."""

USER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@-]{0,63}")
MAX_LABEL = 256

_LIFETIME = re.compile(r"([0-9]{1,9})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
MAX_LIFETIME = 36_500 * 86_400
"""Seconds; a hundred years. Who wants longer wants no expiry."""


def new_token(id: str) -> str:
    """A token with that public id."""
    return f"hw_{id}_{secrets.token_urlsafe(32)}"


def new_session(id: str) -> str:
    """A session's secret with that public id."""
    return f"hws_{id}_{secrets.token_urlsafe(32)}"


def new_share(id: str) -> str:
    """A guest's secret with that public id."""
    return f"hwg_{id}_{secrets.token_urlsafe(32)}"


def new_link() -> str:
    """The code of a one-use link."""
    return f"hwl_{secrets.token_urlsafe(32)}"


def new_id() -> str:
    """A public id; not a secret, and not certain to be unused."""
    return secrets.token_hex(4)


def id_of(token: str) -> str | None:
    """The public id in a token; None when it is no token of ours."""
    match = TOKEN.fullmatch(token)
    return match and match[1]


def session_id_of(secret: str) -> str | None:
    """The public id in a session's secret; None when it is none."""
    match = SESSION.fullmatch(secret)
    return match and match[1]


def share_id_of(secret: str) -> str | None:
    """The public id in a guest's secret; None when it is none."""
    match = SHARE.fullmatch(secret)
    return match and match[1]


def digest(token: str) -> bytes:
    """What is kept of a token. One plain SHA-256: there is nothing to guess in 256 random bits, so nothing to slow."""
    return hashlib.sha256(token.encode()).digest()


def checked_name(name: str) -> str:
    """The name of a user, as given: upper and lower case are different users. Raises ``InvalidInput``."""
    if not USER_NAME.fullmatch(name):
        raise InvalidInput(f"user name {clean(name)!r}: 1 to 64 of A-Z a-z 0-9 _ . @ - and not . @ - first")
    return name


def checked_label(label: str) -> str:
    """The label, cleaned. Raises ``InvalidInput`` when it is too long."""
    if len(label) > MAX_LABEL:
        raise InvalidInput(f"label: at most {MAX_LABEL} characters")
    return clean(label)


def lifetime(text: str) -> float:
    """Seconds of ``90s``, ``15m``, ``12h``, ``30d`` or ``2w``. Raises ``InvalidInput``."""
    match = _LIFETIME.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < seconds <= MAX_LIFETIME:
        raise InvalidInput(f"lifetime {clean(text)!r}: a number and s, m, h, d or w, such as 30d; 36500d at most")
    return float(seconds)
