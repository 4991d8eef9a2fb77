"""How often a login may fail. Nobody guesses 256 random bits, but whoever tries must not keep the server busy."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from headway.core.errors import TooMany
from headway.ports import Clock

BURST = 10
"""Failures of one address before it has to wait."""
PAUSE = 2.0
"""Seconds after which it may fail once more."""
CAPACITY = 10_000
"""Addresses that are remembered; the one that failed longest ago is forgotten first."""

_NETWORK = 64
"""Bits of an IPv6 address that stand for who has it: one host has all that begin alike."""


class Attempts:
    """Counts failures by address, in a bounded memory."""

    def __init__(self, clock: Clock, *, burst: int = BURST, pause: float = PAUSE, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._burst, self._pause, self._capacity = burst, pause, capacity
        self._even: OrderedDict[str, float] = OrderedDict()
        """When an address will have waited for all of its failures, in monotonic seconds."""

    def __repr__(self) -> str:
        return f"<Attempts: {len(self._even)} addresses>"

    def check(self, address: str) -> None:
        """Raise ``TooMany`` while an address has failed too often, whatever it brings this time."""
        waits = self._even.get(_network(address), 0.0) - self._clock.monotonic()
        if waits > (self._burst - 1) * self._pause:
            raise TooMany("too many logins have failed; wait a little")

    def failed(self, address: str) -> None:
        """Note a failure."""
        now, network = self._clock.monotonic(), _network(address)
        self._even[network] = max(now, self._even.get(network, now)) + self._pause
        self._even.move_to_end(network)
        while len(self._even) > self._capacity or next(iter(self._even.values())) <= now:
            self._even.popitem(last=False)


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address  # a Unix socket has none, a proxy may say anything
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed.packed, _NETWORK), strict=False))
    return str(parsed)
