"""The tokens that the server knows, in memory, in step with the database."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import HTTPConnection

from headway.core.policy import Principal
from headway.ports import Clock
from headway.server.data import DataError
from headway.server.identity.credentials import find_token
from headway.server.identity.grants import Grant, Grants
from headway.server.identity.store import TokenRecord, TokenStore
from headway.server.identity.tokens import digest, id_of

if TYPE_CHECKING:
    from headway.server.identity.jwt import Keys

POLL = 0.25
"""Seconds between looks at the database: a token made is known, one revoked is useless, at most that late."""

_log = logging.getLogger(__name__)


class Identities:
    """Answers from memory; a request never waits for the database. ``identify`` is the server's own ``Identify``.

    ``keys`` are asked about tokens that do not look like our own.
    """

    def __init__(self, store: TokenStore, grants: Grants, clock: Clock, keys: Keys | None = None) -> None:
        self._store = store
        self._grants = grants
        self._clock = clock
        self._keys = keys
        self._known: dict[str, tuple[bytes, Grant]] = {}
        """By public id: the digest of the token and what it gives."""
        # Not the loop's default threads: long operations may hold all of those, and a revocation must not wait.
        self._thread = ThreadPoolExecutor(1, "headway-identity")
        self._trouble = ""
        self._apply(store.news() or ())

    @classmethod
    def open(cls, folder: Path, grants: Grants, clock: Clock, keys: Keys | None = None) -> Identities:
        """Open the identity database of a data folder, making it at the first start. Blocks for a moment.

        Raises ``DataError``.
        """
        return cls(TokenStore.open(folder, now=clock.now()), grants, clock, keys)

    def __repr__(self) -> str:
        return f"<Identities: {len(self._known)} tokens{', in trouble' if self._trouble else ''}>"

    def identify(self, connection: HTTPConnection) -> Grant | None:
        """Who is calling; None for 401."""
        token = find_token(connection.headers, connection.query_params, connection.cookies)
        return None if token is None else self.authenticate(token, self._clock.now())

    def authenticate(self, token: str, now: float) -> Grant | None:
        """The grant of a token at ``now`` (seconds since the epoch). Unknown, malformed, revoked and expired are
        one answer: None.
        """
        id = id_of(token)
        if id is None:
            grant = self._keys.grant(token, now) if self._keys is not None else None
        else:
            hashed, grant = self._known.get(id, (b"", None))
            if not hmac.compare_digest(hashed, digest(token)):
                return None
        return grant if grant is not None and grant.valid(now) else None

    async def run(self) -> None:
        """Follow the database until cancelled: the server keeps one task of this."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(POLL)
            try:
                news = await loop.run_in_executor(self._thread, self._store.news)
            except DataError as error:
                self._report(error.message)
            else:
                self._report("")
                if news is not None:
                    self._apply(news)

    def close(self) -> None:
        """Close the database, after ``run`` was cancelled; may wait for a look at it that is under way."""
        self._thread.shutdown()
        self._store.close()

    def _apply(self, tokens: Iterable[tuple[bytes, TokenRecord]]) -> None:
        """Take over the tokens as they stand; the grants of those that are gone or changed in any way end."""
        before, self._known = self._known, {}
        for hashed, record in tokens:
            known = hashed, _grant(record)
            same = before.get(record.id)
            self._known[record.id] = same if same is not None and _same(same, known) else known
        for id, known in before.items():
            if self._known.get(id) is not known:
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


def _same(one: tuple[bytes, Grant], other: tuple[bytes, Grant]) -> bool:
    return one[0] == other[0] and msgspec.structs.astuple(one[1]) == msgspec.structs.astuple(other[1])
