"""Carries the steps of the client out without any I/O: prepared replies, and a clock that moves by sleeping only."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from headway.client.exchange import Answer, Sendable
from headway.client.options import Options, Settings, make_options
from headway.client.steps import Close, Emit, Exchange, Open, Read, Sleep, Steps, Write
from headway.core.errors import HeadwayError

T = TypeVar("T")

URL = "http://media.example:32400"
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html"}

Reply = Answer | bytes | None | HeadwayError | Callable[[Sendable], Answer]
"""What comes of a request or of a read: for a read, bytes, or None for silence; errors are thrown."""


class OutOfReplies(Exception):
    """Whoever prepared the replies has seen enough."""


class ByHand:
    """A driver whose every reply was written down before."""

    def __init__(self, *replies: Reply, now: float = 0.0) -> None:
        self.replies = deque(replies)
        self.now = now
        self.steps: list[Any] = []
        """All that was asked, in order."""
        self.emitted: list[Any] = []

    def clock(self) -> float:
        return self.now

    @property
    def requests(self) -> list[Sendable]:
        return [step.request for step in self.steps if isinstance(step, Exchange | Open)]

    @property
    def slept(self) -> list[float]:
        return [step.seconds for step in self.steps if isinstance(step, Sleep)]

    @property
    def written(self) -> bytes:
        return b"".join(step.data for step in self.steps if isinstance(step, Write))

    def run(self, steps: Steps[T]) -> T:
        """Carry them out to their end; what they return, or raise. ``OutOfReplies`` when there are none left."""
        reply: Any = None
        trouble: HeadwayError | None = None
        while True:
            try:
                step = steps.send(reply) if trouble is None else steps.throw(trouble)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            reply = trouble = None
            if isinstance(step, Emit):
                self.emitted.append(step.item)
                continue
            self.steps.append(step)
            try:
                reply = self._carry_out(step)
            except HeadwayError as error:
                trouble = error

    def watch(self, steps: Steps[Any]) -> list[Any]:
        """Carry them out as long as there are replies; what they emitted."""
        try:
            self.run(steps)
        except OutOfReplies:
            steps.close()
        return self.emitted

    def _carry_out(self, step: Any) -> Any:
        if isinstance(step, Sleep):
            self.now += step.seconds
        if isinstance(step, Sleep | Write | Close):
            return None
        if not self.replies:
            raise OutOfReplies
        reply = self.replies.popleft()
        if isinstance(reply, HeadwayError):
            raise reply
        if isinstance(step, Read):
            if reply is None:
                self.now += step.seconds
            return reply
        return reply(step.request) if callable(reply) else reply


def options(url: str = URL, token: str | None = "t0k3n", **settings: Any) -> Options:
    given: Settings = settings  # type: ignore[assignment]
    return make_options(url, token, given)


def answered(document: Any, status: int = 200, /, **headers: str) -> Answer:
    """A JSON answer; of header names an underscore is a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {**JSON, **named}, json.dumps(document).encode())


def container(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A list, as JSON has it."""
    found = list(rows)
    return {"MediaContainer": {"size": len(found), **({"Activity": found} if found else {})}}


def listing(*rows: dict[str, Any], **headers: str) -> Answer:
    """A list of activities."""
    return answered(container(rows), 200, **headers)


def plex_refusal(status: int, phrase: str = "Not Found") -> Answer:
    """How a Plex server says no."""
    page = f"<html><head><title>{phrase}</title></head><body><h1>{status} {phrase}</h1></body></html>"
    return Answer(status, HTML, page.encode())
