"""How long to wait before trying again."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Exponential, with full jitter: clients that lost the same server at once do not return at once.

    (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog.)
    """

    def __init__(self, base: float, cap: float, *, jitter: Callable[[], float] = random.random) -> None:
        """``base``: seconds of the first wait at most; it doubles up to ``cap``. ``jitter``: from 0 to 1."""
        self.base = base
        self.cap = cap
        self._jitter = jitter
        self._failures = 0

    def __repr__(self) -> str:
        return f"<Backoff base={self.base} cap={self.cap} failures={self._failures}>"

    def next(self) -> float:
        """Seconds to wait after one more failure."""
        ceiling = min(self.cap, self.base * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return self._jitter() * ceiling

    def reset(self) -> None:
        """It worked: the next failure is a first one."""
        self._failures = 0
