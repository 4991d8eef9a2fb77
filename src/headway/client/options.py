"""What a client is told once, or for some calls: where the server is, how long to wait, what to say about itself."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypedDict
from urllib.parse import urlencode

import msgspec

from headway import __version__
from headway.client.address import DEFAULT_URL, Address, parse_url
from headway.client.exchange import Answer, Request, Sendable
from headway.client.retries import Retries
from headway.core.errors import HeadwayError, InvalidInput

TIMEOUT = 10.0
"""Seconds for an answer, beyond those that the server was asked to wait."""

URL_VARIABLE, TOKEN_VARIABLE = "HEADWAY_URL", "HEADWAY_TOKEN"
"""The environment's word on where the server is, and what opens it."""

Token = str | Callable[[], str | None]
"""A token, or what gives the present one, asked for each request."""


class Logger(Protocol):
    """What is told of each request and answer; the standard library's loggers are such."""

    def debug(self, msg: str, /, *args: Any) -> None:
        """Take one line, in the manner of ``logging``."""
        ...


class Hooks:
    """What is called around each request; derive from it what you need. An error raised here is the caller's."""

    def before_request(self, request: Sendable) -> Sendable:
        """The request to send in place of this one."""
        return request

    def after_success(self, request: Sendable, answer: Answer) -> Answer:
        """The answer to read in place of this one."""
        return answer

    def after_error(self, request: Sendable, error: HeadwayError) -> None:
        """The request failed for good; ``error.answer`` is there where the server answered."""


class Settings(TypedDict, total=False):
    """The keywords of ``Client``, ``AsyncClient`` and ``with_options``."""

    timeout: float
    """Seconds for an answer, beyond those that the server is asked to wait: 10."""
    headers: Mapping[str, str]
    """More headers for each request."""
    retries: Retries
    """What is tried again. Without it: 429, 502, 503 and 504, for up to 10 seconds."""
    hooks: Sequence[Hooks]
    """Called in order before a request, and in the same order after its answer."""
    logger: Logger | None
    """Told of each request and answer, with tokens blotted out."""
    accepts: str
    """``application/json`` (the default) or ``application/xml``: how to be answered."""
    client_identifier: str
    """``X-Plex-Client-Identifier``: the same for an installation, for ever."""
    product: str
    version: str
    platform: str
    platform_version: str
    device: str
    model: str
    device_vendor: str
    device_name: str
    marketplace: str


class CallOptions(TypedDict, total=False):
    """What the methods of the generated Plex clients take, each for its call alone; None changes nothing."""

    retries: Retries | None
    """What is tried again."""
    server_url: str | None
    """Another server. It is not sent the token."""
    timeout_ms: int | None
    """Milliseconds for the whole answer."""
    http_headers: Mapping[str, str] | None
    """More headers."""


_IDENTITY = {
    name: f"X-Plex-{'-'.join(word.capitalize() for word in name.split('_'))}"
    for name in (
        *("client_identifier", "product", "version", "platform", "platform_version"),
        *("device", "model", "device_vendor", "device_name", "marketplace"),
    )
}
SECRET = frozenset(("x-plex-token", "authorization", "cookie", "set-cookie", "proxy-authorization"))
"""Headers, in lower case, that open a server: they are shown to nobody, and go to no other server."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110, section 5.6.2."""

_FORMATS = ("application/json", "application/xml", "text/xml")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, in force for a call. ``repr`` does not show the token."""

    url: str
    token: Token | None
    settings: Settings = {}

    def __repr__(self) -> str:
        return f"<Options {self.url}>"

    @property
    def address(self) -> Address:
        """Where the server is, and what opens it now."""
        return Address(self.url, self.token() if callable(self.token) else self.token)

    @property
    def hooks(self) -> Sequence[Hooks]:
        """What is called around each request."""
        return self.settings.get("hooks", ())

    @property
    def retries(self) -> Retries:
        """What is tried again."""
        return self.settings.get("retries", _RETRIES)

    def but(self, url: str | None, token: Token | None, settings: Settings) -> Options:
        """These, with some of them changed; a token is not taken along to another server."""
        elsewhere = url is not None and parse_url(url) != self.url
        kept: Settings = {**self.settings}
        if elsewhere and "headers" in kept:
            kept["headers"] = {name: kept["headers"][name] for name in kept["headers"] if name.lower() not in SECRET}
        return make_options(
            self.url if url is None else url,
            token if token is not None or elsewhere else self.token,
            {**kept, **settings},
        )

    def sdk(
        self,
        retries: Retries | None = None,
        server_url: str | None = None,
        timeout_ms: int | None = None,
        http_headers: Mapping[str, str] | None = None,
    ) -> Options:
        """These, changed by the options that methods of the generated Plex clients take; None changes nothing.

        Theirs goes on to send its token when a call names another server. Ours does not.
        """
        given: Settings = {}
        if retries is not None:
            given["retries"] = retries
        if timeout_ms is not None:
            given["timeout"] = timeout_ms / 1000
        other = self.but(server_url, None, given)
        if http_headers is None:
            return other
        headers = _merged(other.settings.get("headers", {}), http_headers)
        return other.but(None, None, {"headers": headers})

    def sendable(self, request: Request) -> Sendable:
        """A request as it goes out. Raises ``InvalidInput`` for a token or header that cannot be one."""
        address = self.address
        query = f"?{urlencode(request.query)}" if request.query else ""
        return Sendable(
            method=request.method,
            url=f"{address.url}{request.path}{query}",
            headers=_merged(self._headers(address.token), dict(request.headers)),
            body=request.body,
            timeout=self.settings.get("timeout", TIMEOUT) + request.patience,
            largest=request.largest,
        )

    def _headers(self, token: str | None) -> dict[str, str]:
        accepts = self.settings.get("accepts", "application/json")
        said = {header: str(self.settings[name]) for name, header in _IDENTITY.items() if name in self.settings}  # type: ignore[literal-required]
        opened = {} if token is None else {"X-Plex-Token": token}
        return _merged(_DEFAULTS, {"Accept": accepts}, said, self.settings.get("headers", {}), opened)


_RETRIES = Retries()
_DEFAULTS = {
    "Accept-Encoding": "identity",
    "User-Agent": f"headway/{__version__}",
    "X-Plex-Product": "Headway",
    "X-Plex-Version": __version__,
}


def make_options(url: str | None, token: Token | None, settings: Settings) -> Options:
    """Options from what the caller says. Raises ``InvalidInput`` for what cannot be."""
    unknown = set(settings) - set(Settings.__annotations__)
    if unknown:
        raise TypeError(f"unknown options: {', '.join(sorted(unknown))}")
    if not settings.get("timeout", TIMEOUT) > 0:  # nor for what is not a number
        raise InvalidInput("timeout: must be more than 0 seconds")
    if settings.get("accepts", _FORMATS[0]) not in _FORMATS:
        raise InvalidInput(f"accepts: must be one of {', '.join(_FORMATS)}")
    for name in _IDENTITY.keys() & settings.keys():
        _require_value(name, str(settings[name]))  # type: ignore[literal-required]
    for name, value in settings.get("headers", {}).items():
        if not _HEADER_NAME.fullmatch(name):
            raise InvalidInput(f"headers: {name!r} is not the name of a header")
        _require_value(f"headers: {name}", value)
    options = Options(url=parse_url(url or DEFAULT_URL), token=token, settings=settings)
    if not callable(token):
        _ = options.address  # a token that cannot be one is better refused now
    return options


def located(url: str | None, protocol: str | None, host: str | None, port: int | str | None) -> str:
    """The server's URL: as given whole, in parts, or by the environment."""
    if url is not None and not (protocol is None and host is None and port is None):
        raise InvalidInput("give either the server's URL, or its protocol, host and port")
    if url is None and not (protocol is None and host is None and port is None):
        name = host or "127.0.0.1"
        name = f"[{name}]" if ":" in name and not name.startswith("[") else name
        return f"{protocol or 'http'}://{name}{'' if port is None else f':{port}'}"
    return url or os.environ.get(URL_VARIABLE) or DEFAULT_URL


def _merged(*groups: Mapping[str, str]) -> dict[str, str]:
    """Of headers of one name, however it is written, the last."""
    found = {name.lower(): (name, value) for group in groups for name, value in group.items()}
    return dict(found.values())


def _require_value(of: str, value: str) -> None:
    """A header's value; it is not repeated, for it may be a secret."""
    if not (value.isascii() and value.isprintable() and value == value.strip()):
        raise InvalidInput(f"{of}: must be printable ASCII, without blanks around it")


def environment_token() -> str | None:
    """The token in the environment."""
    return os.environ.get(TOKEN_VARIABLE) or None
