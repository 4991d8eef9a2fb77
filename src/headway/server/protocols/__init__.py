"""The uvicorn protocols that `serve` runs, with limits.

uvicorn leaves to a proxy in front of it what a server without one must do itself: bound the head of a request in size
and time, tell a client why it is turned away before closing, and outlive clients that read nothing or send rubbish.
"""

from headway.server.protocols.http import HttpProtocol
from headway.server.protocols.limits import Limits
from headway.server.protocols.websocket import WebSocketProtocol

__all__ = ["HttpProtocol", "Limits", "WebSocketProtocol", "limited"]


def limited(limits: Limits) -> tuple[type[HttpProtocol], type[WebSocketProtocol]]:
    """The two protocols with these limits."""
    return (
        type("HttpProtocol", (HttpProtocol,), {"limits": limits}),
        type("WebSocketProtocol", (WebSocketProtocol,), {"limits": limits}),
    )
