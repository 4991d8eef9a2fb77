"""The document of users on NATS: read as a whole only where it is new."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headway.core.errors import Unavailable
from headway.stores.nats_vault import NatsVault
from tests.stores.nats_servers import nats_server

DOCUMENT = b"x" * 100_000


async def _taken(vault: NatsVault, known: int) -> tuple[tuple[int, bytes] | None, int]:
    """What it answers, and how many bytes came for that."""
    assert vault._streams is not None
    stats = vault._streams.client.stats
    before = stats["in_bytes"]
    return await vault.read(known), stats["in_bytes"] - before


def test_a_document_that_is_known_is_not_sent_again(tmp_path: Path) -> None:
    async def reading(url: str) -> None:
        first, second = NatsVault(url, "users"), NatsVault(url, "users")
        assert await second.read(0) is None
        version = await first.write(DOCUMENT, 0)
        assert version is not None
        found, size = await _taken(second, 0)
        assert found == (version, DOCUMENT) and size > len(DOCUMENT)
        for _ in range(3):
            found, size = await _taken(second, version)
            assert found is None and size < 5_000
        await first.lock()  # something else in the same stream: it looks, and knows the document
        assert await second.read(version) is None
        newer = await first.write(DOCUMENT + b"y", version)
        await first.unlock()
        assert await second.read(version) == (newer, DOCUMENT + b"y")
        assert (await second.read(0)) == (newer, DOCUMENT + b"y")  # whoever knows nothing is told all
        await first.close()
        await second.close()

    with nats_server(tmp_path / "nats") as server:
        asyncio.run(reading(server.url))


def test_a_document_that_no_message_can_hold_is_refused_by_the_name_of_the_setting(tmp_path: Path) -> None:
    async def writing(url: str) -> None:
        vault = NatsVault(url, "users")
        with pytest.raises(Unavailable, match=r"has grown to 1048576 bytes: raise max_payload"):
            await vault.write(bytes(1_048_576), 0)
        version = await vault.write(DOCUMENT, 0)
        assert await vault.read(0) == (version, DOCUMENT)
        await vault.close()

    with nats_server(tmp_path / "nats") as server:
        asyncio.run(writing(server.url))
