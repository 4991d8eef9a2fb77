"""A request that is to be an activity: what it asks for, and the answers that are not its endpoint's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Send

from headway.core.activity import Activity, State
from headway.core.policy import Principal
from headway.server.answers import RETRY_AFTER, answer, format_of
from headway.server.correlation import ACTIVITY, expose, named
from headway.wire.plex import encode_list, encode_row
from headway.wire.prefer import Preferences

_APPLIED = "Preference-Applied"


class AsyncRequest(NamedTuple):
    """Who wants what, in which form."""

    request: Request
    type: str
    """Of the activity."""
    principal: Principal
    preferences: Preferences
    key: str | None
    """The ``Idempotency-Key``."""
    location: str
    """Where activities are."""
    wait: float | None
    """Seconds to wait for the reply; None: until it is there."""

    def fingerprint(self, body: bytes) -> str:
        """What is asked for, and with which rights: another request under the same key is refused."""
        scope = self.request.scope
        digest = hashlib.blake2b(digest_size=16)
        for part in (scope["method"], self.principal.role.value, scope["path"]):
            digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
        digest.update(scope.get("query_string", b"") + b"\0" + body)
        return digest.hexdigest()

    def naming(self, activity: Callable[[], Activity], send: Send) -> Send:
        """A ``send`` that puts on the endpoint's own reply which activity it is of, and that the wish was heard.

        ``activity`` gives it when the reply begins.
        """
        applied = self._applied(respond_async=False)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = named(message, self.request.scope, activity())
                if applied:
                    headers = MutableHeaders(raw=message["headers"])
                    headers.append(_APPLIED, applied)
                    expose(headers, self.request.scope, _APPLIED)
            await send(message)

        return sending

    async def tell_running(self, activity: Activity, send: Send) -> None:
        """202: it goes on, and here it can be followed."""
        headers = {"Location": self._location_of(activity), "Retry-After": RETRY_AFTER}
        await self._tell(activity, 202, headers, send)

    async def tell_ended(self, activity: Activity, send: Send) -> None:
        """It is over and its reply is not known any more: the activity itself, as 200 if it succeeded, else as 409."""
        headers = {"Content-Location": self._location_of(activity), "X-Headway-State": activity.state.value}
        await self._tell(activity, 200 if activity.state is State.SUCCEEDED else 409, headers, send)

    async def _tell(self, activity: Activity, status: int, headers: dict[str, str], send: Send) -> None:
        format = format_of(self.request)
        if applied := self._applied(respond_async=status == 202):
            headers[_APPLIED] = applied
        headers[ACTIVITY] = activity.uuid
        response: Response = answer(encode_list([encode_row(activity, format)], format), format, headers, status)
        expose(response.headers, self.request.scope, *headers)
        await response(self.request.scope, self.request.receive, send)

    def _applied(self, *, respond_async: bool) -> str:
        """The preferences that were honoured (RFC 7240, section 3)."""
        if not self.preferences.respond_async:
            return ""
        wait = self.preferences.wait
        honoured = ["respond-async"] if respond_async else []
        return ", ".join(honoured if wait is None else [*honoured, f"wait={wait:.0f}"])

    def _location_of(self, activity: Activity) -> str:
        if not self.location.startswith("/"):
            return f"{self.location}/{activity.uuid}"
        scope = self.request.scope
        # Below the whole application, not below what the endpoint is mounted in.
        root: str = scope.get("app_root_path", scope.get("root_path", ""))
        return f"{root.rstrip('/')}{self.location}/{activity.uuid}"


async def read_body(headers: Headers, receive: Receive, limit: int) -> bytes:
    """The whole body of a request; raises 413 as ``HTTPException``, and ``ClientDisconnect``."""
    refused = HTTPException(413, f"the body of a request that is to be an activity must take at most {limit} bytes")
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise refused
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > limit:
            raise refused
        more = message.get("more_body", False)
    return bytes(body)
