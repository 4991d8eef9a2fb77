"""A document that many nodes share, on whichever technology."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from headway.core.errors import Unavailable

T = TypeVar("T")


class Vault(Protocol):
    """Where the document is. Each method raises ``Unavailable`` when it cannot be reached."""

    name: str
    """For messages: nothing secret."""

    async def read(self, known: int) -> tuple[int, bytes] | None:
        """The document and its version, 0 and nothing where there is none; None where that is the one known."""

    async def write(self, document: bytes, known: int) -> int | None:
        """Replace the version that is known; the new one's, or None where another stands there by now."""

    async def lock(self) -> None:
        """Wait for the right to write. It lapses after some seconds, should its holder die."""

    async def unlock(self) -> None:
        """Give it back."""

    async def close(self) -> None:
        """Let go."""


class Closet:
    """A vault as a ``headway.ports.Document``: for a thread without an event loop, and for that thread alone."""

    def __init__(self, vault: Vault) -> None:
        self.name: str = vault.name
        self._vault = vault
        self._runner = asyncio.Runner()

    def read(self, known: int) -> tuple[int, bytes] | None:
        """See ``Document.read``."""
        return self._run(self._vault.read(known))

    def write(self, document: bytes, known: int) -> int:
        """See ``Vault.write``; raises ``Unavailable`` where another version stands there."""
        version = self._run(self._vault.write(document, known))
        if version is None:
            raise Unavailable("somebody else has changed this meanwhile; try again")
        return version

    @contextmanager
    def locked(self) -> Iterator[None]:
        """With the right to write."""
        self._run(self._vault.lock())
        try:
            yield
        finally:
            self._run(self._vault.unlock())

    def close(self) -> None:
        """Let go."""
        with self._runner:
            self._run(self._vault.close())

    def _run(self, doing: Awaitable[T]) -> T:
        async def done() -> T:
            return await doing

        return self._runner.run(done())
