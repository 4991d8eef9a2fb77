"""A document on a Redis or Valkey server."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from headway.core.errors import Unavailable
from headway.stores.redis_address import TROUBLE, Address, close, is_cluster, parse_address
from headway.stores.redis_records import ALWAYS, Script

LAPSE = 10.0
"""Seconds after which the right to write is somebody else's."""

PATIENCE = 15.0
"""Seconds to wait for it."""

LOOK = 0.02
"""Seconds between two looks whether it is free."""


class RedisVault:
    """See ``Vault``."""

    def __init__(self, url: str, document: str) -> None:
        self.address: Address = parse_address(url)
        self.name: str = f"{document} of {self.address.namespace} at {self.address.name}"
        self._key = f"{{{self.address.namespace}}}:{document}"
        self._client: Any = None
        # Also where no memory is left: somebody may have to be shut out.
        self._acquire, self._replace, self._release = (
            Script(name, ALWAYS) for name in ("acquire", "replace", "release")
        )
        self._mine = secrets.token_hex(16)

    async def read(self, known: int) -> tuple[int, bytes] | None:
        """See ``Vault.read``."""
        version = int(await self._asked(lambda client: client.hget(self._key, "version")) or 0)
        if version == known:
            return None
        version_then, document = await self._asked(lambda client: client.hmget(self._key, "version", "document"))
        return int(version_then or 0), document or b""

    async def write(self, document: bytes, known: int) -> int | None:
        """See ``Vault.write``."""
        version = await self._asked(lambda client: self._replace.run(client, [self._key], [known, document]))
        return int(version) or None

    async def lock(self) -> None:
        """See ``Vault.lock``."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not await self._taken():  # noqa: ASYNC110 - what it waits for happens on another machine
                    await asyncio.sleep(LOOK)
        except TimeoutError as error:
            raise Unavailable(f"somebody else keeps {self.name} locked") from error

    async def _taken(self) -> bool:
        lapse = round(LAPSE * 1_000)
        return bool(
            await self._asked(lambda client: self._acquire.run(client, [f"{self._key}.lock"], [self._mine, lapse]))
        )

    async def unlock(self) -> None:
        """See ``Vault.unlock``."""
        await self._asked(lambda client: self._release.run(client, [f"{self._key}.lock"], [self._mine]))

    async def close(self) -> None:
        """See ``Vault.close``."""
        if self._client is not None:
            await close(self._client)
            self._client = None

    async def _asked(self, question: Any) -> Any:
        try:
            return await question(await self._connected())
        except TROUBLE as error:
            raise Unavailable(f"{self.name} cannot be reached: {error}") from error

    async def _connected(self) -> Any:
        if self._client is None:
            client = self.address.client()
            if await is_cluster(client):
                await close(client)
                client = self.address.client(cluster=True)
            self._client = client
        return self._client
