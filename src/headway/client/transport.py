"""Requests over the network, by httpx2: one driver for threads, one for an event loop.

Bodies are bounded and never unpacked, no redirect is followed, no proxy stands between us and this machine itself:
the token goes to the one server that it is for.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

import httpx2

from headway import __version__
from headway.client.address import Address
from headway.client.errors import NoConnection, Unreachable
from headway.client.exchange import Answer, Call, Request
from headway.core.text import clean, shortened
from headway.wire.errors import Unreadable

T = TypeVar("T")

CONNECT = 5.0
"""Seconds for a connection to come about."""

TIMEOUT = 10.0
"""Seconds for an answer, beyond those that the server was asked to wait."""

_IDENTITY = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"headway/{__version__}",
    "X-Plex-Product": "Headway",
    "X-Plex-Version": __version__,
}
_MAX_REASON = 200


class Transport:
    """Sends requests and waits for their answers. May be shared between threads."""

    def __init__(self, address: Address, *, timeout: float = TIMEOUT) -> None:
        """``timeout``: seconds for an answer."""
        self.address = address
        self._timeout = timeout
        self._http = httpx2.Client(**_options(address))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, call: Call[T]) -> T:
        """The answer, as the call reads it. Raises ``HeadwayError``."""
        return call.read(self.exchange(call.request))

    def exchange(self, request: Request) -> Answer:
        """The answer, whatever its status. Raises ``Unreachable`` without one, ``Unreadable`` for one too large."""
        patience = self._timeout + request.patience
        deadline = time.monotonic() + patience
        with self.open(request, patience) as response:
            collector = _Collector(response, request)
            for chunk in response.iter_raw():
                if time.monotonic() > deadline:
                    raise self._silent(patience)
                if not collector.takes(chunk):
                    break
            return collector.answer

    @contextmanager
    def open(self, request: Request, silence: float) -> Iterator[httpx2.Response]:
        """An answer while it arrives; ``silence``: seconds without a byte after which nobody is there."""
        with translated(self.address), self._http.stream(**_arguments(self.address, request, silence)) as response:
            yield response

    def _silent(self, patience: float) -> Unreachable:
        return Unreachable(f"no whole answer from {self.address.url} within {patience:g} seconds")


class AsyncTransport:
    """The same on an event loop."""

    def __init__(self, address: Address, *, timeout: float = TIMEOUT) -> None:
        """``timeout``: seconds for an answer."""
        self.address = address
        self._timeout = timeout
        # However many activities are watched for a cancel, each has its own connection; the server sets the limit.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        self._http = httpx2.AsyncClient(limits=limits, **_options(address))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def exchange(self, request: Request) -> Answer:
        """The answer, whatever its status. Raises ``Unreachable`` without one, ``Unreadable`` for one too large."""
        patience = self._timeout + request.patience
        arguments = _arguments(self.address, request, patience)
        try:
            with translated(self.address):
                async with asyncio.timeout(patience), self._http.stream(**arguments) as response:
                    collector = _Collector(response, request)
                    async for chunk in response.aiter_raw():
                        if not collector.takes(chunk):
                            break
                    return collector.answer
        except TimeoutError:
            raise Unreachable(f"no answer from {self.address.url} within {patience:g} seconds") from None


def headers_of(response: httpx2.Response) -> Mapping[str, str]:
    """The headers by name in lower case; of several lines of one, httpx2 joins them by commas."""
    return {name.lower(): value for name, value in response.headers.items()}


class _Collector:
    """Puts the body of an answer together, up to a bound."""

    def __init__(self, response: httpx2.Response, request: Request) -> None:
        self._status = response.status_code
        self._headers = headers_of(response)
        self._largest = request.largest
        self._body = bytearray()
        if self._headers.get("content-encoding", "identity") != "identity":
            raise Unreadable("the answer is compressed, which was not asked for")

    def takes(self, chunk: bytes) -> bool:
        """Take a piece; False when no more is wanted. Raises ``Unreadable`` when it becomes too large."""
        self._body += chunk
        if len(self._body) <= self._largest:
            return True
        if self._status >= 300:  # the status says what matters
            del self._body[self._largest :]
            return False
        raise Unreadable(f"an answer of more than {self._largest} bytes")

    @property
    def answer(self) -> Answer:
        return Answer(self._status, self._headers, bytes(self._body))


def _options(address: Address) -> dict[str, Any]:
    """How httpx2 is to be used for a server."""
    options: dict[str, Any] = {"follow_redirects": False}
    if address.loopback:
        options["mounts"] = dict.fromkeys(("all://", "http://", "https://"))
        if address.url.startswith("http:"):
            # Spares reading the system's certificates, which takes longer than all the rest.
            options["trust_env"] = False
            options["verify"] = False
    return options


def _arguments(address: Address, request: Request, silence: float) -> dict[str, Any]:
    query = f"?{urlencode(request.query)}" if request.query else ""
    headers = {**_IDENTITY, **dict(request.headers)}
    if address.token:
        headers["X-Plex-Token"] = address.token
    return {
        "method": request.method,
        "url": f"{address.url}{request.path}{query}",
        "headers": headers,
        "content": request.body,
        "timeout": httpx2.Timeout(silence, connect=min(CONNECT, silence)),
    }


class translated(AbstractContextManager[None]):
    """Errors of httpx2 within the block become ours."""

    def __init__(self, address: Address) -> None:
        self._url = address.url

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            raise NoConnection(f"cannot reach {self._url}: {_reason(error)}") from error
        if isinstance(error, httpx2.TimeoutException):
            raise Unreachable(f"no answer from {self._url} in time") from error
        if isinstance(error, httpx2.RemoteProtocolError):
            raise Unreachable(f"the connection to {self._url} broke off") from error
        if isinstance(error, httpx2.HTTPError | httpx2.InvalidURL | httpx2.StreamError):
            raise Unreachable(f"cannot reach {self._url}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """What the system said, which httpx2 wraps in its own words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
            return os.strerror(cause.errno).lower()
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    return shortened(clean(str(error)), _MAX_REASON) or type(error).__name__
