"""Trying again: whether, and after how long. No I/O, no clock."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Literal

import msgspec

from headway.client.errors import NoConnection, Unreachable
from headway.client.exchange import Answer, Request
from headway.core.errors import HeadwayError, InvalidInput

_SAFE = frozenset(("GET", "HEAD", "PUT", "DELETE"))
"""Methods that may be repeated without harm, whatever became of the first attempt (RFC 9110, section 9.2.2)."""


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried again, and for how long; the names are those of the generated Plex clients, the unit is seconds.

    A server that names a time by ``Retry-After`` is given it. Otherwise waits begin at ``initial_interval`` and grow by
    ``exponent`` up to ``max_interval``, each with full jitter. Raises ``InvalidInput`` for numbers that make no sense.
    """

    strategy: Literal["backoff", "none"] = "backoff"
    initial_interval: float = 0.5
    max_interval: float = 30.0
    exponent: float = 1.5
    max_elapsed_time: float = 10.0
    """Seconds from the first attempt after which none is begun."""
    retry_connection_errors: bool = False
    """Also when no answer came. A request that may have been carried out is repeated only if that does no harm."""
    status_codes: frozenset[int] = frozenset((429, 502, 503, 504))

    def __post_init__(self) -> None:
        if self.strategy not in ("backoff", "none"):
            raise InvalidInput("retries: the strategy must be backoff or none")
        intervals = (self.initial_interval, self.max_interval, self.max_elapsed_time)
        if not (all(seconds >= 0 for seconds in intervals) and 1 <= self.exponent < math.inf):  # nor NaN
            raise InvalidInput("retries: intervals must be 0 seconds or more, and the exponent 1 or more")

    def begin(self, now: float, jitter: Callable[[], float] = random.random) -> Attempts:
        """The attempts at one request; ``now``: monotonic seconds of the first."""
        return Attempts(self, now, jitter)


NO_RETRIES = Retries(strategy="none")


class Attempts:
    """The attempts at one request."""

    def __init__(self, retries: Retries, now: float, jitter: Callable[[], float]) -> None:
        self._retries = retries
        self._ends = now + retries.max_elapsed_time
        self._jitter = jitter
        self._longest = min(retries.initial_interval, retries.max_interval)

    def refused(self, answer: Answer, now: float) -> float | None:
        """Seconds to wait after an answer that is an error; None: it stands."""
        if answer.status not in self._retries.status_codes:
            return None
        return self._wait(now, answer.retry_after)

    def unanswered(self, error: HeadwayError, request: Request, now: float) -> float | None:
        """Seconds to wait after no answer; None: the error stands."""
        if not self._retries.retry_connection_errors or not isinstance(error, Unreachable):
            return None
        keyed = any(name.lower() == "idempotency-key" for name, _ in request.headers)
        if not (isinstance(error, NoConnection) or request.method in _SAFE or keyed):
            return None
        return self._wait(now, None)

    def _wait(self, now: float, advised: float | None) -> float | None:
        policy, longest = self._retries, self._longest
        self._longest = min(policy.max_interval, longest * policy.exponent)
        wait = self._jitter() * longest if advised is None else advised
        return None if policy.strategy == "none" or now + wait > self._ends else wait
