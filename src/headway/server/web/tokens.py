"""Tokens and users: one's own for everyone, all for admins."""

from __future__ import annotations

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from headway.core.errors import InvalidInput
from headway.core.policy import TOKEN_ROLES, Action, Role
from headway.server.answers import grant_of, json_body, permitted
from headway.server.identity.accounts import Accounts
from headway.server.identity.store import TokenRecord
from headway.server.identity.tokens import MAX_LABEL, MAX_LIFETIME
from headway.server.service import Service
from headway.server.web.session import accounts_of, document
from headway.wire import rules
from headway.wire.json import parse_object, quoted

MAX_NAME = 64
"""Characters of a user's name."""

_RULES = {
    "name": rules.text(MAX_LABEL),
    "userName": rules.text(MAX_NAME),
    "expiresIn": rules.number(1, MAX_LIFETIME),
}
MEMBERS = (*_RULES, "role")


class Tokens:
    """The endpoints of tokens and users."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def _accounts(self) -> Accounts:
        return accounts_of(self._service)

    async def list(self, request: Request) -> Response:
        """``GET /web/tokens``: what opens the server for the caller; for an admin everyone's."""
        permitted(request, Action.READ)
        caller = grant_of(request)
        records = await self._accounts.tokens(caller)
        return document({"tokens": [self._facts(record, caller.token) for record in records]})

    async def create(self, request: Request) -> Response:
        """``POST /web/tokens``: make one; it is shown this once."""
        accounts = self._accounts
        caller, asked = grant_of(request), _parse(await json_body(request))
        token, record = await accounts.create(
            caller,
            role=asked.get("role", Role.USER),
            label=asked.get("name", ""),
            lifetime=asked.get("expiresIn"),
            user=asked.get("userName"),
        )
        return document({"token": token, **self._facts(record, caller.token)}, 201)

    async def revoke(self, request: Request) -> Response:
        """``DELETE /web/tokens/{id}``: what it opened is cut within a second, and what came of it."""
        await self._accounts.revoke(grant_of(request), request.path_params["id"])
        return Response(status_code=204)

    async def users(self, request: Request) -> Response:
        """``GET /web/users``: everyone, for an admin."""
        users = await self._accounts.users(grant_of(request))
        return document(
            {
                "users": [
                    {
                        "userID": user.id,
                        "name": user.name,
                        "createdAt": user.created_at,
                        "tokens": user.tokens,
                        "sessions": user.sessions,
                    }
                    for user in users
                ]
            }
        )

    def _facts(self, record: TokenRecord, current: str) -> dict[str, Any]:
        """``current``: the id of the caller's own token."""
        facts: dict[str, Any] = {
            "id": record.id,
            "name": record.label,
            "role": record.role.value,
            "userID": record.user_id,
            "userName": record.user,
            "createdAt": record.created_at,
            "expiresAt": record.expires_at,
            "state": record.state(self._service.activities.clock.now()),
            "current": record.id == current,
        }
        if record.expires_at == math.inf:
            del facts["expiresAt"]
        return facts


def _parse(body: bytes) -> dict[str, Any]:
    members = parse_object(body)
    for name in members.keys() - set(MEMBERS):
        raise InvalidInput(f"{quoted(name)} is not known here; known are {', '.join(MEMBERS)}")
    asked: dict[str, Any] = {name: rule(name, members[name]) for name, rule in _RULES.items() if name in members}
    if "role" in members:
        asked["role"] = _role(members["role"])
    return asked


def _role(value: object) -> Role:
    if not isinstance(value, str) or value not in TOKEN_ROLES:
        raise rules.broken("role", f"must be one of {', '.join(TOKEN_ROLES)}", value)
    return Role(value)
