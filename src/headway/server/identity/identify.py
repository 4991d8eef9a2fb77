"""How a request becomes a grant."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from typing import Protocol

from starlette.requests import HTTPConnection

from headway.core.policy import Principal
from headway.server.identity.grants import Grant

Identity = Grant | Principal | None
"""A ``Grant`` when it can end before the stream does, a ``Principal`` when it cannot, None for 401."""


class Identify(Protocol):
    """Says who is calling: ``Identities.identify``, or a host application's own function, plain or async.

    It must answer alike for every kind of bad credentials, and None, not raise. To cut open streams later, keep the
    ``Grant`` that was returned and hand it to ``Grants.revoke``.
    """

    def __call__(self, connection: HTTPConnection, /) -> Identity | Awaitable[Identity]:
        """Who is calling; ``connection`` is a request or a WebSocket handshake."""


async def identified(identify: Identify, connection: HTTPConnection, now: float) -> Grant | None:
    """The grant of a request, whatever form ``identify`` gave it; None when there is none, or it is over.

    ``now`` in seconds since the epoch.
    """
    found = identify(connection)
    if inspect.isawaitable(found):
        found = await found
    grant = Grant(found) if isinstance(found, Principal) else found
    return grant if grant is not None and grant.valid(now) else None
