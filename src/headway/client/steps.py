"""What the client asks of whoever carries it out: a program of the client is a generator of steps.

It decides and never waits; a driver (see ``transport``) carries each step out, with threads or on an event loop, and
sends back what came of it, or throws the ``HeadwayError`` that it met. So there is one program for both.

======== ============================== ===============================================================
Exchange a request                      the ``Answer``, read to its end
Open     a request                      the head of the ``Answer``; its body is the stream. One at a time
Read     seconds                        bytes; none at the end of the stream; None when nothing has come
Write    bytes                          nothing (a WebSocket is written to)
Close                                   nothing; the stream is closed
Sleep    seconds                        nothing
Emit     an item                        nothing; the item goes to the caller
======== ============================== ===============================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import msgspec

from headway.client.exchange import Answer, Sendable
from headway.core.errors import HeadwayError

T = TypeVar("T")

Steps = Generator[Any, Any, T]
Clock = Callable[[], float]
"""Monotonic seconds."""


class Exchange(msgspec.Struct, frozen=True):
    """Send a request and read the whole answer."""

    request: Sendable


class Open(msgspec.Struct, frozen=True):
    """Send a request whose answer has no end; of one that is refused, the body is read."""

    request: Sendable


class Read(msgspec.Struct, frozen=True):
    """Read what has come; after None a server-sent stream gives nothing more."""

    seconds: float


class Write(msgspec.Struct, frozen=True):
    """Write to a WebSocket."""

    data: bytes


class Close(msgspec.Struct, frozen=True):
    """Close the stream, if one is open."""


class Sleep(msgspec.Struct, frozen=True):
    """Wait."""

    seconds: float


class Emit(msgspec.Struct, frozen=True):
    """Give an item to the caller."""

    item: Any


def exchange(request: Sendable) -> Steps[Answer]:
    """The answer to a request. Raises ``Unreachable`` without one, ``Unreadable`` for one too large."""
    answer: Answer = yield Exchange(request)
    return answer


def opened(request: Sendable) -> Steps[Answer]:
    """The head of the answer to a request. Raises ``Unreachable``."""
    head: Answer = yield Open(request)
    return head


def read(seconds: float) -> Steps[bytes | None]:
    """What comes on the stream within some seconds; empty at its end. Raises ``Unreachable``."""
    data: bytes | None = yield Read(seconds)
    return data


def until(
    steps: Steps[Any],
    last: Callable[[Any], bool],
    *,
    deadline: float = math.inf,
    clock: Clock,
    emit: bool = False,
) -> Steps[bool]:
    """Carry steps on until ``last`` says so of an item that they emit; False when they end before, or time is over.

    They can be carried on afterwards, unless time was over. ``emit``: pass the items on, too.
    """
    reply: Any = None
    trouble: HeadwayError | None = None
    while True:
        try:
            step = steps.send(reply) if trouble is None else steps.throw(trouble)
        except StopIteration:
            return False
        reply = trouble = None
        if isinstance(step, Emit):
            if emit:
                yield step
            if last(step.item):
                return True
            continue
        left = deadline - clock()
        if left <= 0:
            return False
        try:
            reply = yield _within(step, left)
        except HeadwayError as error:
            trouble = error
        if deadline <= clock() and reply is None:
            return False


def _within(step: Any, left: float) -> Any:
    if isinstance(step, Read | Sleep) and step.seconds > left:
        return type(step)(left)
    if isinstance(step, Exchange | Open) and step.request.timeout > left:
        return type(step)(msgspec.structs.replace(step.request, timeout=left))
    return step
