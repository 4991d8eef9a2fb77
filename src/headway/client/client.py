"""The client for programs that block: lists, watches, waits for, cancels and reports activities."""

from __future__ import annotations

from typing import Self, TypeVar, Unpack

import httpx2

from headway.client import calls
from headway.client.activities import Activities
from headway.client.exchange import Answer, Call, Request
from headway.client.network.connecting import Keywords, divided
from headway.client.network.driver import Driver
from headway.client.network.transport import Transport
from headway.client.options import Options, Settings, Token, environment_token, located, make_options
from headway.client.plex import Plex
from headway.client.results import Result
from headway.wire.server import Server

T = TypeVar("T")


class Client:
    """A connection to a server, Headway's or Plex's, to be closed after use; a context manager closes it.

    May be shared by threads. Every method raises ``HeadwayError``: what the server says (see ``errors``), or
    ``Unreachable``.
    """

    def __init__(
        self,
        url: str | None = None,
        token: Token | None = None,
        *,
        protocol: str | None = None,
        host: str | None = None,
        port: int | str | None = None,
        http: httpx2.Client | None = None,
        **keywords: Unpack[Keywords],
    ) -> None:
        """``url``: the server's; or its parts ``protocol``, ``host`` and ``port``; or else ``HEADWAY_URL`` in the
        environment, or the server on this machine. ``token``: what opens it, or what is asked for it before each
        request; or else ``HEADWAY_TOKEN``. ``http``: an httpx2 client to use, which stays open. ``keywords``: see
        ``connecting.Network`` (proxy, TLS) and ``options.Settings`` (all the rest). Raises ``InvalidInput`` for what
        cannot be.
        """
        network, settings = divided(keywords, http)
        options = make_options(located(url, protocol, host, port), token or environment_token(), settings)
        self._begin(Driver(Transport(http=http, network=network), options), owned=True)

    def _begin(self, driver: Driver, *, owned: bool) -> None:
        self._driver = driver
        self._owned = owned
        self.activities: Activities = Activities(driver)
        self.plex: Plex = Plex(driver)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client {self.options.url}>"

    @property
    def options(self) -> Options:
        """What holds for all calls."""
        return self._driver.options

    def with_options(self, *, url: str | None = None, token: Token | None = None, **settings: Unpack[Settings]) -> Self:
        """A client for which something else holds; it shares the connections of this one, which closes them.

        At another ``url`` it has no token but the one that is given here.
        """
        other = object.__new__(type(self))
        other._begin(self._driver.but(self.options.but(url, token, settings)), owned=False)
        return other

    def close(self) -> None:
        """Deliver what was reported, end what is watched or waited for, and close the connections."""
        self.activities.close()
        if self._owned:
            self._driver.close()

    def identity(self) -> Server:
        """Which server it is; needs no token."""
        return self._driver.send(calls.identity())

    def request(self, request: Request) -> Answer:
        """Any request, and its answer as it came. Raises the typed error of an answer that is one."""
        return self._driver.send(calls.raw(request))

    def result(self, call: Call[T]) -> Result[T]:
        """What becomes of a call of ``calls``, as a value; it raises nothing. See ``functions`` for the usual ones."""
        return self._driver.result(call)
