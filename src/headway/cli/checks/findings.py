"""What a check finds out, and how long it may take to."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from typing import TypeVar

import msgspec

from headway.cli.failures import FAILED
from headway.core.text import clean, shortened

T = TypeVar("T")

_MAX_SAID = 300


class Level(enum.StrEnum):
    """How it stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a diagnosis."""

    check: str
    level: Level
    says: str
    advice: str = ""
    """What to do about it."""
    code: int = 0
    """Of a failure: what the program exits with."""


def ok(check: str, says: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, says)


def warn(check: str, says: str, advice: str = "") -> Finding:
    """It works, but."""
    return Finding(check, Level.WARN, says, advice)


def fail(check: str, says: str, advice: str = "", code: int = FAILED) -> Finding:
    """It does not work."""
    return Finding(check, Level.FAIL, says, advice, code)


def quoted(text: str, limit: int = _MAX_SAID) -> str:
    """What somebody else said, fit for a terminal."""
    return shortened(clean(text), limit)


def milliseconds(seconds: float) -> str:
    """A short time in words."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.1f} s"


def within(seconds: float, work: Callable[[], T]) -> T:
    """Call it, and wait so long at most: also for what takes no limit, such as looking up a name, and for whoever sends
    a byte now and then. Raises ``TimeoutError``, and whatever it raises.
    """
    done: list[T] = []
    trouble: list[Exception] = []

    def call() -> None:
        try:
            done.append(work())
        except Exception as error:
            trouble.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if trouble:
        raise trouble[0]
    if not done:
        raise TimeoutError(f"nothing within {seconds:g} seconds")
    return done[0]
