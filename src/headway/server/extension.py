"""The ASGI extension by which a server hands a connection over: its answer has begun, and goes on past ASGI.

``server.protocols`` are such servers, and ``server.cohorts`` is who writes then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from headway.server.ending import Ending

EXTENSION = "headway.broadcast"
"""In a scope's ``extensions``: ``{"attach": Attach}``."""


class Outlet(Protocol):
    """A connection whose answer has begun, and goes on here."""

    def write(self, data: bytes) -> object:
        """Append to the answer; never waits."""

    def finish(self, ending: Ending, last: bytes) -> None:
        """Say the last word, if it is still read, and close."""


class Reader(Protocol):
    """Whoever writes to an outlet, as the connection sees them. All is called on the event loop."""

    def paused(self) -> None:
        """The socket is full."""

    def resumed(self) -> None:
        """The socket has drained."""

    def gone(self) -> None:
        """The connection is lost, or finished; called once."""


Attach = Callable[[Reader], Outlet | None]
"""Take over the answer that has begun; None where something between the application and the server still holds it."""
