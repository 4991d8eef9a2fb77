"""The connections of the client, over httpx2: for threads, and on an event loop.

They carry requests, and the steps of whatever the client does (see ``steps``); they decide nothing.
"""

from __future__ import annotations

import asyncio
import threading
import time
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from weakref import WeakSet

import httpx2

from headway.client.address import Address
from headway.client.errors import Unreachable
from headway.client.exchange import Answer, Request, Sendable
from headway.client.network import deadlines
from headway.client.network.async_conversation import AsyncConversation
from headway.client.network.connecting import Collector, Network, arguments, kind_of, options_for, silent, translated
from headway.client.network.conversation import Conversation
from headway.client.options import TIMEOUT, make_options
from headway.client.steps import Steps

T = TypeVar("T")


class Transport:
    """Carries steps out, and waits for each. May be shared between threads."""

    def __init__(
        self,
        address: Address | None = None,
        *,
        timeout: float = TIMEOUT,
        http: httpx2.Client | None = None,
        network: Network | None = None,
    ) -> None:
        """``address``, ``timeout`` (seconds): for ``exchange``. ``http``: a client to use, which stays open."""
        self.address = address
        self._timeout = timeout
        self._given = http
        self.network: Network = network or {}
        """How it reaches servers, unless by a client that was given."""
        self._clients: dict[str, httpx2.Client] = {}
        self._carried: WeakSet[Conversation] = WeakSet()
        self._closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what is being carried out, in whichever thread; close the connections, but those of a client that was
        given.
        """
        with self._lock:
            self._closed = True
            carried, clients, self._clients = list(self._carried), self._clients, {}
        for conversation in carried:  # before its socket is closed, which wakes nobody
            conversation.close()
        for client in clients.values():
            client.close()

    def exchange(self, request: Request) -> Answer:
        """The answer of the server at ``address``, whatever its status. Raises ``Unreachable`` and ``Unreadable``."""
        return self.answer(_sendable(self.address, request, self._timeout))

    def run(self, steps: Steps[T]) -> T:
        """Carry steps out; what they return. Raises ``Unreachable`` when it is closed meanwhile."""
        carried = Conversation(self, steps)
        for _ in carried:
            raise RuntimeError("these steps emit items: iterate over them")
        return cast(T, _outcome(carried))

    def carry(self, conversation: Conversation) -> None:
        """Know what there is to end."""
        with self._lock:
            self._carried.add(conversation)

    def answer(self, request: Sendable, line: deadlines.Line | None = None) -> Answer:
        """The answer to a request, read to its end. ``line``: by which another thread can put an end to it."""
        with (
            deadlines.within(request.timeout, line),
            translated(request.url),
            self.http_for(request.url).stream(**arguments(request, request.timeout)) as response,
        ):
            deadline = time.monotonic() + request.timeout
            collector = Collector(response, request)
            for chunk in response.iter_raw():
                if time.monotonic() > deadline:
                    raise silent(request)
                if not collector.takes(chunk):
                    break
            return collector.answer

    def http_for(self, url: str) -> httpx2.Client:
        """The client of httpx2 that is right for a server. Raises ``Unreachable`` once this is closed."""
        if self._closed:
            raise Unreachable("the client is closed")
        if self._given is not None:
            return self._given
        kind = kind_of(url)
        with self._lock:
            if kind not in self._clients:
                self._clients[kind] = httpx2.Client(**options_for(url, self.network))
                deadlines.install(self._clients[kind])
            return self._clients[kind]


class AsyncTransport:
    """The same on an event loop."""

    def __init__(
        self,
        address: Address | None = None,
        *,
        timeout: float = TIMEOUT,
        http: httpx2.AsyncClient | None = None,
        network: Network | None = None,
    ) -> None:
        """As for ``Transport``."""
        self.address = address
        self._timeout = timeout
        self._given = http
        self.network: Network = network or {}
        """How it reaches servers, unless by a client that was given."""
        self._clients: dict[str, httpx2.AsyncClient] = {}
        self._carried: WeakSet[AsyncConversation] = WeakSet()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End what is being carried out, in whichever task; close the connections, but those of a client that was
        given.
        """
        self._closed = True
        for conversation in list(self._carried):
            await conversation.close()
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    async def exchange(self, request: Request) -> Answer:
        """The answer of the server at ``address``, whatever its status. Raises ``Unreachable`` and ``Unreadable``."""
        return await self.answer(_sendable(self.address, request, self._timeout))

    async def run(self, steps: Steps[T]) -> T:
        """Carry steps out; what they return. Raises ``Unreachable`` when it is closed meanwhile."""
        carried = AsyncConversation(self, steps)
        async for _ in carried:
            raise RuntimeError("these steps emit items: iterate over them")
        return cast(T, _outcome(carried))

    def carry(self, conversation: AsyncConversation) -> None:
        """Know what there is to end."""
        self._carried.add(conversation)

    async def answer(self, request: Sendable) -> Answer:
        """The answer to a request, read to its end."""
        http = self.http_for(request.url)
        try:
            with translated(request.url):
                async with (
                    asyncio.timeout(request.timeout),
                    http.stream(**arguments(request, request.timeout)) as response,
                ):
                    collector = Collector(response, request)
                    async for chunk in response.aiter_raw():
                        if not collector.takes(chunk):
                            break
                    return collector.answer
        except TimeoutError:
            raise silent(request) from None

    def http_for(self, url: str) -> httpx2.AsyncClient:
        """The client of httpx2 that is right for a server. Raises ``Unreachable`` once this is closed."""
        if self._closed:
            raise Unreachable("the client is closed")
        if self._given is not None:
            return self._given
        kind = kind_of(url)
        if kind not in self._clients:
            self._clients[kind] = httpx2.AsyncClient(**options_for(url, self.network))
        return self._clients[kind]


def _outcome(carried: Conversation | AsyncConversation) -> Any:
    if not carried.ended:
        raise Unreachable("the client was closed")
    return carried.result


def _sendable(address: Address | None, request: Request, timeout: float) -> Sendable:
    if address is None:
        raise TypeError("give an address to exchange with")
    return make_options(address.url, address.token, {"timeout": timeout}).sendable(request)
