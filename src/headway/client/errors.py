"""What can go wrong between a client and a server.

HeadwayError                    (headway.core.errors)
├── Unavailable
│   └── Unreachable             no answer, or none in time
│       └── NoConnection        nobody there: nothing was sent
├── Unreadable                  (headway.wire.errors) an answer that does not follow the protocol
│   └── Redirected              the answer names another place
└── Refused                     the server answered with an error; ``answer`` is what it said
    ├── ClientError             4xx: what was asked is wrong
    └── ServerError             5xx: the server cannot do it now

What a server refuses is raised as both: the error of the core that it means (``NotFound``, ``NotAuthenticated``,
``InvalidInput``, …) and ``ClientError`` or ``ServerError``. Catch whichever says what you mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from headway.core.errors import HeadwayError, Unavailable
from headway.wire.errors import Unreadable, decode_error

if TYPE_CHECKING:
    from headway.client.exchange import Answer


class Unreachable(Unavailable):
    """The server does not answer."""

    code = "unreachable"


class NoConnection(Unreachable):
    """There is no server to connect to."""


class Redirected(Unreadable):
    """The server sends us elsewhere. We do not go: a token is for the server that it was given for."""

    code = "redirected"


class Refused(HeadwayError):
    """The server answered with an error."""

    answer: Answer
    _bare: type[HeadwayError] | None = None

    @property
    def status_code(self) -> int:
        """The status of the answer."""
        return self.answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the answer, names in lower case."""
        return self.answer.headers

    @property
    def body(self) -> bytes:
        """The body of the answer, as it came."""
        return self.answer.body

    def __reduce__(self) -> tuple[Callable[..., Refused], tuple[Answer, type[HeadwayError] | None]]:
        """How it is pickled: the class of most refusals has no name of its own to be found by."""
        return refusal, (self.answer, self._bare)


class ClientError(Refused):
    """The server says that what was asked is wrong."""


class ServerError(Refused):
    """The server says that it cannot do what was asked."""


def refusal(answer: Answer, bare: type[HeadwayError] | None = None) -> Refused:
    """The error that an answer with a status of 400 or more stands for, ours or Plex's, whatever its body.

    ``bare``: what it stands for where nothing but its status says so, as in Plex's pages; None for the usual.
    """
    meant = decode_error(answer.status, answer.body)
    if bare is not None and answer.content_type != "application/json":
        meant = bare()
    error = _both(ClientError if answer.status < 500 else ServerError, type(meant))(*meant.args)
    error.answer, error._bare = answer, bare
    return error


def _both(refused: type[Refused], meant: type[HeadwayError]) -> type[Refused]:
    """The class of a refusal that means an error of the core; it bears that one's name."""
    if meant is HeadwayError:
        return refused
    if (refused, meant) not in _KINDS:
        members = {"__doc__": meant.__doc__, "__module__": meant.__module__, "__qualname__": meant.__qualname__}
        _KINDS[refused, meant] = type(meant.__name__, (meant, refused), members)
    return _KINDS[refused, meant]


_KINDS: dict[tuple[type[Refused], type[HeadwayError]], type[Refused]] = {}
