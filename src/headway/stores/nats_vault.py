"""A document on NATS servers: its version is the sequence of its message."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from headway.core.errors import Unavailable
from headway.stores.nats_address import TROUBLE, Address, parse_address, why
from headway.stores.nats_streams import Entry, Overtaken, Refused, Streams

LAPSE = 10.0
"""Seconds after which the right to write is somebody else's."""

PATIENCE = 15.0
"""Seconds to wait for it."""

LOOK = 0.02
"""Seconds between two looks whether it is free."""

HEADERS = 1_024
"""Bytes that a message has besides, at most."""

FREE = b""

T = TypeVar("T")


class NatsVault:
    """See ``Vault``."""

    def __init__(self, url: str, document: str) -> None:
        self.address: Address = parse_address(url)
        self.name: str = f"{document} of {self.address.namespace} at {self.address.name}"
        self._document = document
        self._streams: Streams | None = None
        self._mine = secrets.token_hex(16).encode()
        self._locked = 0
        self._seen = 0, 0
        """The last sequence of the stream when the document was read, and that of the document."""

    async def read(self, known: int) -> tuple[int, bytes] | None:
        """See ``Vault.read``."""
        return await self._asked(lambda streams: self._news(streams, known))

    async def _news(self, streams: Streams, known: int) -> tuple[int, bytes] | None:
        # Nodes ask again and again, and NATS answers with the whole document: so ask first whether anything is new.
        last, _ = await streams.state(streams.documents)
        if known and self._seen == (last, known):
            return None
        entry = await self._last(streams, self._document)
        if entry is None:
            return None if known == 0 else (0, b"")
        self._seen = last, entry.sequence
        return None if entry.sequence == known else (entry.sequence, entry.data)

    async def write(self, document: bytes, known: int) -> int | None:
        """See ``Vault.write``."""
        room = (await self._asked(_room)) - HEADERS
        if len(document) > room:
            raise Unavailable(f"{self.name} has grown to {len(document)} bytes: raise max_payload of the servers")
        try:
            return await self._asked(lambda streams: self._put(streams, self._document, document, known))
        except Overtaken:
            return None

    async def lock(self) -> None:
        """See ``Vault.lock``."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not await self._asked(self._taken):  # noqa: ASYNC110 - it happens on another machine
                    await asyncio.sleep(LOOK)
        except TimeoutError as error:
            raise Unavailable(f"somebody else keeps {self.name} locked") from error

    async def _taken(self, streams: Streams) -> bool:
        entry = await self._last(streams, f"{self._document}.lock")
        if entry is not None and entry.data != FREE:
            _, now = await streams.state(streams.documents)
            if now - entry.at < LAPSE:
                return False
        try:
            expected = 0 if entry is None else entry.sequence
            self._locked = await self._put(streams, f"{self._document}.lock", self._mine, expected)
        except Overtaken:
            return False
        return True

    async def unlock(self) -> None:
        """See ``Vault.unlock``."""
        with suppress(Overtaken):  # it has lapsed, and gone to somebody else
            await self._asked(lambda streams: self._put(streams, f"{self._document}.lock", FREE, self._locked))

    async def close(self) -> None:
        """See ``Vault.close``."""
        if self._streams is not None:
            streams, self._streams = self._streams, None
            with suppress(*TROUBLE):
                await streams.client.close()

    async def _last(self, streams: Streams, key: str) -> Entry | None:
        return await streams.last(streams.documents, streams.subject(streams.documents, key))

    async def _put(self, streams: Streams, key: str, data: bytes, expected: int) -> int:
        return await streams.put(streams.documents, streams.subject(streams.documents, key), data, expected)

    async def _asked(self, question: Callable[[Streams], Awaitable[T]]) -> T:
        try:
            return await question(await self._connected())
        except (*TROUBLE, Refused) as error:
            # It mends itself while its event loop runs, and this one runs for our questions alone: so begin anew.
            await self.close()
            raise Unavailable(f"{self.name} cannot be reached: {why(error)}") from error

    async def _connected(self) -> Streams:
        if self._streams is None:
            streams = Streams(await self.address.connect(), self.address)
            self._streams = streams
            await streams.documents_ready()
        return self._streams


async def _room(streams: Streams) -> int:
    return streams.client.max_payload
