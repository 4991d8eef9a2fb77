"""How httpx2 is used: what both drivers have in common.

Bodies are bounded and never unpacked, no redirect is followed, no proxy stands between us and this machine itself:
the token goes to the one server that it is for.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TypedDict, cast
from urllib.parse import urlsplit

import httpcore2
import httpx2

from headway.client.address import Address
from headway.client.errors import NoConnection, Unreachable
from headway.client.exchange import Answer, Sendable
from headway.client.options import Settings
from headway.core.errors import InvalidInput
from headway.core.text import clean, shortened
from headway.wire.errors import Unreadable

CONNECT = 5.0
"""Seconds for a connection to come about."""

SILENCE = 60.0
"""Seconds without a byte after which the socket of a stream is given up, should nobody have noticed before."""

UPGRADED = 101
"""The status of an answer after which the connection is a WebSocket."""

CHUNK = 64 * 1024
"""Bytes read from a WebSocket at a time."""

_MAX_REASON = 200
_TIMEOUTS = (httpx2.TimeoutException, httpcore2.TimeoutException)


class Network(TypedDict, total=False):
    """How to reach servers: what a client is told once, for all of them."""

    proxy: str | httpx2.Proxy
    """The proxy for all requests, as httpx2 takes it; otherwise the environment's, and none to this machine."""
    verify: bool | str | ssl.SSLContext
    """Whom to trust: the usual authorities (True), a file or folder of certificates, or a context. False is nobody's
    protection.
    """
    cert: str | tuple[str, str] | tuple[str, str, str]
    """The client's own certificate: a file, or it and its key, and that one's password."""


def divided(keywords: Mapping[str, Any], given: object) -> tuple[Network, Settings]:
    """The keywords of a client: which say how to reach servers, and which hold for calls.

    ``given``: an httpx2 client, which knows its own way. Raises ``InvalidInput`` when it is told of another.
    """
    network = {name: value for name, value in keywords.items() if name in Network.__annotations__}
    if network and given is not None:
        raise InvalidInput(f"{', '.join(network)}: say so to the HTTP client that you give")
    settings = {name: value for name, value in keywords.items() if name not in network}
    return cast(Network, network), cast(Settings, settings)


class Keywords(Settings, Network, total=False):
    """The keywords of ``Client`` and ``AsyncClient``."""


def options_for(url: str, network: Network) -> dict[str, Any]:
    """The options of an httpx2 client for a server."""
    # However many streams are open, each has its connection; the server sets the limit.
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    options: dict[str, Any] = {"follow_redirects": False, "limits": limits, **_trusting(network)}
    if Address(url).loopback and "proxy" not in network:
        options["mounts"] = dict.fromkeys(("all://", "http://", "https://"))
        if url.startswith("http:"):
            # Spares reading the system's certificates, which takes longer than all the rest.
            options["trust_env"] = False
            options["verify"] = False
    return options


def kind_of(url: str) -> str:
    """Servers of one kind share a client of httpx2: its options are the same for them."""
    parts = urlsplit(url)
    server = f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme} here" if Address(server).loopback else "elsewhere"


def arguments(request: Sendable, silence: float) -> dict[str, Any]:
    """What httpx2 is asked. ``silence``: seconds without a byte after which nobody is there."""
    return {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
        "content": request.body,
        "timeout": httpx2.Timeout(silence, connect=min(CONNECT, silence)),
        "follow_redirects": False,
    }


def headers_of(response: httpx2.Response) -> Mapping[str, str]:
    """The headers by name in lower case; of several lines of one, httpx2 joins them by commas."""
    return {name.lower(): value for name, value in response.headers.items()}


def head_of(response: httpx2.Response) -> Answer:
    """The answer as far as it is known before its body."""
    return Answer(response.status_code, headers_of(response))


def opened(response: httpx2.Response | None) -> httpx2.Response:
    """The stream that is open. Raises ``Unreachable`` without one."""
    if response is None:
        raise Unreachable("the stream is closed")
    return response


def network_of(response: httpx2.Response) -> Any:
    """The connection below a response: httpcore2's ``NetworkStream`` or its sibling for event loops."""
    return response.extensions["network_stream"]


def timed_out(error: Unreachable) -> bool:
    """True when nothing has come, and nothing is broken."""
    return isinstance(error.__cause__, _TIMEOUTS)


class Collector:
    """Puts the body of an answer together, up to a bound."""

    def __init__(self, response: httpx2.Response, request: Sendable) -> None:
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
        """What has come."""
        return Answer(self._status, self._headers, bytes(self._body))


class translated(AbstractContextManager[None]):
    """Errors of httpx2 within the block become ours."""

    def __init__(self, url: str) -> None:
        self._url = url.partition("?")[0]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server = "{0.scheme}://{0.netloc}".format(urlsplit(self._url))
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            raise NoConnection(f"cannot reach {server}: {_reason(error)}") from error
        if isinstance(error, _TIMEOUTS):
            raise Unreachable(f"no answer from {server} in time") from error
        if isinstance(error, httpx2.RemoteProtocolError | httpcore2.NetworkError):
            raise Unreachable(f"the connection to {server} broke off") from error
        if isinstance(error, httpx2.HTTPError | httpx2.InvalidURL | httpx2.StreamError):
            raise Unreachable(f"cannot reach {server}: {_reason(error)}") from error


def silent(request: Sendable) -> Unreachable:
    """The error of an answer that is not whole in time."""
    server = "{0.scheme}://{0.netloc}".format(urlsplit(request.url))
    return Unreachable(f"no answer from {server} within {request.timeout:g} seconds")


def _reason(error: BaseException) -> str:
    """What the system said, which httpx2 wraps in its own words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):  # an OSError too, but its number is not the system's
            return _tls_reason(cause)
        if isinstance(cause, socket.gaierror):
            return f"there is no such host ({clean(cause.strerror or str(cause)).lower()})"
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
            return os.strerror(cause.errno).lower()
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time"
    return shortened(clean(str(error)), _MAX_REASON) or type(error).__name__


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {clean(error.verify_message)}"
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return "it does not speak TLS; is it http:// rather than https://?"
    return f"TLS failed: {clean(error.reason or str(error)).lower().replace('_', ' ')}"


def _trusting(network: Network) -> dict[str, Any]:
    """The same for httpx2, which takes files for certificates no longer. Raises ``InvalidInput`` for what is none."""
    options: dict[str, Any] = {name: value for name, value in network.items() if name != "cert"}
    verify, cert = network.get("verify", True), network.get("cert")
    try:
        if isinstance(verify, str):
            file, folder = (None, verify) if os.path.isdir(verify) else (verify, None)
            options["verify"] = ssl.create_default_context(cafile=file, capath=folder)
        if cert is not None:
            context = options.get("verify", True)
            if not isinstance(context, ssl.SSLContext):
                context = httpx2.create_ssl_context(verify=context)
            context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
            options["verify"] = context
    except OSError as error:  # of ssl, too
        raise InvalidInput(f"verify, cert: cannot be used: {clean(str(error))}") from error
    return options
