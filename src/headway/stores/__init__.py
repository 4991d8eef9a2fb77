"""Where records live and in which order they changed. One file per technology; ``open_store`` finds the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from headway.core.errors import HeadwayError

if TYPE_CHECKING:
    from headway.ports import Store


class StoreError(HeadwayError):
    """The store cannot be opened; the message says why and what to do."""

    status = 503
    code = "store"


def open_store(url: str) -> Store:
    """The store that a URL names; nothing is opened yet and only that technology is imported.

    ``memory:`` keeps records in this process; ``sqlite:FOLDER`` (also ``sqlite:///abs/folder``) keeps them in a folder.
    Raises ``StoreError`` for anything else.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        from headway.stores.memory import MemoryStore

        return MemoryStore()
    if parts.scheme == "sqlite" and parts.path:
        from headway.stores.sqlite import SqliteStore

        return SqliteStore(unquote(parts.path))
    raise StoreError(f"no store is known by the URL {url!r}; use memory: or sqlite:FOLDER")
