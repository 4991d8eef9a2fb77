"""The tokens, sessions and shares that the server knows, in memory, in step with the database."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.requests import HTTPConnection

from headway.core.errors import Unavailable
from headway.core.policy import Principal, Role
from headway.ports import Clock, Document
from headway.server.data import DataError
from headway.server.identity.credentials import cookie_of, find_token, is_in_header
from headway.server.identity.grants import Grant, Grants
from headway.server.identity.sessions import SessionRecord
from headway.server.identity.shares import ShareRecord
from headway.server.identity.store import Admitted, TokenRecord, TokenStore
from headway.server.identity.tokens import digest, id_of, session_id_of, share_id_of

if TYPE_CHECKING:
    from headway.server.identity.jwt import Keys

Key = tuple[str, str, str]
"""Token, session and share, as in their ``Grant``."""

Known = dict[Key, tuple[bytes, Grant]]
"""The digest of what is shown for it, and what that gives."""

T = TypeVar("T")

POLL = 0.25
"""Seconds between looks at the database: a token made is known, one revoked is useless, at most that late."""

_log = logging.getLogger(__name__)


class Identities:
    """Answers from memory; a request never waits for the database. ``identify`` is the server's own ``Identify``.

    ``keys`` are asked about tokens that do not look like our own.
    """

    def __init__(
        self,
        store: TokenStore,
        grants: Grants,
        clock: Clock,
        keys: Keys | None = None,
        thread: ThreadPoolExecutor | None = None,
    ) -> None:
        """``thread``: the one that the store was opened in, if it minds."""
        self._store = store
        self._grants = grants
        self._clock = clock
        self._keys = keys
        self._known: Known = {}
        self._sessions: dict[str, Key] = {}
        self._shares: dict[str, Key] = {}
        # Not the loop's default threads: long operations may hold all of those, and a revocation must not wait.
        self._thread = thread or ThreadPoolExecutor(1, "headway-identity")
        self._trouble = ""
        self._apply(store.admitted())

    @classmethod
    def open(
        cls, folder: Path, grants: Grants, clock: Clock, keys: Keys | None = None, shared: Document | None = None
    ) -> Identities:
        """Open the identity database of a data folder, or the ``shared`` one of many nodes; the first start makes it.
        Blocks for a moment.

        Raises ``DataError``.
        """
        thread = ThreadPoolExecutor(1, "headway-identity")
        try:
            store = thread.submit(lambda: TokenStore.open(folder, now=clock.now(), shared=shared)).result()
        except DataError:
            thread.shutdown()
            raise
        return cls(store, grants, clock, keys, thread)

    def __repr__(self) -> str:
        tokens = len(self._known) - len(self._sessions) - len(self._shares)
        return f"<Identities: {tokens} tokens{', in trouble' if self._trouble else ''}>"

    def identify(self, connection: HTTPConnection) -> Grant | None:
        """Who is calling; None for 401."""
        token = find_token(connection.headers, connection.query_params, connection.cookies)
        if token is None:
            return None
        # Each is good where it belongs alone: a session in a cookie, out of the reach of scripts; a share in the header
        # that a page of ours sends, and in no address that is logged or followed.
        if session_id_of(token) is not None:
            return self.session(token) if token == cookie_of(connection) else None
        if share_id_of(token) is not None:
            return self.share(token) if is_in_header(connection, token) else None
        return self.authenticate(token, self._clock.now())

    def session(self, secret: str) -> Grant | None:
        """The grant of a browser's session, if it is one."""
        return self._matching(self._sessions.get(session_id_of(secret) or ""), secret, self._clock.now())

    def share(self, secret: str) -> Grant | None:
        """The grant of a guest's secret, if it is one."""
        return self._matching(self._shares.get(share_id_of(secret) or ""), secret, self._clock.now())

    def token(self, id: str) -> Grant | None:
        """The grant of the token with that public id."""
        known = self._known.get((id, "", ""))
        return known[1] if known is not None and known[1].valid(self._clock.now()) else None

    def authenticate(self, token: str, now: float) -> Grant | None:
        """The grant of a token at ``now`` (seconds since the epoch). Unknown, malformed, revoked and expired are
        one answer: None.
        """
        id = id_of(token)
        if id is not None:
            return self._matching((id, "", ""), token, now)
        grant = self._keys.grant(token, now) if self._keys is not None else None
        return grant if grant is not None and grant.valid(now) else None

    def _matching(self, key: Key | None, shown: str, now: float) -> Grant | None:
        hashed, grant = (b"", None) if key is None else self._known.get(key, (b"", None))
        if not hmac.compare_digest(hashed, digest(shown)):
            return None
        return grant if grant is not None and grant.valid(now) else None

    async def use(self, work: Callable[[TokenStore], T]) -> T:
        """Look into the database, or change it: what is changed holds for all when this returns.

        Raises what ``work`` raises, but ``Unavailable`` where the database is in trouble, which is the log's to tell.
        """
        try:
            return await self._use(work)
        except DataError as error:
            _log.error("users and tokens cannot be used: %s", error.message)
            raise Unavailable("users and tokens cannot be looked up or changed just now") from error

    async def run(self) -> None:
        """Follow the database until cancelled: the server keeps one task of this."""
        while True:
            await asyncio.sleep(POLL)
            try:
                await self._use(lambda store: None)
            except DataError as error:
                self._report(error.message)
            else:
                self._report("")

    async def _use(self, work: Callable[[TokenStore], T]) -> T:
        loop = asyncio.get_running_loop()

        def job() -> T:
            result = work(self._store)
            if (news := self._store.news()) is not None:
                # Not by who waits for the result: they may have been cancelled, and this was news only once.
                loop.call_soon_threadsafe(self._apply, news)
            return result

        return await loop.run_in_executor(self._thread, job)

    def close(self) -> None:
        """Close the database, after ``run`` was cancelled; may wait for a look at it that is under way."""
        self._thread.submit(self._store.close).result()
        self._thread.shutdown()

    def _apply(self, admitted: Admitted) -> None:
        """Take over what stands; the grants of what is gone or changed in any way end."""
        before, self._known = self._known, {}
        grants = [
            *((hashed, _grant(record)) for hashed, record in admitted.tokens),
            *((hashed, _session_grant(record)) for hashed, record in admitted.sessions),
            *((hashed, _share_grant(record)) for hashed, record in admitted.shares),
        ]
        for known in grants:
            key = known[1].token, known[1].session, known[1].share
            same = before.get(key)
            self._known[key] = same if same is not None and _same(same, known) else known
        self._sessions = {key[1]: key for key in self._known if key[1]}
        self._shares = {key[2]: key for key in self._known if key[2]}
        for key, known in before.items():
            if self._known.get(key) is not known:
                self._grants.revoke(known[1])

    def _report(self, trouble: str) -> None:
        """Log trouble once, not four times a second. What was known stays good meanwhile: a damaged file must not
        lock everyone out.
        """
        if trouble and trouble != self._trouble:
            _log.error("tokens are not up to date: %s", trouble)
        elif self._trouble and not trouble:
            _log.info("tokens are up to date again")
        self._trouble = trouble


def _grant(record: TokenRecord) -> Grant:
    return Grant(Principal(record.user_id, record.role, record.user), record.id, record.expires_at)


def _session_grant(record: SessionRecord) -> Grant:
    return Grant(Principal(record.user_id, record.role, record.user), record.token, record.expires_at, record.id)


def _share_grant(record: ShareRecord) -> Grant:
    guest = Principal(record.owner, Role.GUEST, only=record.activity)
    return Grant(guest, record.token, record.expires_at, share=record.id)


def _same(one: tuple[bytes, Grant], other: tuple[bytes, Grant]) -> bool:
    return one[0] == other[0] and msgspec.structs.astuple(one[1]) == msgspec.structs.astuple(other[1])
