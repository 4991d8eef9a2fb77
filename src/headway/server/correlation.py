"""Which activity did a request start? Its reply says so in ``X-Plex-Activity``, whichever endpoint it was."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headway.core.activity import Activity
from headway.correlation import noticing
from headway.portal import serving

ACTIVITY = "X-Plex-Activity"
_EXPOSED = "Access-Control-Expose-Headers"


class ActivityHeader:
    """ASGI middleware: puts ``X-Plex-Activity`` on the reply to a request that started an activity before it.

    It does not matter how deep below the endpoint the start was: in a task, a task group, or a thread of a pool. Where
    several activities were started, the first is named: the others may be parts of it, never it of them. A header that
    the endpoint set itself stays. To a page of another origin (a request with ``Origin``) the header is exposed;
    whether that page may read the reply at all is up to the host's CORS rules.

    Put it around everything else: what is outside of it cannot be seen by it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        serving.set(asyncio.get_running_loop())
        with noticing() as started:

            async def naming(message: Message) -> None:
                if started and message["type"] == "http.response.start":
                    message = named(message, scope, started[0])
                await send(message)

            await self._app(scope, receive, naming)


def named(message: Message, scope: Scope, activity: Activity) -> Message:
    """The start of a reply, with the name of an activity unless it carries one."""
    # In lower case, as ASGI has it but not every framework does it.
    raw = [(name.lower(), value) for name, value in message.get("headers", ())]
    headers = MutableHeaders(raw=raw)
    headers.setdefault(ACTIVITY, activity.uuid)
    expose(headers, scope, ACTIVITY)
    return {**message, "headers": raw}


def expose(headers: MutableHeaders, scope: Scope, *names: str) -> None:
    """Let a page of another origin read these headers of its reply, as well as those it may read already."""
    if "origin" not in Headers(scope=scope):
        return
    exposed = [name.strip() for line in headers.getlist(_EXPOSED) for name in line.split(",") if name.strip()]
    known = {name.lower() for name in exposed}
    more = [name for name in names if name.lower() not in known]
    if more and "*" not in known:
        headers[_EXPOSED] = ", ".join([*exposed, *more])
