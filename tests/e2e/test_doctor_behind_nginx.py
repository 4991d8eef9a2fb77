"""`headway doctor` behind a real nginx: it sees what that does to streams, and its advice mends it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headway.cli.checks import Diagnosis
from headway.cli.checks.findings import Level
from headway.cli.checks.streams import UNBUFFERED, UPGRADED
from headway.cli.connection import Connection
from tests.client.scripted_server import eventually, free_port
from tests.server.running import Running, running_server

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PATIENCE = 30.0
HURRY = 2.0
"""Seconds for a first event that never comes."""

pytestmark = pytest.mark.skipif(NGINX is None, reason="there is no nginx")

KEEPS_BACK = "proxy_ignore_headers X-Accel-Buffering;"
"""By that header our server asks nginx to let streams pass; a Plex server does not."""

CONFIG = """
daemon off; pid {folder}/pid; error_log {folder}/errors;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {url}; {directives} }} }}
}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_server(tmp_path_factory.mktemp("behind") / "data") as server:
        yield server


@contextmanager
def nginx(folder: Path, server: Running, directives: str) -> Iterator[str]:
    """An nginx before the server, while the block runs; its URL."""
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, url=server.url, directives=directives))
    command = [str(NGINX), "-c", str(config), "-p", str(folder), "-e", str(folder / "errors")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            eventually(lambda: (folder / "pid").exists() or process.poll() is not None)
            assert process.poll() is None, process.communicate()[1]
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


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
    with nginx(tmp_path, server, KEEPS_BACK) as url:
        advice = wrong(url, server, tmp_path, HURRY)
    assert advice == {"events": UNBUFFERED, "websocket": UPGRADED}
    better = " ".join([KEEPS_BACK, *directives(*advice.values())])
    with nginx(tmp_path, server, better) as url:
        assert wrong(url, server, tmp_path, PATIENCE) == {}
