"""Logging in and out: by a token or a one-use link, for a cookie that holds a session of its own.

A host application that says by itself who is calling has no login here; its pages still learn who is there.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from headway.core.errors import InvalidInput
from headway.core.policy import PERMISSIONS, Action
from headway.server.answers import answer, grant_of, json_body, permitted
from headway.server.identity.accounts import Accounts
from headway.server.identity.credentials import cookie_of
from headway.server.identity.grants import Grant
from headway.server.service import Service
from headway.server.web.cookie import clear_cookie, set_cookie
from headway.wire.formats import Format
from headway.wire.json import parse_object, quoted

MAX_SECRET = 8_192
"""Characters of a token or code; longer ones are none, and are not looked at."""


class Sessions:
    """The endpoints of a browser's session."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def get(self, request: Request) -> Response:
        """``GET /web/session``: who is there."""
        permitted(request, Action.READ)
        return document(self._facts(grant_of(request)))

    async def begin(self, request: Request) -> Response:
        """``POST /web/session``: log in."""
        accounts = accounts_of(self._service)
        token, link = _parse(await json_body(request))
        address = request.client.host if request.client else ""
        login = await accounts.log_in(address, token=token, link=link)
        # A cookie that was there before is never gone on with, whoever has put it there: it ends.
        await accounts.log_out(cookie_of(request))
        response = document(self._facts(login.grant))
        left = login.grant.expires_at - self._service.activities.clock.now()
        set_cookie(request, response, login.secret, math.ceil(left))
        return response

    async def end(self, request: Request) -> Response:
        """``DELETE /web/session``: log out this browser; nothing happens where it is not logged in."""
        accounts = accounts_of(self._service)
        permitted(request, Action.READ)
        await accounts.log_out(cookie_of(request))
        return _forgotten(request, Response(status_code=204))

    async def end_all(self, request: Request) -> Response:
        """``DELETE /web/sessions``: log out all browsers of this user."""
        accounts = accounts_of(self._service)
        permitted(request, Action.READ)
        ended = await accounts.log_out_everywhere(grant_of(request))
        return _forgotten(request, document({"ended": ended}))

    async def link(self, request: Request) -> Response:
        """``POST /web/links``: let another browser in, once."""
        accounts = accounts_of(self._service)
        permitted(request, Action.READ)
        if unknown := parse_object(await json_body(request)):
            raise InvalidInput(f"{quoted(next(iter(unknown)))} is not known here; a link needs no more than `{{}}`")
        code, made = await accounts.make_link(grant_of(request))
        return document({"code": code, "expiresAt": made.expires_at}, 201)

    def _facts(self, grant: Grant) -> dict[str, Any]:
        principal = grant.principal
        facts = {
            "login": self._service.accounts is not None,
            "userID": principal.user,
            "name": principal.name,
            "role": principal.role.value,
            "may": [action.value for action in Action if action in PERMISSIONS[principal.role]],
            "expiresAt": grant.expires_at,
        }
        if grant.expires_at == math.inf:
            del facts["expiresAt"]
        return facts


def accounts_of(service: Service) -> Accounts:
    """The server's users and tokens; 404 where they are a host application's."""
    if service.accounts is None:
        raise HTTPException(404)
    return service.accounts


def document(value: Any, status: int = 200) -> Response:
    """An answer that no cache keeps."""
    return answer(msgspec.json.encode(value), Format.JSON, {"Cache-Control": "no-store"}, status)


def _forgotten(request: Request, response: Response) -> Response:
    if cookie_of(request):
        clear_cookie(request, response)
    return response


def _parse(body: bytes) -> tuple[str | None, str | None]:
    """Token and link, one of them. What is wrong is told without what was sent: it may be a secret all the same."""
    members = parse_object(body)
    if members.keys() not in ({"token"}, {"link"}):
        raise InvalidInput("the body must have one member: `token`, or `link` with the code of a one-use link")
    ((name, secret),) = members.items()
    if not isinstance(secret, str) or not 1 <= len(secret) <= MAX_SECRET:
        raise InvalidInput(f"{name}: must be text of 1 to {MAX_SECRET} characters")
    return (secret.strip(), None) if name == "token" else (None, secret)
