"""One request and its answer, without the network between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from headway.client.errors import Redirected
from headway.core.text import clean, shortened
from headway.wire.errors import decode_error

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


class Answer(msgspec.Struct, frozen=True):
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""

    @property
    def retry_after(self) -> float | None:
        """Seconds after which trying again makes sense, where the server says so in seconds."""
        value = self.headers.get("retry-after", "").strip()
        return float(value) if value.isascii() and value.isdigit() and len(value) <= _MAX_RETRY_AFTER_DIGITS else None

    def require_success(self) -> None:
        """Raise the typed error that a status other than 2xx stands for."""
        if self.status >= 400:
            raise decode_error(self.status, self.body)
        if not 200 <= self.status < 300:
            place = shortened(clean(self.headers.get("location", "").partition("?")[0]), _MAX_LOCATION)
            raise Redirected(f"the server answered {self.status} and names another place: {place or 'none'}")


class Call(msgspec.Struct, Generic[T], frozen=True):
    """A request, and how its answer is read."""

    request: Request
    read: Callable[[Answer], T]
    """Raises the typed error of an answer that is one, ``Unreadable`` for what nobody can read."""
