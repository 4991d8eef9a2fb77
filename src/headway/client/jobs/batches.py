"""Many changes as one request, and its answer dealt out again: without I/O, clock or threads.

A server that does not know the request says so (``unsupported``); then each change is a request of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from headway.client import calls
from headway.client.exchange import Answer, Request
from headway.wire.batch import Outcomes, decode_outcomes
from headway.wire.errors import Unreadable
from headway.wire.requests import MAX_BATCH
from headway.wire.xml import MAX_ANSWER

MAX_BYTES = 60_000
"""Bytes of a body, well below what a server takes (65,536)."""

_HEAD, _TAIL = b'{"Activity":[', b"]}"
_MINIMAL = ("Prefer", "return=minimal")
_JSON = ("Content-Type", "application/json")
_MEMBERS_BEGIN = 1

T = TypeVar("T")


class Batch(Generic[T]):
    """Changes that go together; each is somebody's, who is told what came of it."""

    def __init__(self) -> None:
        self.senders: dict[str, T] = {}
        """Whose they are, by the uuid of the activity."""
        self._items: list[bytes] = []
        self._size = len(_HEAD) + len(_TAIL)

    def __repr__(self) -> str:
        return f"<Batch of {len(self._items)}, {self._size} bytes>"

    def add(self, uuid: str, sender: T, members: bytes = b"{}") -> bool:
        """Take in a change, a JSON object; False when there is no room for it."""
        more = b"," if len(members) > len(b"{}") else b""
        item = b'{"uuid":"%b"%b%b' % (uuid.encode(), more, members[_MEMBERS_BEGIN:])
        full = len(self._items) >= MAX_BATCH or self._size + len(item) + 1 > MAX_BYTES
        if uuid in self.senders or (full and self._items):
            return False
        self.senders[uuid] = sender
        self._items.append(item)
        self._size += len(item) + 1
        return True

    def request(self, wait: float | None = None) -> Request:
        """``wait``: seconds that the answer may be held while it would tell nothing."""
        return Request(
            method="PATCH",
            path=calls.ACTIVITIES,
            query=() if wait is None else (("wait", f"{wait:g}"),),
            headers=(_JSON, _MINIMAL),
            body=_HEAD + b",".join(self._items) + _TAIL,
            patience=wait or 0.0,
            largest=MAX_ANSWER,
        )


def pack(changes: Iterable[tuple[str, T, bytes]]) -> Iterator[Batch[T]]:
    """As few batches as hold them all: uuid, whose it is, and what it says."""
    batch: Batch[T] = Batch()
    for uuid, sender, members in changes:
        if not batch.add(uuid, sender, members):
            yield batch
            batch = Batch()
            batch.add(uuid, sender, members)
    if batch.senders:
        yield batch


def unsupported(answer: Answer) -> bool:
    """Whether the server does not know such a request, as one of a former version."""
    # Any other 404 is a proxy's whose server is away.
    return answer.status == 405 or (answer.status == 404 and answer.content_type == "application/json")


def misunderstood(answer: Answer) -> bool:
    """Whether it is the request that is wrong: one of its changes, it may be, on account of which all are refused."""
    return answer.status in (400, 413, 422)


def outcomes(answer: Answer) -> Outcomes:
    """What came of each. Raises the typed error of an answer that is one, and ``Unreadable``."""
    answer.require_success()
    if answer.content_type != "application/json":
        raise Unreadable(f"JSON was expected, {answer.content_type[:64]} came; is this a media server?")
    return decode_outcomes(answer.body)
