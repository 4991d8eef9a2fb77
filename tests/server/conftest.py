"""What the tests of the server are given: activities of their own, and servers that a module shares."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from headway.hub import Activities
from headway.server.protocols import HttpProtocol, WebSocketProtocol
from headway.server.serve import TlsFiles
from tests.certificates import self_signed
from tests.server.whole import Whole, standalone


@pytest.fixture
async def activities() -> AsyncIterator[Activities]:
    """Open, and in memory."""
    async with Activities("memory:") as activities:
        yield activities


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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """Self-signed, for localhost."""
    return TlsFiles(*self_signed(tmp_path_factory.mktemp("tls")))
