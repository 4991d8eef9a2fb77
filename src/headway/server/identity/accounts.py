"""Logging in, and what callers may do with tokens and shares: with their own, or with everyone's if they are admins.

Nobody gives rights away that they have not: neither a higher role nor a longer life than their own token's. What is
somebody else's does not exist, as everywhere.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from headway.core.errors import NotAllowed, NotAuthenticated, NotFound
from headway.core.policy import Action, Role, require, require_rights, visible_to
from headway.ports import Clock
from headway.server.identity.attempts import Attempts
from headway.server.identity.grants import Grant
from headway.server.identity.identities import Identities
from headway.server.identity.links import Link
from headway.server.identity.sessions import SessionRecord
from headway.server.identity.shares import SHARE_LIFETIME, ShareRecord
from headway.server.identity.store import TokenRecord, TokenStore, UserRecord

TOKENS_PER_USER = 100
"""That are valid or were made within a day, for those that are made here."""


class Login(NamedTuple):
    """A browser's session that has begun."""

    secret: str
    """For its cookie, and for nothing else."""
    grant: Grant


class Accounts:
    """What the server does to users, tokens, sessions and shares on behalf of its callers."""

    def __init__(self, identities: Identities, clock: Clock) -> None:
        self._identities = identities
        self._clock = clock
        self._attempts = Attempts(clock)

    async def log_in(self, address: str, *, token: str | None = None, link: str | None = None) -> Login:
        """Begin a session by a token or by the code of a link. ``address``: where the caller is.

        Raises ``NotAuthenticated``, alike for all that is wrong, and ``TooMany`` after too many of those.
        """
        self._attempts.check(address)
        login = await (self._by_token(token or "") if link is None else self._by_link(link))
        if login is None:
            self._attempts.failed(address)
            raise NotAuthenticated()
        return login

    async def _by_token(self, token: str) -> Login | None:
        now = self._clock.now()
        grant = self._identities.authenticate(token, now)
        if grant is None or not grant.token:  # a session cannot hang on one that somebody else has signed, and revokes
            return None
        id = grant.token
        return self._begun(await self._identities.use(lambda store: store.open_session(id, now=now)))

    async def _by_link(self, code: str) -> Login | None:
        now = self._clock.now()
        return self._begun(await self._identities.use(lambda store: store.open_session_by_link(code, now=now)))

    def _begun(self, opened: tuple[str, SessionRecord] | None) -> Login | None:
        grant = None if opened is None else self._identities.session(opened[0])
        return None if opened is None or grant is None else Login(opened[0], grant)

    async def log_out(self, secret: str) -> None:
        """End the session of a cookie, if it is one's, and cut its streams."""
        grant = self._identities.session(secret)
        if grant is not None:
            await self._identities.use(lambda store: store.close_session(grant.session))

    async def log_out_everywhere(self, caller: Grant) -> int:
        """End all sessions of the caller's user, whose links are then worthless too; how many there were."""
        user = caller.principal.user
        return await self._identities.use(lambda store: store.close_sessions(user))

    async def make_link(self, caller: Grant) -> tuple[str, Link]:
        """A one-use link to a session of the caller's own token. Raises ``NotAllowed`` where that is not ours."""
        own, now = self._own_token(caller), self._clock.now()
        made = await self._identities.use(lambda store: store.make_link(own.token, now=now))
        if made is None:
            raise NotAuthenticated()  # the token was revoked meanwhile
        return made

    async def tokens(self, caller: Grant) -> list[TokenRecord]:
        """The caller's own that are not revoked; for an admin everyone's. Oldest first."""
        records = [record for _, record in await self._identities.use(TokenStore.unrevoked)]
        return [record for record in records if visible_to(caller.principal, record.user_id)]

    async def users(self, caller: Grant) -> list[UserRecord]:
        """Everyone, for an admin. Raises ``NotAllowed``."""
        require(caller.principal, Action.ADMINISTER)
        now = self._clock.now()
        return await self._identities.use(lambda store: store.users(now=now))

    async def create(
        self, caller: Grant, *, role: Role, label: str, lifetime: float | None, user: str | None
    ) -> tuple[str, TokenRecord]:
        """Make a token for the caller, or for anyone if the caller is an admin. ``lifetime`` in seconds; None for as
        long as the caller's own token.

        Raises ``NotAllowed``, ``InvalidInput``, ``TooMany``.
        """
        require(caller.principal, Action.DELEGATE)
        own = self._own_token(caller)
        name = caller.principal.name if user is None else user
        if name != caller.principal.name:
            require(caller.principal, Action.ADMINISTER)
        require_rights(caller.principal, role)
        now = self._clock.now()
        expires_at = own.expires_at if lifetime is None else _end(own, now, lifetime)
        return await self._identities.use(
            lambda store: store.create(name, role, now=now, label=label, expires_at=expires_at, at_most=TOKENS_PER_USER)
        )

    async def revoke(self, caller: Grant, id: str) -> None:
        """Revoke a token of the caller's, or anyone's if the caller is an admin. Raises ``NotAllowed``, ``NotFound``:
        that for foreign ones, too.
        """
        require(caller.principal, Action.DELEGATE)
        now = self._clock.now()

        def revoke(store: TokenStore) -> None:
            record = store.token(id)
            if record is None or not visible_to(caller.principal, record.user_id):
                raise NotFound("there is no such token")
            require_rights(caller.principal, record.role)
            store.revoke(now=now, id=id)

        await self._identities.use(revoke)

    async def share(
        self, caller: Grant, activity: str, owner: int, *, lifetime: float | None
    ) -> tuple[str, ShareRecord]:
        """Let whoever has the secret look at an activity that the caller sees. ``lifetime`` in seconds; None for a day,
        or as long as the caller's own token lives if that is less.

        Raises ``NotAllowed``, ``TooMany``.
        """
        require(caller.principal, Action.DELEGATE)
        own, now = self._own_token(caller), self._clock.now()
        expires_at = now + SHARE_LIFETIME if lifetime is None else _end(own, now, lifetime)
        made = await self._identities.use(
            lambda store: store.open_share(own.token, activity, owner, now=now, expires_at=expires_at)
        )
        if made is None:
            raise NotAuthenticated()  # the token was revoked meanwhile
        return made

    async def shares(self, caller: Grant) -> list[ShareRecord]:
        """What the caller has shared, and is still to be seen; for an admin what everyone has. Oldest first."""
        now, admitted = self._clock.now(), await self._identities.use(TokenStore.admitted)
        records = [record for _, record in admitted.shares if now < record.expires_at]
        return [record for record in records if visible_to(caller.principal, record.user_id)]

    async def unshare(self, caller: Grant, id: str) -> None:
        """End a share of the caller's, or anyone's if the caller is an admin. Raises ``NotAllowed``, ``NotFound``: that
        for foreign ones, too.
        """
        require(caller.principal, Action.DELEGATE)

        def close(store: TokenStore) -> None:
            record = store.share(id)
            if record is None or not visible_to(caller.principal, record.user_id):
                raise NotFound("there is no such share")
            store.close_share(id)

        await self._identities.use(close)

    def _own_token(self, caller: Grant) -> Grant:
        grant = self._identities.token(caller.token)
        if grant is None:
            raise NotAllowed("that takes a token of this server's own, and not one that somebody else has signed")
        return grant


def _end(own: Grant, now: float, lifetime: float) -> float:
    """When what is made now ends. Raises ``NotAllowed`` when that would be later than the caller's own token."""
    if now + lifetime > own.expires_at:
        raise NotAllowed(f"your own token lives for another {math.floor(own.expires_at - now)} seconds, no longer")
    return now + lifetime
