"""A whole server, run as users run it: `headway serve` as a process of its own, on a free port."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import requests

from headway.core.policy import Role
from headway.server.data import admin_token
from headway.server.identity.store import TokenStore

_SERVE = (sys.executable, "-c", "from headway.cli import main; main()", "serve", "--port", "0", "--data")
_PATIENCE = 60.0


class Running(NamedTuple):
    """A server that answers."""

    url: str
    token: str
    """An admin's."""
    data: Path


@contextmanager
def running_server(data: Path) -> Iterator[Running]:
    """Start a server with its data in a folder that need not exist; stop it at the end."""
    data.mkdir(exist_ok=True)
    log = data / "server.log"
    with log.open("wb") as output, subprocess.Popen([*_SERVE, str(data)], stdout=output, stderr=output) as process:
        try:
            url = _address(data, process, log)
            yield Running(url, admin_token(data) or "", data)
        finally:
            process.terminate()
            if (code := process.wait(_PATIENCE)) != 0:
                raise AssertionError(f"the server ended with {code}: {log.read_text()}")


def token_for(server: Running, user: str, role: Role) -> str:
    """A new token, once the server knows it: it looks for news a few times a second."""
    store = TokenStore.open(server.data, now=time.time(), create=False)
    try:
        token, _ = store.create(user, role, now=time.time())
    finally:
        store.close()
    url, headers = f"{server.url}/activities", {"X-Plex-Token": token}
    deadline = time.monotonic() + _PATIENCE
    while requests.get(url, headers=headers, timeout=_PATIENCE).status_code != 200:
        if time.monotonic() > deadline:
            raise AssertionError(f"the server does not learn of a token: {(server.data / 'server.log').read_text()}")
        time.sleep(0.02)
    return token


def _address(data: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens, which it writes down once it does."""
    deadline = time.monotonic() + _PATIENCE
    while not (file := data / "server.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the server does not start: {log.read_text()}")
        time.sleep(0.02)
    return str(msgspec.json.decode(file.read_bytes())["url"])
