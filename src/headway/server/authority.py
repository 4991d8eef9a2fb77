"""Hosts and origins as they stand in headers, in a form that can be compared (RFC 3986, RFC 6454)."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import NamedTuple

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""What a server on this machine is called on this machine."""

_PORTS = {"http": 80, "https": 443}
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._~!$&'()*+,;=%-]*))(?::([0-9]{0,5}))?")
_ORIGIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.+)")


class Origin(NamedTuple):
    """Where a web page comes from."""

    scheme: str
    host: str
    port: int | None


def parse_authority(value: str) -> tuple[str, int | None]:
    """Host and port of ``host[:port]``; the host in lower case, addresses in their shortest form and without brackets.

    Raises ``ValueError`` when it is neither a name nor an address.
    """
    match = _AUTHORITY.fullmatch(value)
    if match is None:
        raise ValueError(f"{value!r} is not a host")
    literal, name, port = match.groups()
    if port and int(port) > 65_535:
        raise ValueError(f"{value!r} has no such port")
    host = name.lower().removesuffix(".") if literal is None else _shortest(ipaddress.IPv6Address(literal))
    return host, int(port) if port else None


def bare_host(value: str) -> str:
    """The host alone, of a name, an address (in brackets or not) or either with a port; raises ``ValueError``."""
    try:
        return _shortest(ipaddress.ip_address(value))
    except ValueError:
        return parse_authority(value)[0]


def parse_origin(value: str) -> Origin | None:
    """An origin, with its port even where that is implied; None for ``null`` and anything else that is none."""
    match = _ORIGIN.fullmatch(value)
    if match is None:
        return None
    scheme = match[1].lower()
    try:
        host, port = parse_authority(match[2])
    except ValueError:
        return None
    return Origin(scheme, host, port or _PORTS.get(scheme)) if host else None


def own_hosts(bound: str) -> tuple[str, ...]:
    """The names by which a server that listens on ``bound`` (an address or name) is reached without being told more."""
    if is_loopback(bound):
        return LOOPBACK
    own = (*LOOPBACK, socket.gethostname())
    return own if bound in ("0.0.0.0", "::") else (*own, bound)  # noqa: S104 - compared, not bound


def is_loopback(host: str) -> bool:
    """True for names and addresses that only this machine can reach."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _shortest(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    # A socket that serves both families calls IPv4 addresses ::ffff:a.b.c.d.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
