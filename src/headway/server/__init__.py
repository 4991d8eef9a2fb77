"""Serving activities: inside a host application, or by themselves.

The names that a host needs are here; each is imported when it is first asked for.
"""

from typing import TYPE_CHECKING

from headway.lazy import lazy

if TYPE_CHECKING:
    from headway.server.answers import refusal
    from headway.server.correlation import ActivityHeader
    from headway.server.embedded import ActivitiesApp
    from headway.server.guard import Guard
    from headway.server.identity.credentials import find_token
    from headway.server.respond_async import RespondAsync, RespondAsyncLimits
    from headway.server.service import StreamLimits

__all__ = [
    "ActivitiesApp",
    "ActivityHeader",
    "Guard",
    "RespondAsync",
    "RespondAsyncLimits",
    "StreamLimits",
    "find_token",
    "refusal",
]

_HOMES = {
    "ActivitiesApp": "headway.server.embedded",
    "ActivityHeader": "headway.server.correlation",
    "Guard": "headway.server.guard",
    "RespondAsync": "headway.server.respond_async",
    "RespondAsyncLimits": "headway.server.respond_async",
    "StreamLimits": "headway.server.service",
    "find_token": "headway.server.identity.credentials",
    "refusal": "headway.server.answers",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, _HOMES)
