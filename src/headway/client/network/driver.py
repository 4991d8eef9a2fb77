"""A transport together with what holds for each call: what carries out what the client does."""

from __future__ import annotations

import time
from typing import TypeVar

from headway.client.exchange import Call
from headway.client.network.async_conversation import AsyncConversation
from headway.client.network.connecting import Network
from headway.client.network.conversation import Conversation
from headway.client.network.transport import AsyncTransport, Transport
from headway.client.options import Options
from headway.client.results import Result, as_result
from headway.client.sending import send, send_for_answer
from headway.client.steps import Clock, Steps

T = TypeVar("T")


class Driver:
    """For threads."""

    def __init__(self, transport: Transport, options: Options, clock: Clock = time.monotonic) -> None:
        self.options: Options = options
        self.clock: Clock = clock
        self.network: Network = transport.network
        self._transport = transport

    def but(self, options: Options) -> Driver:
        """The same connections with other options."""
        return Driver(self._transport, options, self.clock)

    def send(self, call: Call[T]) -> T:
        """What the server says to a call."""
        return self.run(send(call, self.options, self.clock))

    def result(self, call: Call[T]) -> Result[T]:
        """The same as a value, whether it went well or not."""
        return self.run(as_result(send_for_answer(call, self.options, self.clock)))

    def run(self, steps: Steps[T]) -> T:
        """Carry steps out; what they return."""
        return self._transport.run(steps)

    def iterate(self, steps: Steps[None]) -> Conversation:
        """Carry steps out while somebody takes what they emit."""
        return Conversation(self._transport, steps)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


class AsyncDriver:
    """On an event loop."""

    def __init__(self, transport: AsyncTransport, options: Options, clock: Clock = time.monotonic) -> None:
        self.options: Options = options
        self.clock: Clock = clock
        self.network: Network = transport.network
        self._transport = transport

    def but(self, options: Options) -> AsyncDriver:
        """The same connections with other options."""
        return AsyncDriver(self._transport, options, self.clock)

    async def send(self, call: Call[T]) -> T:
        """What the server says to a call."""
        return await self.run(send(call, self.options, self.clock))

    async def result(self, call: Call[T]) -> Result[T]:
        """The same as a value, whether it went well or not."""
        return await self.run(as_result(send_for_answer(call, self.options, self.clock)))

    async def run(self, steps: Steps[T]) -> T:
        """Carry steps out; what they return."""
        return await self._transport.run(steps)

    def iterate(self, steps: Steps[None]) -> AsyncConversation:
        """Carry steps out while somebody takes what they emit."""
        return AsyncConversation(self._transport, steps)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()
