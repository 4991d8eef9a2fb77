"""What the tests of identity are given: a folder, a clock, and what stands on them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from headway.server.identity.grants import Grants
from headway.server.identity.store import TokenStore
from tests.server.identity.support import NOW, FakeClock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a server keeps its data, before its first start."""
    return tmp_path / "data"


@pytest.fixture
def store(folder: Path) -> Iterator[TokenStore]:
    """Opened there for the first time."""
    with closing(TokenStore.open(folder, now=NOW)) as opened:
        yield opened


@pytest.fixture
def clock() -> FakeClock:
    """Ahead of the real one, which other processes write into the same folder."""
    return FakeClock(now=2_000_000_000.0)


@pytest.fixture
def grants(clock: FakeClock) -> Grants:
    return Grants(clock)
