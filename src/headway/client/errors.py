"""What can go wrong between a client and a server, beyond what the server itself says.

Unavailable                     (headway.core.errors)
└── Unreachable                 no answer, or none in time
    └── NoConnection            nobody there: nothing was sent
Unreadable                      (headway.wire.errors)
└── Redirected                  the answer names another place
"""

from __future__ import annotations

from headway.core.errors import Unavailable
from headway.wire.errors import Unreadable


class Unreachable(Unavailable):
    """The server does not answer."""

    code = "unreachable"


class NoConnection(Unreachable):
    """There is no server to connect to."""


class Redirected(Unreadable):
    """The server sends us elsewhere. We do not go: a token is for the server that it was given for."""

    code = "redirected"
