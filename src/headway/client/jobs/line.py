"""The sender's connections to a server, wherever that is just now."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from headway.client.address import Address
from headway.client.errors import NoConnection, Unreachable
from headway.client.exchange import Answer, Request
from headway.core.errors import HeadwayError, Unavailable

if TYPE_CHECKING:
    from headway.client.network.connecting import Network
    from headway.client.network.transport import AsyncTransport

Locate = Callable[[], Address]

_log = logging.getLogger("headway")


class Line:
    """One for all jobs of a sender; belongs to its event loop."""

    def __init__(self, locate: Locate, timeout: float, network: Network | None = None) -> None:
        """``locate``: asked before each request. ``timeout``: seconds for an answer."""
        self.single: bool = False
        """The server there knows no request about several activities."""
        self._locate = locate
        self._timeout = timeout
        self._network = network
        self._transport: AsyncTransport | None = None

    async def ask(self, request: Request) -> Answer:
        """The answer, whatever its status. Raises ``HeadwayError``, and nothing else, where there is none."""
        try:
            return await (await self._connected()).exchange(request)
        except Unreachable:
            self.single = False  # what comes back may be another version
            raise
        except HeadwayError:
            raise
        except (
            Exception
        ) as error:  # a proxy's name that is none, no threads left to resolve names: never the job's affair
            _log.debug("a request failed in an unforeseen way", exc_info=True)
            raise Unavailable(f"cannot ask the server: {error}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            await self._transport.close()

    async def _connected(self) -> AsyncTransport:
        # Imported here: it takes longer than all the rest, and the job does not wait for it.
        from headway.client.network.transport import AsyncTransport

        try:
            address = self._locate()
        except HeadwayError as error:
            raise NoConnection(error.message) from error
        if self._transport is None or self._transport.address != address:
            former = self._transport
            self._transport = AsyncTransport(address, timeout=self._timeout, network=self._network)
            self.single = False
            if former is not None:
                await former.close()
        return self._transport
