"""The changes of a namespace in their order, by one consumer of a process: whoever has committed, all come from here.

The consumer is of this connection alone and keeps nothing: where something is missing (a message was lost on its way,
the server has restarted, nothing was heard for too long) another is made, which begins behind what has been read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from headway.stores import StoreError
from headway.stores.nats_address import TROUBLE, why
from headway.stores.nats_streams import WRITE, Refused, Streams

HEARTBEAT = 1.0
"""Seconds without a change after which the server gives a sign of life."""

SILENCE = 2.5
"""Seconds without either after which a consumer is given up."""

RETRY = 0.25
"""Seconds between two tries to make another."""

GONE = 60.0
"""Seconds after which the server forgets a consumer that nobody listens to."""

_log = logging.getLogger("headway")


class Message(NamedTuple):
    """What was written."""

    sequence: int
    subject: str
    data: bytes
    id: str
    """Of the write that it came by."""


Take = Callable[[Sequence[Message]], None]


class Batch:
    """What has come, until it can be told.

    Where sequences are missing, messages were replaced before they were sent, and what replaced them is on its way.
    They may have been starts, and whoever had read on beyond one would never hear that something began. So from a gap
    on all is kept back until everything has come that was there when the gap was seen, and is told at once.
    """

    def __init__(self, after: int) -> None:
        """``after``: the sequence that was read last. What is missing behind it is not known."""
        self.number: int = 0
        """How many have come."""
        self.gap: bool = True
        """Something is missing, since it was said last what has to come."""
        self._messages: list[Message] = []
        self._last = self._whole = after

    def add(self, message: Message) -> None:
        """The next one."""
        self.number += 1
        self.gap = self.gap or message.sequence > self._last + 1
        self._last = message.sequence
        self._messages.append(message)

    def whole_at(self, sequence: int) -> None:
        """Up to there it has to come; whoever says so has asked after the gap."""
        self._whole = sequence

    def all_came(self) -> None:
        """There is nothing behind the last one: what else was there is gone."""
        if self._last < self._whole:
            self._last = self._whole
            self._messages.append(Message(self._whole, "", b"", ""))

    def told(self) -> Sequence[Message]:
        """Those that can be told now."""
        if self.gap or self._last < self._whole:
            return ()
        told, self._messages = self._messages, []
        return told


class Missed(Exception):
    """Something has not come, or will not."""


class Feed:
    """Reads a stream from a sequence on."""

    def __init__(self, streams: Streams, after: int, take: Take, reconnected: Callable[[], Awaitable[None]]) -> None:
        """``after``: the sequence that was read last. ``reconnected``: called before each consumer but the first; it
        may raise what a connection raises.
        """
        self.read: int = after
        """The sequence that was read last."""
        self.lost: bool = False
        """The server cannot be reached."""
        self._streams = streams
        self._take = take
        self._reconnected = reconnected
        self._arrived: deque[Msg] = deque()
        self._news = asyncio.Event()
        self._cut = False
        self._complaints: set[str] = set()
        """What has been said since the store could be reached."""

    def cut(self) -> None:
        """The connection is another now: the consumer may be none any more."""
        self._cut = True
        self._news.set()

    async def follow(self) -> None:
        """Read on until cancelled."""
        begun = False
        while True:
            try:
                if begun:
                    await self._reconnected()
                begun = True
                await self._consume()
            except Missed as error:
                _log.debug("the feed begins again behind %d: %s", self.read, error)
                continue
            except (*TROUBLE, Refused, StoreError) as error:
                self._complain(why(error))
            except Exception:  # a fault of ours, or of whoever was told: nothing would ever be heard again
                _log.exception("the feed cannot be read")
            self.lost = True
            await asyncio.sleep(RETRY)

    def _complain(self, what: str) -> None:
        """Once each: that nobody answers must not hide who answers then."""
        if what not in self._complaints:
            self._complaints.add(what)
            _log.warning("the store cannot be reached: %s", what)

    async def _consume(self) -> None:
        self._arrived.clear()
        self._news.clear()
        self._cut = False
        inbox = self._streams.client.new_inbox()
        subscription = await self._streams.client.subscribe(
            inbox, cb=self._hear, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        name = ""
        try:
            name = await self._make(inbox)
            if self.lost:
                self.lost = False
                self._complaints.clear()
                _log.warning("the store can be reached again")
            await self._read_on(Batch(self.read))
        finally:
            await self._leave(subscription, name)

    async def _make(self, inbox: str) -> str:
        config = {
            "deliver_subject": inbox,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self.read + 1,
            "ack_policy": "none",
            "replay_policy": "instant",
            "max_deliver": 1,
            "flow_control": True,
            "idle_heartbeat": int(HEARTBEAT * 1e9),
            "inactive_threshold": int(GONE * 1e9),
            "mem_storage": True,
            "num_replicas": 1,
        }
        stream = self._streams.records
        told = await self._streams.ask(f"CONSUMER.CREATE.{stream}", {"stream_name": stream, "config": config})
        return str(told["name"])

    async def _leave(self, subscription: Subscription, name: str) -> None:
        try:
            await subscription.unsubscribe()
            if name and not self._streams.client.is_closed:
                await self._streams.ask(f"CONSUMER.DELETE.{self._streams.records}.{name}", timeout=SILENCE)
        except (*TROUBLE, Refused):
            pass  # the server forgets it by itself

    async def _hear(self, message: Msg) -> None:
        self._arrived.append(message)
        self._news.set()

    async def _read_on(self, batch: Batch) -> None:
        while True:
            try:
                async with asyncio.timeout(SILENCE):
                    await self._news.wait()
            except TimeoutError:
                raise Missed("no sign of life") from None
            self._news.clear()
            while self._arrived:
                message = self._arrived.popleft()
                if message.headers and message.headers.get("Status"):
                    await self._sign(message, batch)
                else:
                    batch.add(_read(message, batch.number + 1))
            if batch.gap:
                batch.gap = False
                batch.whole_at((await self._streams.state(self._streams.records))[0])
            if told := batch.told():
                self._take(told)
                self.read = told[-1].sequence
            if self._cut:
                raise Missed("another connection")

    async def _sign(self, message: Msg, batch: Batch) -> None:
        """A sign of life, which says how many messages there were; or the question whether we can take more."""
        headers = message.headers or {}
        stalled = headers.get("Nats-Consumer-Stalled")
        for reply in filter(None, (message.reply, stalled)):
            await self._streams.client.publish(reply)
        last = headers.get("Nats-Last-Consumer")
        if last is not None and int(last) != batch.number:
            raise Missed(f"{int(last)} messages were sent, {batch.number} came")
        if last is not None and stalled is None:
            batch.all_came()


def _read(message: Msg, number: int) -> Message:
    """``$JS.ACK.[domain.account hash.]stream.consumer.deliveries.sequence.number.time.pending`` names a message."""
    parts = message.reply.split(".")
    place = 4 if len(parts) <= 9 else 6
    sequence, expected = int(parts[place + 1]), int(parts[place + 2])
    if expected != number:
        raise Missed(f"message {number} did not come")
    return Message(sequence, message.subject, message.data, (message.headers or {}).get(WRITE, ""))
