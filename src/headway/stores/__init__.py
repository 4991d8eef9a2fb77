"""Where records live and in which order they changed. One file per technology; ``open_store`` finds the right one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from headway.core.errors import HeadwayError

if TYPE_CHECKING:
    from headway.ports import Document, Store


_REDIS = frozenset(f"{scheme}{by}" for scheme in ("redis", "rediss", "valkey", "valkeys") for by in ("", "+sentinel"))
"""Schemes of a Redis or Valkey server."""

_NATS = frozenset({"nats", "tls"})
"""Schemes of a NATS server."""

_KNOWN = "memory:, sqlite:FOLDER, redis://HOST or nats://HOST"


class StoreError(HeadwayError):
    """The store cannot be opened; the message says why and what to do."""

    status = 503
    code = "store"


def without_secrets(url: str) -> str:
    """The URL of a store as it may be shown."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def split(url: str) -> SplitResult:
    """The parts of a store's URL. Raises ``StoreError``, which shows nothing of what may be half a password."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise StoreError(f"the URL of the store cannot be read: {error}") from None
    if parts.scheme in _REDIS | _NATS:
        names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
        if parts.fragment or "@" in parts.path or "@" in "".join(names):
            raise StoreError("in the password of a store's URL, / ? # must be written as %2F %3F %23")
        if not url.lower().startswith(f"{parts.scheme}://"):
            raise StoreError(f"the URL of a store has two slashes behind its scheme: {parts.scheme}://HOST")
    elif parts.scheme != "memory" and not (parts.scheme == "sqlite" and parts.path):
        scheme = f"the scheme {parts.scheme!r}" if parts.scheme else "a URL without a scheme"
        raise StoreError(f"no store is known by {scheme}; use {_KNOWN}")
    return parts


def open_store(url: str) -> Store:
    """The store that a URL names; nothing is opened yet and only that technology is imported.

    ``memory:`` keeps records in this process; ``sqlite:FOLDER`` (also ``sqlite:///abs/folder``) keeps them in a folder;
    ``redis://HOST`` on a Redis or Valkey server, see ``RedisStore``; ``nats://HOST`` on NATS, see ``NatsStore``. Raises
    ``StoreError`` for anything else, and where the package that it takes is not installed.
    """
    parts = split(url)
    if parts.scheme == "memory":
        from headway.stores.memory import MemoryStore

        return MemoryStore()
    if parts.scheme == "sqlite":
        from headway.stores.sqlite import SqliteStore

        return SqliteStore(unquote(parts.path))
    with _installed(parts.scheme):
        if parts.scheme in _NATS:
            from headway.stores.nats import NatsStore

            return NatsStore(url)
        from headway.stores.redis import RedisStore

        return RedisStore(url)


def open_document(url: str, name: str) -> Document | None:
    """The document of that name in the store that a URL names; None where the store is one node's own.

    Raises ``StoreError`` as ``open_store`` does.
    """
    scheme = split(url).scheme
    if scheme not in _REDIS | _NATS:
        return None
    from headway.stores.vault import Closet

    with _installed(scheme):
        if scheme in _NATS:
            from headway.stores.nats_vault import NatsVault

            return Closet(NatsVault(url, name))
        from headway.stores.redis_vault import RedisVault

        return Closet(RedisVault(url, name))


@contextmanager
def _installed(scheme: str) -> Iterator[None]:
    """What a store of that scheme imports is there, or ``StoreError`` says what to install."""
    package, extra = ("nats-py", "nats") if scheme in _NATS else ("redis", "redis")
    try:
        yield
    except ImportError as error:
        raise StoreError(f"a {scheme} store takes the {package} package: pip install 'headway[{extra}]'") from error
