"""From a name to a connection: addresses, proxies, TCP and TLS."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from headway.cli.checks.findings import Finding, fail, milliseconds, ok, quoted, warn, within
from headway.cli.failures import UNREACHABLE
from headway.client.address import Address

MAX_ADDRESSES = 8
"""Of one name that are tried."""

_PORTS = {"http": 80, "https": 443}


class Place(NamedTuple):
    """Where something listens."""

    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Place:
        """The place that a URL names."""
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80))


class Reached(NamedTuple):
    """An address of a place."""

    family: socket.AddressFamily
    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def proxy_for(url: str) -> str | None:
    """The proxy that the environment puts before a server; never one before this machine itself."""
    parts = urlsplit(url)
    if Address(url).loopback or proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    return None if not found else found if "://" in found else f"http://{found}"


def proxied(url: str, place: Place) -> Finding:
    """Between us and the server there is a proxy, at that place."""
    return warn(
        "proxy",
        f"requests go through the proxy {quoted(place.host)}:{place.port}, as the environment says",
        f"to go there directly: NO_PROXY={quoted(Place.of(url).host)}",
    )


def resolve(place: Place, seconds: float) -> list[Reached]:
    """Its addresses. Raises ``OSError`` and ``TimeoutError``."""
    found = within(seconds, lambda: socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM))
    reached = dict.fromkeys(Reached(family, str(address[0]), place.port) for family, _, _, _, address in found)
    return list(reached)[:MAX_ADDRESSES]


def resolved(place: Place, addresses: list[Reached]) -> Finding:
    """What a name stands for."""
    listed = ", ".join(each.address for each in addresses)
    return ok("name", listed if listed == place.host else f"{place.host} is {listed}")


def unresolved(place: Place, error: OSError | ValueError) -> Finding:
    """Nobody knows the name."""
    return fail(
        "name",
        f"cannot find {quoted(place.host)}: {_reason(error)}",
        "see to the spelling, to the name server of this machine, and to a VPN that may be needed",
        UNREACHABLE,
    )


def connect(reached: Reached, seconds: float) -> float:
    """Connect and hang up; the seconds it took. Raises ``OSError``."""
    begun = time.monotonic()
    with connected(reached, seconds):
        return time.monotonic() - begun


def connections(addresses: list[Reached], seconds: float) -> Iterator[tuple[Reached, Finding]]:
    """A connection to each address; a finding for each, a failure only when none is reached."""
    results = [(each, _tried(each, seconds)) for each in addresses]
    any_reached = any(isinstance(result, float) for _, result in results)
    for each, result in results:
        if isinstance(result, float):
            yield each, ok("connect", f"{each} in {milliseconds(result)}")
        elif any_reached:
            says = f"{each}: {_reason(result)}; another address answers"
            yield each, warn("connect", says, "who tries this address first loses time")
        else:
            yield each, fail("connect", f"{each}: {_reason(result)}", _advice(result), UNREACHABLE)


def _tried(reached: Reached, seconds: float) -> float | OSError:
    try:
        return connect(reached, seconds)
    except OSError as error:
        return error


def connected(reached: Reached, seconds: float) -> socket.socket:
    connection = socket.socket(reached.family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect((reached.address, reached.port))
    except OSError:
        connection.close()
        raise
    return connection


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return quoted(getattr(error, "strerror", None) or str(error)).lower()


def _advice(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there: is the server running (`headway serve`), and is the port right?"
    if isinstance(error, TimeoutError):
        return "the machine is off, or a firewall between drops what we send"
    return "see to the network of this machine and the way there"
