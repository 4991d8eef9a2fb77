"""What the tasks of all libraries do, and their settings, for publishers and workers."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import Any, TypedDict

import redis

import headway

BROKER = os.environ.get("SHOP_BROKER", "redis://127.0.0.1:1")
NOTES = os.environ.get("SHOP_NOTES", BROKER)
owner: int | None = None
"""For whom this process publishes; a worker for nobody of its own."""


class Settings(TypedDict):
    """What all are tracked with."""

    owner: Any
    lease: float
    grace: float


SETTINGS: Settings = {"owner": lambda: owner, "lease": 10.0, "grace": 1.0}


def notebook() -> redis.Redis:
    """Something outside of all that is tested."""
    return redis.Redis.from_url(NOTES, protocol=2)


def note(name: str) -> int:
    """Leave word that a task of that name runs, in which process and since when; how often it has."""
    with closing(notebook()) as book:
        return int(book.rpush(name, f"{os.getpid()} {time.time()}"))


def fail() -> None:
    raise ValueError("no such film")


def once(name: str) -> None:
    """Fail the first time."""
    if note(name) == 1:
        raise RuntimeError("not yet")


def report(percent: float, name: str) -> None:
    """Report, and go on once there is word under that name."""
    headway.current().report(percent, subtitle="in the middle")
    with closing(notebook()) as book:
        book.blpop([name], 20)


def nap(seconds: float, name: str) -> None:
    """One long call."""
    note(name)
    time.sleep(seconds)


def spin(seconds: float, name: str) -> None:
    """Many short ones."""
    note(name)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        time.sleep(0.01)


def look(seconds: float) -> None:
    """The same, and it looks whether it is to stop."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        headway.current().check_cancelled()
        time.sleep(0.01)


def short() -> None:
    time.sleep(0.05)
