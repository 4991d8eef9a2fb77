"""Which server a command talks to, and with which token.

The first of these that says so names the server; the same order holds for the token:

1. the command line: ``--url``, ``--context`` or ``--plex``, of which there may be one; ``--token``
2. the environment: ``HEADWAY_URL``, ``HEADWAY_CONTEXT``; ``HEADWAY_TOKEN``
3. the current context (``headway context use``)
4. the server on this machine, with the token in its data folder
5. ``http://127.0.0.1:4590``

A token goes to the server that it is for. One that was found beside a server (in a context, in a data folder, in the
preferences of a Plex server) goes nowhere else. ``HEADWAY_TOKEN`` goes to no other server than ``HEADWAY_URL`` where
both are set, and not to one that ``--context`` or ``--plex`` name: they bring their own.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from headway.cli.completing import complete_context
from headway.client.address import DEFAULT_URL, Address, parse_url
from headway.core.errors import InvalidInput, NotAuthenticated
from headway.server.data import ADMIN_TOKEN, admin_token, data_dir

if TYPE_CHECKING:
    from headway.client.client import Client

Token = tuple[str | None, str]
"""A token, and where it was found."""

Command = TypeVar("Command", bound=Callable[..., Any])

WITHHELD = "none: HEADWAY_TOKEN is for HEADWAY_URL, which is another server"
"""Where a token would have been found."""

SERVER = "server.json"
"""In the data folder while a server runs: where it listens."""


class LocalServer(msgspec.Struct, frozen=True):
    """What a running server writes down about itself."""

    url: str
    pid: int


class Choice(msgspec.Struct, frozen=True):
    """A server, its token, and who said so. ``repr`` does not show the token."""

    url: str
    url_source: str
    token: str | None = None
    token_source: str = "none"
    by_itself: bool = False
    """Nobody named it: it may come back elsewhere."""

    def __repr__(self) -> str:
        return f"<Choice {self.url} from {self.url_source}, token from {self.token_source}>"

    @property
    def address(self) -> Address:
        """Where it is and what opens it. Raises ``InvalidInput`` for a token that can be none."""
        return Address(self.url, self.token)


class Connection(msgspec.Struct, frozen=True):
    """What the command line says about the server; the rest is found out."""

    url: str | None = None
    token: str | None = None
    data: str | None = None
    context: str | None = None
    plex: bool = False

    def __repr__(self) -> str:
        return f"<Connection url={self.url} data={self.data} context={self.context} plex={self.plex}>"

    def choose(self) -> Choice:
        """The server, as things are now.

        Raises ``InvalidInput``, ``UnknownContext``, ``NoPlex``, and ``DataError`` when a file cannot be read.
        """
        given = [f"--{name}" for name in ("url", "context", "plex") if getattr(self, name)]
        if len(given) > 1:
            raise InvalidInput(f"{' and '.join(given)} each name a server: give one of them")
        if self.plex:
            from headway.cli.plex import find_plex

            found = find_plex()
            return self._with_own(found.url, f"--plex: {found.url_source}", lambda: (found.token, found.token_source))
        if self.context:
            return self._in_context(self.context, f"--context {self.context}")
        if self.url:
            return self._at(self.url, "--url")
        return self._by_environment() or self._by_current_context() or self._by_itself(DEFAULT_URL)

    def locate(self) -> Address:
        """The same as an address."""
        return self.choose().address

    def following(self) -> Callable[[], Address]:
        """``locate`` for someone who asks again and again: what somebody named is chosen once; a server that was found
        by itself is expected back where it was.
        """
        latest: Choice | None = None

        def locate() -> Address:
            nonlocal latest
            if latest is None:
                latest = self.choose()
            elif latest.by_itself:
                latest = self._by_itself(latest.url)
            return latest.address

        return locate

    def client(self) -> Client:
        """A client for it."""
        address = self.locate()
        from headway.client.client import Client

        # A function, for without a token the client would take HEADWAY_TOKEN, which may be for another server.
        return Client(address.url, lambda: address.token)

    def _by_environment(self) -> Choice | None:
        if url := os.environ.get("HEADWAY_URL"):
            return self._at(url, "HEADWAY_URL")
        if name := os.environ.get("HEADWAY_CONTEXT"):
            return self._in_context(name, f"HEADWAY_CONTEXT, which is {name}", environment=True)
        return None

    def _by_current_context(self) -> Choice | None:
        from headway.cli.contexts import read_contexts

        name = read_contexts().current
        return None if name is None else self._in_context(name, f"the current context, {name}", environment=True)

    def _by_itself(self, otherwise: str) -> Choice:
        local = local_server(data_dir(self.data))
        if local is None:
            return msgspec.structs.replace(self._at(otherwise, "the default"), by_itself=True)
        return msgspec.structs.replace(self._at(local.url, "the server on this machine"), by_itself=True)

    def _in_context(self, name: str, source: str, *, environment: bool = False) -> Choice:
        from headway.cli.contexts import LOCAL, read_contexts

        if name == LOCAL:
            return self._by_itself(DEFAULT_URL)
        context = read_contexts().find(name)
        url = parse_url(context.url)

        def own() -> Token:
            return context.read_token(), f"the context: {context.token_source}"

        return self._with(url, source, own) if environment else self._with_own(url, source, own)

    def _at(self, url: str, source: str) -> Choice:
        """The token in the data folder goes to the server that wrote it, while that one is alive, and to no other: its
        port could be somebody else's by now.
        """
        url, folder = parse_url(url), data_dir(self.data)
        local = local_server(folder)

        def own() -> Token:
            if local is None or url != local.url or not is_ours(local):
                return None, "none"
            return admin_token(folder), str(folder / ADMIN_TOKEN)

        return self._with(url, source, own)

    def _with(self, url: str, source: str, own: Callable[[], Token]) -> Choice:
        token = os.environ.get("HEADWAY_TOKEN")
        if not self.token and token and _is_meant(url):
            return Choice(url, source, token, "HEADWAY_TOKEN")
        choice = self._with_own(url, source, own)
        return msgspec.structs.replace(choice, token_source=WITHHELD) if token and not choice.token else choice

    def _with_own(self, url: str, source: str, own: Callable[[], Token]) -> Choice:
        return Choice(url, source, *((self.token, "--token") if self.token else own()))


def connecting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a server; it is called with a ``Connection`` first."""

    @click.option("--url", metavar="URL", help="The server [env: HEADWAY_URL; default: the one on this machine].")
    @click.option("--token", metavar="TOKEN", help="What opens it [env: HEADWAY_TOKEN; default: the server's own].")
    @click.option("--data", metavar="DIR", help="The local server's data folder [env: HEADWAY_DATA].")
    @click.option(
        "--context",
        "named",
        metavar="NAME",
        shell_complete=complete_context,
        help="The server of that name [env: HEADWAY_CONTEXT; see `headway context`].",
    )
    @click.option("--plex", is_flag=True, help="The Plex Media Server on this machine, or of PLEX_URL.")
    @functools.wraps(command)
    def connected(
        *, url: str | None, token: str | None, data: str | None, named: str | None, plex: bool, **options: Any
    ) -> Any:
        connection = Connection(url, token, data, named, plex)
        try:
            return command(connection, **options)
        except NotAuthenticated as error:
            source = connection.choose().token_source
            if plex:
                from headway.cli.plex import HOW_TO_GET_A_TOKEN

                error.add_note(f"Its token: {source}. {HOW_TO_GET_A_TOKEN}")
            elif source == WITHHELD:
                error.add_note(f"Its token: {source}. Give this one's with --token, or name it by HEADWAY_URL.")
            raise

    return connected


json_option: Callable[[Command], Command] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _is_meant(url: str) -> bool:
    """True unless ``HEADWAY_TOKEN`` is for another server, which ``HEADWAY_URL`` then names."""
    named = os.environ.get("HEADWAY_URL")
    try:
        return not named or parse_url(named) == url
    except InvalidInput:
        return False


def local_server(folder: Path) -> LocalServer | None:
    """What a server on this machine has written into its data folder; None when there is nothing that can be read."""
    try:
        found = msgspec.json.decode((folder / SERVER).read_bytes(), type=LocalServer)
        return LocalServer(parse_url(found.url), found.pid)
    except (OSError, msgspec.DecodeError, InvalidInput):
        return None


def is_ours(server: LocalServer) -> bool:
    """True while its process lives and is our own; what a crashed one wrote down is worth nothing."""
    if server.pid > 0 and Address(server.url).loopback:
        with suppress(OSError):
            os.kill(server.pid, 0)
            return True
    return False
