"""Which server a command talks to, and with which token."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from headway.client.address import DEFAULT_URL, Address, parse_url
from headway.core.errors import InvalidInput
from headway.server.data import admin_token, data_dir

if TYPE_CHECKING:
    from headway.client.client import Client

Command = TypeVar("Command", bound=Callable[..., Any])

SERVER = "server.json"
"""In the data folder while a server runs: where it listens."""


class LocalServer(msgspec.Struct, frozen=True):
    """What a running server writes down about itself."""

    url: str
    pid: int


class Connection(msgspec.Struct, frozen=True):
    """What the command line says about the server; the rest is found out."""

    url: str | None = None
    token: str | None = None
    data: str | None = None

    def __repr__(self) -> str:
        return f"<Connection url={self.url} data={self.data}>"

    def locate(self, *, otherwise: str = DEFAULT_URL) -> Address:
        """The server, as things are now; at the URL ``otherwise`` when nobody says where.

        The token in the data folder goes to the server that wrote it, while that one is alive, and to no other: its
        port could be somebody else's by now. Raises ``InvalidInput``, and ``DataError`` when the token cannot be read.
        """
        folder = data_dir(self.data)
        local = _local_server(folder)
        url = parse_url(self.url or (otherwise if local is None else local.url))
        if self.token is None and local is not None and url == local.url and _is_ours(local):
            return Address(url, admin_token(folder))
        return Address(url, self.token)

    def following(self) -> Callable[[], Address]:
        """``locate`` for someone who asks again and again: a server that is away is expected back where it was."""
        latest = DEFAULT_URL

        def locate() -> Address:
            nonlocal latest
            address = self.locate(otherwise=latest)
            latest = address.url
            return address

        return locate

    def client(self) -> Client:
        """A client for it."""
        from headway.client.client import Client

        address = self.locate()
        return Client(address.url, address.token)


def connecting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a server; it is called with a ``Connection`` first."""

    @click.option("--url", metavar="URL", help="The server [env: HEADWAY_URL; default: the one on this machine].")
    @click.option("--token", metavar="TOKEN", help="What opens it [env: HEADWAY_TOKEN; default: the local server's].")
    @click.option("--data", metavar="DIR", help="The local server's data folder [env: HEADWAY_DATA].")
    @functools.wraps(command)
    def connected(*, url: str | None, token: str | None, data: str | None, **options: Any) -> Any:
        return command(Connection(url, token, data), **options)

    return connected


json_option: Callable[[Command], Command] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _local_server(folder: Path) -> LocalServer | None:
    try:
        found = msgspec.json.decode((folder / SERVER).read_bytes(), type=LocalServer)
        return LocalServer(parse_url(found.url), found.pid)
    except (OSError, msgspec.DecodeError, InvalidInput):
        return None


def _is_ours(server: LocalServer) -> bool:
    """True while its process lives and is our own; what a crashed one wrote down is worth nothing."""
    if server.pid > 0 and Address(server.url).loopback:
        with suppress(OSError):
            os.kill(server.pid, 0)
            return True
    return False
