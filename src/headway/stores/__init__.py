"""Where records live and in which order they changed. One file per technology; ``open_store`` finds the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from headway.core.errors import HeadwayError

if TYPE_CHECKING:
    from headway.ports import Document, Store


REDIS = ("redis", "rediss", "valkey", "valkeys")
"""Schemes of a Redis or Valkey server."""

NATS = ("nats", "tls")
"""Schemes of a NATS server."""


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
    if parts.scheme.partition("+")[0] in (*REDIS, *NATS):
        names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
        if parts.fragment or "@" in parts.path or "@" in "".join(names):
            raise StoreError("in the password of a store's URL, / ? # must be written as %2F %3F %23")
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
    if parts.scheme == "sqlite" and parts.path:
        from headway.stores.sqlite import SqliteStore

        return SqliteStore(unquote(parts.path))
    if parts.scheme.partition("+")[0] in REDIS:
        try:
            from headway.stores.redis import RedisStore
        except ImportError as error:
            raise StoreError(f"a {parts.scheme} store takes the redis package: pip install 'headway[redis]'") from error

        return RedisStore(url)
    if parts.scheme in NATS:
        try:
            from headway.stores.nats import NatsStore
        except ImportError as error:
            raise StoreError(
                f"a {parts.scheme} store takes the nats-py package: pip install 'headway[nats]'"
            ) from error

        return NatsStore(url)
    known = "memory:, sqlite:FOLDER, redis://HOST or nats://HOST"
    raise StoreError(f"no store is known by the scheme {parts.scheme!r}; use {known}")


def open_document(url: str, name: str) -> Document | None:
    """The document of that name in the store that a URL names; None where the store is one node's own.

    Raises ``StoreError`` as ``open_store`` does.
    """
    scheme = split(url).scheme.partition("+")[0]
    if scheme not in (*REDIS, *NATS):
        return None
    from headway.stores.vault import Closet

    if scheme in NATS:
        from headway.stores.nats_vault import NatsVault

        return Closet(NatsVault(url, name))
    from headway.stores.redis_vault import RedisVault

    return Closet(RedisVault(url, name))
