"""Why a stream ends, and when its client shall come back."""

from __future__ import annotations

import enum
import random

from headway.wire import sse

RETRY = 3_000
"""Milliseconds that an EventSource waits before it comes back; spread by half as much again."""


class Ending(enum.Enum):
    """As a WebSocket close code (RFC 6455, section 7.4)."""

    STOPPING = 1012
    REVOKED = 1008
    BEHIND = 1013
    STALLED = 1006
    """Never sent: there is nobody to read it."""
    GONE = 1000
    FAILED = 1011


def retry() -> bytes:
    """The word to an EventSource when to come back; not to all the same."""
    return sse.retry(random.randint(RETRY // 2, RETRY * 3 // 2))  # noqa: S311 - spreads, hides nothing
