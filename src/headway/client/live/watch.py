"""What ``activities.watch`` and ``activities.follow`` return: an iterator over what happens, which can be stopped."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Self

from headway.client.live.replica import Replica
from headway.client.network.async_conversation import AsyncConversation
from headway.client.network.conversation import Conversation
from headway.core.errors import HeadwayError
from headway.wire.notifications import Notification

Callback = Callable[[Notification], None]
Failed = Callable[[HeadwayError], None]
"""Told why a watch in the background has ended, if nobody closed it."""

_log = logging.getLogger("headway")


class Watch(Iterator[Notification]):
    """What happens on a server, for ever and across lost connections, until it is closed."""

    def __init__(self, conversation: Conversation, replica: Replica) -> None:
        self.replica: Replica = replica
        """The activities that are live, as far as has been told: always the present state."""
        self._conversation = conversation

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Watch {self.replica!r}>"

    def __next__(self) -> Notification:
        notification: Notification = next(self._conversation)
        return notification

    def close(self) -> None:
        """Stop, from any thread: who waits for the next notification is told at once that there is none."""
        self._conversation.close()

    def call(self, callback: Callback, on_error: Failed | None = None) -> Self:
        """Call back for each notification, in a thread of its own, until it is closed; errors in there are logged."""
        threading.Thread(target=self._run, args=(callback, on_error), name="headway-watch", daemon=True).start()
        return self

    def _run(self, callback: Callback, on_error: Failed | None) -> None:
        try:
            for notification in self:
                _call(callback, notification)
        except HeadwayError as error:
            _failed(error, on_error)


class AsyncWatch(AsyncIterator[Notification]):
    """The same on an event loop."""

    def __init__(self, conversation: AsyncConversation, replica: Replica) -> None:
        self.replica: Replica = replica
        """The activities that are live, as far as has been told: always the present state."""
        self._conversation = conversation
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<AsyncWatch {self.replica!r}>"

    async def __anext__(self) -> Notification:
        notification: Notification = await anext(self._conversation)
        return notification

    async def aclose(self) -> None:
        """Stop, from any task: who waits for the next notification is told at once that there is none."""
        await self._conversation.close()

    def call(self, callback: Callback, on_error: Failed | None = None) -> Self:
        """Call back for each notification, in a task of its own, until it is closed; errors in there are logged."""
        self._task = asyncio.create_task(self._run(callback, on_error))
        return self

    async def _run(self, callback: Callback, on_error: Failed | None) -> None:
        try:
            async for notification in self:
                _call(callback, notification)
        except HeadwayError as error:
            _failed(error, on_error)


def _call(callback: Callback, notification: Notification) -> None:
    try:
        callback(notification)
    except Exception:
        _log.exception("a callback of a watch failed")


def _failed(error: HeadwayError, on_error: Failed | None) -> None:
    if on_error is not None:
        on_error(error)
    else:
        _log.error("a watch has ended: %s", error.message)
