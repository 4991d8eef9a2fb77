"""For tests of what is built with Headway: a clock that obeys, and the contract every store must keep.

``headway.testing.stores`` needs pytest; it is imported by whoever tests a store, not from here.
"""

from __future__ import annotations

from headway.testing.clock import FakeClock

__all__ = ["FakeClock"]
