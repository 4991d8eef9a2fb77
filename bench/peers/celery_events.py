"""Celery's events: a program that sends them, and one that receives them as Flower does, with ``EventReceiver``.
Arguments, in hex: ``send`` or ``receive``, and the URL of the broker.

The sender is told stamps, and ``burst COUNT``; the receiver is told ``reset`` and ``count``, and says what has come.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from celery import Celery  # type: ignore[import-untyped]

from bench import frame
from bench.frame import UNSTAMPED
from bench.peers.serving import parts, tell

EVENT = "task-activity"
document = frame.document("sse")


class Received:
    """What has come, and how long that took."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.frames = 0
        self.seconds: list[float] = []

    def __call__(self, event: dict[str, Any]) -> None:
        """Another."""
        sent = int(event["activity"]["subtitle"].strip("@").partition(".")[2])
        self.frames += 1
        if sent:
            self.seconds.append((time.monotonic_ns() - sent) / 1e9)


def send(app: Any) -> None:
    with app.connection_for_write() as connection, app.events.Dispatcher(connection) as dispatcher:
        tell(ready=True)

        def one(stamp: str) -> None:
            dispatcher.send(
                EVENT, activity=json.loads(document.stamped(stamp.encode()))["ActivityNotification"]["Activity"]
            )

        for line in sys.stdin:
            if line.startswith("burst"):
                count = int(line.split()[1])
                for _ in range(count):
                    one(UNSTAMPED)
                tell(messages=count)
            else:
                one(line.strip())


def receive(app: Any) -> None:
    received = Received()

    def obey() -> None:
        for line in sys.stdin:
            if line.strip() == "reset":
                received.reset()
            tell(frames=received.frames, seconds=received.seconds)

    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={EVENT: received})
        threading.Thread(target=obey, daemon=True).start()
        tell(ready=True)
        receiver.capture(limit=None, timeout=None, wakeup=False)


if __name__ == "__main__":
    role, url = (part.decode() for part in parts())
    {"send": send, "receive": receive}[role](Celery("bench", broker=url, set_as_current=True))
