"""The connections of the client, over httpx2: for threads, and on an event loop.

They carry requests, and the steps of whatever the client does (see ``steps``); they decide nothing.
"""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast
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
Http = TypeVar("Http", bound=httpx2.Client | httpx2.AsyncClient)
Carried = TypeVar("Carried", bound=Conversation | AsyncConversation)


class _Connections(ABC, Generic[Http, Carried]):
    """What both have: the clients of httpx2 that are open, and what is being carried out."""

    def __init__(
        self,
        address: Address | None = None,
        *,
        timeout: float = TIMEOUT,
        http: Http | None = None,
        network: Network | None = None,
    ) -> None:
        """``address``, ``timeout`` (seconds): for ``exchange``. ``http``: a client to use, which stays open."""
        self.address: Address | None = address
        self.network: Network = network or {}
        """How it reaches servers, unless by a client that was given."""
        self._timeout = timeout
        self._given = http
        self._clients: dict[str, Http] = {}
        self._carried: WeakSet[Carried] = WeakSet()
        self._closed = False
        self._lock = threading.Lock()

    def carry(self, conversation: Carried) -> None:
        """Know what there is to end."""
        with self._lock:
            self._carried.add(conversation)

    def http_for(self, url: str) -> Http:
        """The client of httpx2 that is right for a server. Raises ``Unreachable`` once this is closed."""
        with self._lock:
            if self._closed:
                raise Unreachable("the client is closed")
            if self._given is not None:
                return self._given
            kind = kind_of(url)
            if kind not in self._clients:
                self._clients[kind] = self._open(url)
            return self._clients[kind]

    @abstractmethod
    def _open(self, url: str) -> Http:
        """A new client for servers like this."""

    def _shut(self) -> list[Carried]:
        """Take on nothing more. What is to end now."""
        with self._lock:
            self._closed = True
            return list(self._carried)

    def _emptied(self) -> list[Http]:
        """The clients that were open, for whoever closes them."""
        with self._lock:
            clients, self._clients = self._clients, {}
            return list(clients.values())

    def _sendable(self, request: Request) -> Sendable:
        if self.address is None:
            raise TypeError("give an address to exchange with")
        return make_options(self.address.url, self.address.token, {"timeout": self._timeout}).sendable(request)


class Transport(_Connections[httpx2.Client, Conversation]):
    """Carries steps out, and waits for each. May be shared between threads."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what is being carried out, in whichever thread; close the connections, but those of a client that was
        given.
        """
        for conversation in self._shut():  # before its socket is closed, which wakes nobody
            conversation.close()
        for client in self._emptied():
            client.close()

    def exchange(self, request: Request) -> Answer:
        """The answer of the server at ``address``, whatever its status. Raises ``Unreachable`` and ``Unreadable``."""
        return self.answer(self._sendable(request))

    def run(self, steps: Steps[T]) -> T:
        """Carry steps out; what they return. Raises ``Unreachable`` when it is closed meanwhile."""
        carried = Conversation(self, steps)
        for _ in carried:
            raise RuntimeError("these steps emit items: iterate over them")
        return cast(T, _outcome(carried))

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

    def _open(self, url: str) -> httpx2.Client:
        http = httpx2.Client(**options_for(url, self.network))
        deadlines.install(http)
        return http


class AsyncTransport(_Connections[httpx2.AsyncClient, AsyncConversation]):
    """The same on an event loop."""

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
        for conversation in self._shut():
            await conversation.close()
        for client in self._emptied():
            await client.aclose()

    async def exchange(self, request: Request) -> Answer:
        """The answer of the server at ``address``, whatever its status. Raises ``Unreachable`` and ``Unreadable``."""
        return await self.answer(self._sendable(request))

    async def run(self, steps: Steps[T]) -> T:
        """Carry steps out; what they return. Raises ``Unreachable`` when it is closed meanwhile."""
        carried = AsyncConversation(self, steps)
        async for _ in carried:
            raise RuntimeError("these steps emit items: iterate over them")
        return cast(T, _outcome(carried))

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

    def _open(self, url: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(**options_for(url, self.network))


def _outcome(carried: Conversation | AsyncConversation) -> Any:
    if not carried.ended:
        raise Unreachable("the client was closed")
    return carried.result
