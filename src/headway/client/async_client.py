"""The client for programs on an event loop: ``client`` once more, awaited."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TypeVar, Unpack

import httpx2

from headway.client import calls
from headway.client.async_activities import AsyncActivities
from headway.client.exchange import Answer, Call, Request
from headway.client.network.connecting import Keywords, divided
from headway.client.network.driver import AsyncDriver
from headway.client.network.transport import AsyncTransport
from headway.client.options import Options, Settings, Token, environment_token, located, make_options
from headway.client.plex import AsyncPlex
from headway.client.results import Result
from headway.wire.server import Server

T = TypeVar("T")


class AsyncClient:
    """A connection to a server, Headway's or Plex's, to be closed after use; a context manager closes it.

    For one event loop. Every method raises ``HeadwayError``: what the server says (see ``errors``), or ``Unreachable``.
    """

    def __init__(
        self,
        url: str | None = None,
        token: Token | None = None,
        *,
        protocol: str | None = None,
        host: str | None = None,
        port: int | str | None = None,
        http: httpx2.AsyncClient | None = None,
        **keywords: Unpack[Keywords],
    ) -> None:
        """The arguments are those of ``Client``."""
        network, settings = divided(keywords, http)
        options = make_options(located(url, protocol, host, port), token or environment_token(), settings)
        self._begin(AsyncDriver(AsyncTransport(http=http, network=network), options), owned=True)

    def _begin(self, driver: AsyncDriver, *, owned: bool) -> None:
        self._driver = driver
        self._owned = owned
        self.activities: AsyncActivities = AsyncActivities(driver)
        self.plex: AsyncPlex = AsyncPlex(driver)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<AsyncClient {self.options.url}>"

    @property
    def options(self) -> Options:
        """What holds for all calls."""
        return self._driver.options

    def with_options(self, *, url: str | None = None, token: Token | None = None, **settings: Unpack[Settings]) -> Self:
        """See ``Client.with_options``."""
        other = object.__new__(type(self))
        other._begin(self._driver.but(self.options.but(url, token, settings)), owned=False)
        return other

    async def aclose(self) -> None:
        """Deliver what was reported, end what is watched or waited for, and close the connections."""
        await self.activities.aclose()
        if self._owned:
            await self._driver.close()

    async def identity(self) -> Server:
        """Which server it is; needs no token."""
        return await self._driver.send(calls.identity())

    async def request(self, request: Request) -> Answer:
        """Any request, and its answer as it came. Raises the typed error of an answer that is one."""
        return await self._driver.send(calls.raw(request))

    async def result(self, call: Call[T]) -> Result[T]:
        """See ``Client.result``."""
        return await self._driver.result(call)
