"""Shares: an activity for whoever has a link, who needs no account and sees nothing else."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from headway.core.errors import InvalidInput, NotFound
from headway.core.policy import Action, Principal
from headway.server.answers import grant_of, json_body, permitted
from headway.server.identity.accounts import Accounts
from headway.server.identity.shares import MAX_SHARE_LIFETIME, ShareRecord
from headway.server.service import Service
from headway.server.web.session import accounts_of, document
from headway.wire import rules
from headway.wire.json import parse_object, quoted

_RULES = {"uuid": rules.uuid, "expiresIn": rules.number(1, MAX_SHARE_LIFETIME)}


class Shares:
    """The endpoints of shares."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def _accounts(self) -> Accounts:
        return accounts_of(self._service)

    async def list(self, request: Request) -> Response:
        """``GET /web/shares``: what the caller has shared; for an admin what everyone has."""
        principal = permitted(request, Action.READ)
        records = await self._accounts.shares(grant_of(request))
        return document({"shares": [await self._facts(record, principal) for record in records]})

    async def create(self, request: Request) -> Response:
        """``POST /web/shares``: share an activity; what opens it is shown this once."""
        accounts = self._accounts
        principal, asked = permitted(request, Action.DELEGATE), _parse(await json_body(request))
        activity = await self._service.activities.get(asked["uuid"], principal.scope)
        secret, record = await accounts.share(
            grant_of(request), activity.uuid, activity.owner, lifetime=asked.get("expiresIn")
        )
        made = {"id": record.id, "secret": secret, "uuid": record.activity, "expiresAt": record.expires_at}
        return document(made, 201)

    async def revoke(self, request: Request) -> Response:
        """``DELETE /web/shares/{id}``: nobody sees the activity by it any more, within a second."""
        await self._accounts.unshare(grant_of(request), request.path_params["id"])
        return Response(status_code=204)

    async def _facts(self, record: ShareRecord, principal: Principal) -> dict[str, Any]:
        facts = {
            "id": record.id,
            "uuid": record.activity,
            "userID": record.user_id,
            "userName": record.user,
            "createdAt": record.created_at,
            "expiresAt": record.expires_at,
        }
        with suppress(NotFound):  # it is forgotten by now, or was shared with more rights than these
            activity = await self._service.activities.get(record.activity, principal.scope)
            facts.update(title=activity.title, type=activity.type)
        return facts


def _parse(body: bytes) -> dict[str, Any]:
    members = parse_object(body)
    for name in members.keys() - set(_RULES):
        raise InvalidInput(f"{quoted(name)} is not known here; known are {', '.join(_RULES)}")
    if "uuid" not in members:
        raise InvalidInput("uuid: must name the activity to share")
    return {name: _RULES[name](name, value) for name, value in members.items()}
