"""The server that real clients are tried on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.server.whole import Whole, standalone


@pytest.fixture(scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Whole]:
    """What ``headway serve`` runs."""
    async with standalone(tmp_path_factory.mktemp("data")) as server:
        yield server
