"""`headway doctor` behind a real nginx: it sees what that does to streams, and its advice mends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headway.cli.checks import Diagnosis
from headway.cli.checks.findings import Level
from headway.cli.checks.streams import UNBUFFERED, UPGRADED
from headway.cli.connection import Connection
from tests.e2e.nginx import PATIENCE, needs_nginx, nginx
from tests.server.running import Running, running_server

HURRY = 2.0
"""Seconds for a first event that never comes."""

pytestmark = needs_nginx

KEEPS_BACK = "proxy_ignore_headers X-Accel-Buffering;"
"""By that header our server asks nginx to let streams pass; a Plex server does not."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_server(tmp_path_factory.mktemp("behind") / "data") as server:
        yield server


@contextmanager
def proxied(folder: Path, server: Running, directives: str) -> Iterator[str]:
    """An nginx before the server, while the block runs; its URL."""
    with nginx(folder, f"location / {{ proxy_pass {server.url}; {directives} }}") as port:
        yield f"http://127.0.0.1:{port}"


def wrong(url: str, server: Running, folder: Path, ping: float) -> dict[str, str]:
    """The checks that fail, and what is advised."""
    connection = Connection(url, server.token, str(folder / "nothing"))
    found = Diagnosis(connection, seconds=PATIENCE, ping=ping).findings()
    return {finding.check: finding.advice for finding in found if finding.level is not Level.OK}


def directives(*advice: str) -> list[str]:
    """What to put into nginx, each once."""
    written = " ".join(each.partition(": ")[2] for each in advice)
    return list(dict.fromkeys(f"{each.strip()};" for each in written.split(";") if each.strip()))


def test_what_keeps_events_back_is_named_and_the_advice_mends_it(server: Running, tmp_path: Path) -> None:
    with proxied(tmp_path, server, KEEPS_BACK) as url:
        advice = wrong(url, server, tmp_path, HURRY)
    assert advice == {"events": UNBUFFERED, "websocket": UPGRADED}
    better = " ".join([KEEPS_BACK, *directives(*advice.values())])
    with proxied(tmp_path, server, better) as url:
        assert wrong(url, server, tmp_path, PATIENCE) == {}
