"""The tokens a server knows keep step with the database, while the command line writes it."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection

from headway.core.policy import Principal, Role
from headway.server.data import IDENTITY, admin_token
from headway.server.identity.grants import Grant, Grants
from headway.server.identity.identities import Identities
from headway.server.identity.shares import ShareRecord
from headway.server.identity.store import TokenStore
from headway.server.identity.tokens import id_of
from tests.server.identity.support import CLI, FakeClock, eventually

ACTIVITY = "6f7c9a1b-5f56-4009-b7c2-374cd148b67f"


@pytest.fixture
async def identities(folder: Path, grants: Grants, clock: FakeClock) -> AsyncIterator[Identities]:
    """Identities that follow their database."""
    opened = Identities.open(folder, grants, clock)
    task = asyncio.create_task(opened.run())
    yield opened
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    opened.close()


async def command(folder: Path, *arguments: str) -> str:
    """Run `headway token` in another process."""
    process = await asyncio.create_subprocess_exec(
        *CLI, *arguments, "--data", str(folder), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().strip()


async def test_the_token_of_the_first_start_opens_everything(
    folder: Path, identities: Identities, clock: FakeClock
) -> None:
    grant = identities.authenticate(admin_token(folder) or "", clock.now())
    assert grant is not None
    assert grant.principal == Principal(1, Role.ADMIN, "admin")


async def test_one_token_is_one_grant_for_all_its_requests(
    folder: Path, identities: Identities, clock: FakeClock
) -> None:
    token = admin_token(folder) or ""
    assert identities.authenticate(token, clock.now()) is identities.authenticate(token, clock.now())


async def test_unknown_malformed_revoked_and_expired_are_one_answer(folder: Path, clock: FakeClock) -> None:
    with closing(TokenStore.open(folder, now=clock.now())) as store:
        revoked, record = store.create("anna", Role.USER, now=clock.now())
        store.revoke(now=clock.now(), id=record.id)
        expired, _ = store.create("anna", Role.USER, now=clock.now(), expires_at=clock.now() - 1)
        good, other = store.create("anna", Role.USER, now=clock.now())
    with closing(Identities.open(folder, Grants(clock), clock)) as identities:
        forged = good[:-1] + ("A" if good[-1] != "A" else "B")
        bad = ["", "x", "ä\udcff", "x" * 10_000, good[3:], f" {good}", forged, good + "A", revoked, expired]
        bad.append(f"hw_00000000_{'A' * 43}")
        assert [identities.authenticate(token, clock.now()) for token in bad] == [None] * len(bad)
        grant = identities.authenticate(good, clock.now())
    assert grant is not None
    assert grant.token == other.id


async def test_a_request_is_identified_by_the_token_it_carries(folder: Path, identities: Identities) -> None:
    def connection(headers: list[tuple[bytes, bytes]], query: bytes = b"") -> HTTPConnection:
        return HTTPConnection({"type": "http", "headers": headers, "query_string": query})

    token = (admin_token(folder) or "").encode()
    assert identities.identify(connection([(b"x-plex-token", token)])) is not None
    assert identities.identify(connection([], b"X-Plex-Token=" + token)) is not None
    assert identities.identify(connection([(b"cookie", b"headway_token=" + token)])) is not None
    assert identities.identify(connection([])) is None
    bad_header_good_cookie = [(b"x-plex-token", b"bad"), (b"cookie", b"headway_token=" + token)]
    assert identities.identify(connection(bad_header_good_cookie)) is None


async def test_a_guest_is_identified_by_the_header_alone(
    folder: Path, identities: Identities, clock: FakeClock
) -> None:
    token = identities.authenticate(admin_token(folder) or "", clock.now())
    assert token is not None
    secret, record = await shared(identities, token.token, clock)

    def guest(headers: list[tuple[bytes, bytes]], query: str = "") -> Grant | None:
        scope = {"type": "http", "headers": headers, "query_string": query.encode()}
        return identities.identify(HTTPConnection(scope))

    shown = secret.encode()
    grant = guest([(b"x-plex-token", b" " + shown)])
    assert grant is not None
    assert grant.principal == Principal(7, Role.GUEST, only=ACTIVITY)
    assert (grant.token, grant.share, grant.expires_at) == (record.token, record.id, record.expires_at)
    for headers, query in (
        ([(b"cookie", b"headway_token=" + shown)], ""),
        ([(b"authorization", b"Bearer " + shown)], ""),
        ([], f"X-Plex-Token={secret}"),
        ([(b"x-plex-token", b"")], f"X-Plex-Token={secret}"),
        ([(b"x-plex-token", secret.replace("hwg", "hw").encode())], ""),
        ([(b"x-plex-token", secret.replace("hwg", "hws").encode())], ""),
        ([(b"x-plex-token", f"hwg_00000000{secret[12:]}".encode())], ""),
        ([(b"x-plex-token", shown[:-1])], ""),
    ):
        assert guest(headers, query) is None, (headers, query)
    assert identities.authenticate(secret, clock.now()) is None, "it is no token"


async def test_a_share_ends_by_the_clock_when_it_is_revoked_and_with_its_token(
    folder: Path, identities: Identities, clock: FakeClock
) -> None:
    tokens = [await command(folder, "create", "anna") for _ in range(2)]
    await eventually(lambda: identities.authenticate(tokens[1], clock.now()) is not None)
    first, second = (id_of(token) or "" for token in tokens)
    ended, _ = await shared(identities, first, clock)
    kept, _ = await shared(identities, second, clock)
    revoked, record = await shared(identities, second, clock)
    await identities.use(lambda store: store.close_share(record.id))
    assert identities.share(revoked) is None
    await command(folder, "revoke", first)
    await eventually(lambda: identities.share(ended) is None)
    assert identities.share(kept) is not None
    clock.time += 60
    assert identities.share(kept) is None


async def shared(identities: Identities, token: str, clock: FakeClock) -> tuple[str, ShareRecord]:
    """A share of somebody's activity, for a minute."""
    now = clock.now()
    made = await identities.use(lambda store: store.open_share(token, ACTIVITY, 7, now=now, expires_at=now + 60))
    assert made is not None
    return made


async def test_a_token_made_by_another_process_is_known_soon(
    folder: Path, identities: Identities, clock: FakeClock
) -> None:
    token = await command(folder, "create", "anna", "--role", "reader")
    await eventually(lambda: identities.authenticate(token, clock.now()) is not None)
    grant = identities.authenticate(token, clock.now())
    assert grant is not None
    assert grant.principal == Principal(2, Role.READER, "anna")


async def test_revoking_in_another_process_cuts_the_streams_of_that_token_only(
    folder: Path, identities: Identities, grants: Grants, clock: FakeClock
) -> None:
    cut: list[str] = []

    def known(token: str) -> bool:
        return identities.authenticate(token, clock.now()) is not None

    tokens = {name: await command(folder, "create", name) for name in ("anna", "bob")}
    for name, token in tokens.items():
        await eventually(partial(known, token))
        grant = identities.authenticate(token, clock.now())
        assert grant is not None
        grants.watch(grant, partial(cut.append, name))
    await command(folder, "revoke", "--user", "anna")
    await eventually(lambda: bool(cut))
    assert cut == ["anna"]
    assert identities.authenticate(tokens["anna"], clock.now()) is None
    assert identities.authenticate(tokens["bob"], clock.now()) is not None


async def test_demoting_a_token_cuts_its_streams_and_gives_a_new_grant(
    folder: Path, identities: Identities, grants: Grants, clock: FakeClock
) -> None:
    cut: list[str] = []
    token = admin_token(folder) or ""
    before = identities.authenticate(token, clock.now())
    assert before is not None
    grants.watch(before, lambda: cut.append("admin"))
    with closing(sqlite3.connect(folder / IDENTITY)) as other, other:
        other.execute("UPDATE tokens SET role = 'reader'")
    await eventually(lambda: cut == ["admin"])
    after = identities.authenticate(token, clock.now())
    assert after is not None
    assert after.principal.role is Role.READER
    assert not before.valid(clock.now())


async def test_other_changes_leave_open_streams_alone(folder: Path, identities: Identities, clock: FakeClock) -> None:
    before = identities.authenticate(admin_token(folder) or "", clock.now())
    token = await command(folder, "create", "anna")
    await eventually(lambda: identities.authenticate(token, clock.now()) is not None)
    assert identities.authenticate(admin_token(folder) or "", clock.now()) is before


async def test_a_token_expires_by_the_clock_and_so_do_its_streams(
    folder: Path, grants: Grants, clock: FakeClock
) -> None:
    with closing(TokenStore.open(folder, now=clock.now())) as store:
        token, _ = store.create("anna", Role.USER, now=clock.now(), expires_at=clock.now() + 60)
    with closing(Identities.open(folder, grants, clock)) as identities:
        grant = identities.authenticate(token, clock.now())
        assert grant is not None
        cut: list[str] = []
        grants.watch(grant, lambda: cut.append("anna"))
        clock.time += 60
        grants.sweep()
        assert cut == ["anna"]
        assert identities.authenticate(token, clock.now()) is None


async def test_a_database_that_is_gone_locks_nobody_out_and_is_reported_once(
    folder: Path, identities: Identities, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "headway")
    token = admin_token(folder) or ""
    (folder / IDENTITY).rename(folder / "away")
    await eventually(lambda: "not up to date" in caplog.text)
    assert identities.authenticate(token, clock.now()) is not None
    assert repr(identities) == "<Identities: 1 tokens, in trouble>"
    (folder / "away").rename(folder / IDENTITY)
    await eventually(lambda: "up to date again" in caplog.text)
    assert len(caplog.records) == 2
    made = await command(folder, "create", "anna")
    await eventually(lambda: identities.authenticate(made, clock.now()) is not None)


async def test_neither_table_shows_a_token(folder: Path, identities: Identities, grants: Grants) -> None:
    token = admin_token(folder) or ""
    grant = identities.authenticate(token, 0.0)
    assert grant is not None
    assert token not in repr([identities, grants, grant, vars(identities)])
