"""A server for the command line to talk to."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.cli.invoking import FOREIGN
from tests.client.fake_headway import FakeHeadway
from tests.client.scripted_server import ScriptedServer


@pytest.fixture(autouse=True)
def nobody_s_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is set for the person who runs the tests does not count here."""
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "no-config"))


@pytest.fixture
def headway() -> FakeHeadway:
    """What the server answers, and what it was told."""
    return FakeHeadway()


@pytest.fixture
def server(headway: FakeHeadway) -> Iterator[ScriptedServer]:
    with ScriptedServer(headway) as server:
        yield server
