"""Serving activities: inside a host application, or by themselves.

The names that a host needs are here; each is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    "ActivitiesApp": "embedded",
    "ActivityHeader": "correlation",
    "Guard": "guard",
    "RespondAsync": "respond_async",
    "RespondAsyncLimits": "respond_async",
    "StreamLimits": "service",
    "find_token": "identity.credentials",
    "refusal": "answers",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
