"""What an endpoint sends, when it is not yet known who will read it: replies held back, passed on, or kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec
from starlette.types import Message, Send

from headway.core.activity import Activity


class Reply(NamedTuple):
    """A whole reply."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    async def give(self, send: Send) -> None:
        """Send it, byte for byte as the endpoint sent it."""
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": self.body})

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers)

    @property
    def json(self) -> object:
        """The body if it says that it is JSON and is; else None."""
        headers = dict(self.headers)
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if b"content-encoding" in headers or not (kind == b"application/json" or kind.endswith(b"+json")):
            return None
        try:
            value: object = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return value


class Outlet:
    """Takes what an endpoint sends, and holds it back until it is complete or too large to be held.

    What is too large goes on to those who listen at that moment, piece by piece and at the pace of the slowest; when
    nobody does, it is dropped. So memory is bounded, whatever the endpoint sends and whoever is there.
    """

    def __init__(self, limit: int) -> None:
        """``limit``: bytes of a body to hold back."""
        self._limit = limit
        self._held: bytearray | None = bytearray()
        self._start: Message | None = None
        self._listeners: list[Send] = []
        self.live: bool = False
        """Those who listen are being sent the reply as it is made."""
        loop = asyncio.get_running_loop()
        self.spoken: asyncio.Future[None] = loop.create_future()
        """Done once there is something to listen to: the whole reply, or a live one."""
        self.complete: asyncio.Future[None] = loop.create_future()
        """Done once the endpoint has said all."""

    @property
    def status(self) -> int | None:
        """The status of the reply, once it has begun."""
        return None if self._start is None else int(self._start["status"])

    @property
    def listened(self) -> bool:
        """Whether anybody waits for the reply."""
        return bool(self._listeners)

    @property
    def reply(self) -> Reply | None:
        """The whole reply, if it is complete and was not too large."""
        if self._start is None or self._held is None or not self.complete.done():
            return None
        headers = tuple((bytes(name).lower(), bytes(value)) for name, value in self._start.get("headers", ()))
        return Reply(int(self._start["status"]), headers, bytes(self._held))

    @contextmanager
    def listening(self, send: Send) -> Iterator[bool]:
        """While the block runs, ``send`` gets what is passed on; False if that has begun, and so is too late."""
        heard = self._held is not None
        if heard:
            self._listeners.append(send)
        try:
            yield heard
        finally:
            self._leave(send)

    async def take(self, message: Message) -> None:
        """What the endpoint sends next. Raises RuntimeError for what makes no reply, as servers do."""
        if self.complete.done() or (message["type"] == "http.response.start") is not (self._start is None):
            raise RuntimeError(f"Unexpected ASGI message {message['type']!r}")
        if self._start is None:
            self._start = message
        elif message["type"] == "http.response.body":
            await self._take_body(message)

    async def _take_body(self, message: Message) -> None:
        if self._held is None:
            await self._pass_on(message)
        else:
            self._held += message.get("body", b"")
            if len(self._held) > self._limit:
                await self._overflow(message.get("more_body", False))
        if not message.get("more_body", False):
            self.complete.set_result(None)
            self._speak()

    async def _overflow(self, more: bool) -> None:
        body, self._held = self._held, None
        if self._listeners and self._start is not None:
            self.live = True
            self._speak()
            await self._pass_on(self._start)
            await self._pass_on({"type": "http.response.body", "body": bytes(body or b""), "more_body": more})

    async def _pass_on(self, message: Message) -> None:
        for send in tuple(self._listeners):
            try:
                await send(message)
            except Exception:  # its connection has broken, which is no reason for the endpoint to stop
                self._leave(send)

    def _leave(self, send: Send) -> None:
        if send in self._listeners:
            self._listeners.remove(send)

    def _speak(self) -> None:
        if not self.spoken.done():
            self.spoken.set_result(None)


class Kept(NamedTuple):
    """What a request with an ``Idempotency-Key`` came to."""

    fingerprint: str
    activity: Activity
    reply: Reply


Key = tuple[int, str]
"""A user and their ``Idempotency-Key``."""


class ReplyCache:
    """Replies that may be asked for again: so many, so large, so long. The oldest go first."""

    def __init__(self, replies: int, size: int, age: float) -> None:
        """``size``: bytes in all. ``age``: seconds."""
        self._replies = replies
        self._size = size
        self._age = age
        self._kept: OrderedDict[Key, tuple[float, Kept]] = OrderedDict()
        self._held = 0

    def __repr__(self) -> str:
        return f"<ReplyCache: {len(self._kept)} replies, {self._held} bytes>"

    def keep(self, key: Key, kept: Kept, now: float) -> None:
        """Remember a reply that is not known yet; ``now`` in monotonic seconds."""
        self._kept[key] = (now, kept)
        self._held += kept.reply.size
        self._forget(now)

    def recall(self, key: Key, now: float) -> Kept | None:
        """The reply, if it is still known."""
        self._forget(now)
        return self._kept[key][1] if key in self._kept else None

    def _forget(self, now: float) -> None:
        while self._kept:
            key, (since, kept) = next(iter(self._kept.items()))
            if len(self._kept) <= self._replies and self._held <= self._size and now - since <= self._age:
                return
            del self._kept[key]
            self._held -= kept.reply.size
