"""A server for the command line to talk to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.fake_headway import FakeHeadway
from tests.client.scripted_server import ScriptedServer


@pytest.fixture
def headway() -> FakeHeadway:
    """What the server answers, and what it was told."""
    return FakeHeadway()


@pytest.fixture
def server(headway: FakeHeadway) -> Iterator[ScriptedServer]:
    with ScriptedServer(headway) as server:
        yield server
