"""Where a server is and what opens it."""

from __future__ import annotations

import ipaddress
import re
from typing import TypeGuard
from urllib.parse import urlsplit, urlunsplit

import msgspec

from headway.core.errors import InvalidInput
from headway.core.text import clean, shortened

DEFAULT_URL = "http://127.0.0.1:4590"

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[\w.~:%-]+", re.ASCII)
_SHOWN = 200


class Address(msgspec.Struct, frozen=True):
    """A server's URL and the token that is sent to it, and to it alone. ``repr`` does not show the token."""

    url: str
    """As ``parse_url`` gives it."""
    token: str | None = None

    def __post_init__(self) -> None:
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and " " not in self.token):
            raise InvalidInput("the token must be printable ASCII without blanks")

    def __repr__(self) -> str:
        return f"<Address {self.url} {'with' if self.token else 'without'} a token>"

    @property
    def loopback(self) -> bool:
        """True when it cannot leave this machine, whatever a resolver says."""
        host = urlsplit(self.url).hostname or ""
        if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


def parse_url(text: str) -> str:
    """A server's URL in one way of writing: scheme, host, port where it is not the scheme's, path without an end slash.

    ``host:port`` alone is HTTP. Raises ``InvalidInput`` for anything that is not a server's URL; user and password in
    it are refused, for they would turn up in logs.
    """
    try:
        parts = urlsplit(text.strip() if "://" in text else f"http://{text.strip()}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _broken(text, str(error)) from None
    if parts.scheme not in _PORTS or not _is_host(host) or not text.isprintable():
        raise _broken(text, "it must look like http://HOST:PORT or https://HOST:PORT")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("the server's URL must not hold a user and a password; give a token")
    if parts.query or parts.fragment:
        raise _broken(text, "it must end before any ? or #")
    name = f"[{host}]" if ":" in host else host
    where = name if port in (None, _PORTS[parts.scheme]) else f"{name}:{port}"
    return urlunsplit((parts.scheme, where, parts.path.rstrip("/"), "", ""))


def _is_host(host: str | None) -> TypeGuard[str]:
    if host is None or not _HOST.fullmatch(host):
        return False
    try:
        host.encode("idna")  # as a resolver is asked: no label is empty, or too long
    except UnicodeError:
        return False
    return True


def _broken(text: str, why: str) -> InvalidInput:
    return InvalidInput(f"{shortened(clean(text), _SHOWN)!r} is not a server's URL: {why}")
