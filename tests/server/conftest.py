"""Servers that the tests of a module share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from headway.server.protocols import HttpProtocol, WebSocketProtocol
from tests.server.whole import Whole, standalone


@pytest.fixture(scope="module", autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """How streams are written: past ASGI ("fast"), or by its ``send`` ("portable"), as under servers of others.

    Tests for which that matters run on both: ``@both_ways`` of ``whole``.
    """
    taken = getattr(request, "param", "fast")
    with pytest.MonkeyPatch.context() as patch:
        if taken == "portable":
            for protocol in (HttpProtocol, WebSocketProtocol):
                patch.setattr(protocol, "extensions", lambda self: {})
        yield taken


@pytest.fixture(scope="module")
async def whole(tmp_path_factory: pytest.TempPathFactory, way: str) -> AsyncIterator[Whole]:
    """What ``headway serve`` runs, with a token for each of a few users."""
    async with standalone(tmp_path_factory.mktemp("data")) as server:
        yield server
