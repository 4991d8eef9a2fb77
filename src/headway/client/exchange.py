"""One request and its answer, without the network between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Generic, TypeVar

import msgspec

from headway.client.errors import Redirected, refusal
from headway.core.text import clean, shortened

T = TypeVar("T")

LARGEST = 1024 * 1024
"""Bytes of the largest answer that is read where one activity or an error is expected."""

_MAX_LOCATION = 200
_MAX_RETRY_AFTER_DIGITS = 6


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask a server."""

    method: str = "GET"
    path: str
    """Below the server's URL, escaped."""
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    patience: float = 0.0
    """Seconds that the server is asked to wait before it answers."""
    largest: int = LARGEST


class Sendable(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it goes out: where to, with which headers, for how long. Its ``repr`` does not show the token."""

    method: str
    url: str
    """Whole, with its query; no token is ever in it."""
    headers: Mapping[str, str]
    body: bytes | None = None
    timeout: float
    """Seconds for the whole answer; of a stream, for its head."""
    largest: int = LARGEST

    def __repr__(self) -> str:
        return f"<Sendable {self.method} {self.url}>"


class Answer(msgspec.Struct, frozen=True):
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""

    @property
    def retry_after(self) -> float | None:
        """Seconds after which trying again makes sense, where the server says so (RFC 9110, section 10.2.3)."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            return float(value) if len(value) <= _MAX_RETRY_AFTER_DIGITS else None
        return _until(value, self.headers.get("date", ""))

    @property
    def content_type(self) -> str:
        """The media type, in lower case and without parameters; empty when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def require_success(self) -> None:
        """Raise the typed error that a status other than 2xx stands for; it holds this answer."""
        if self.status >= 400:
            raise refusal(self)
        if not 200 <= self.status < 300:
            place = shortened(clean(self.headers.get("location", "").partition("?")[0]), _MAX_LOCATION)
            raise Redirected(f"the server answered {self.status} and names another place: {place or 'none'}")


class Call(msgspec.Struct, Generic[T], frozen=True):
    """A request, and how its answer is read."""

    request: Request
    read: Callable[[Answer], T]
    """Raises the typed error of an answer that is one, ``Unreadable`` for what nobody can read."""


def _until(moment: str, date: str) -> float | None:
    """Seconds to a date, by the server's own clock where it tells that: ours may be wrong."""
    try:
        then = parsedate_to_datetime(moment)
    except ValueError:
        return None
    try:
        now = parsedate_to_datetime(date)
    except ValueError:
        now = datetime.now(UTC)
    then, now = (each if each.tzinfo else each.replace(tzinfo=UTC) for each in (then, now))
    return max(0.0, (then - now).total_seconds())
