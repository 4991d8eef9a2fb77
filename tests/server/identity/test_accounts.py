"""Accounts, with a clock that is told the time: what expires, what is cancelled half-way, and what a JWT may not."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from headway.core.errors import NotAllowed, NotAuthenticated, TooMany, Unavailable
from headway.core.policy import Principal, Role
from headway.server.data import IDENTITY, admin_token
from headway.server.identity.accounts import TOKENS_PER_USER, Accounts
from headway.server.identity.grants import Grant, Grants
from headway.server.identity.identities import Identities
from headway.server.identity.links import LIFETIME
from headway.server.identity.sessions import SESSION_LIFETIME
from headway.server.identity.shares import SHARE_LIFETIME
from headway.server.identity.store import DAY, TokenStore
from tests.server.identity.support import FakeClock, eventually

HERE = "127.0.0.1"


@pytest.fixture
async def identities(folder: Path, grants: Grants, clock: FakeClock) -> AsyncIterator[Identities]:
    with closing(Identities.open(folder, grants, clock)) as identities:
        yield identities


@pytest.fixture
def accounts(identities: Identities, clock: FakeClock) -> Accounts:
    return Accounts(identities, clock)


@pytest.fixture
def admin(folder: Path, identities: Identities, clock: FakeClock) -> Grant:
    grant = identities.authenticate(admin_token(folder) or "", clock.now())
    assert grant is not None
    return grant


async def test_a_session_ends_by_the_clock_and_so_do_its_streams(
    folder: Path, accounts: Accounts, identities: Identities, grants: Grants, clock: FakeClock
) -> None:
    login = await accounts.log_in(HERE, token=admin_token(folder))
    cut: list[str] = []
    grants.watch(login.grant, lambda: cut.append("session"))
    clock.time += SESSION_LIFETIME - 1
    grants.sweep()
    assert (identities.session(login.secret), cut) == (login.grant, [])
    clock.time += 1
    grants.sweep()
    assert (identities.session(login.secret), cut) == (None, ["session"])


async def test_a_session_never_outlives_its_token(
    accounts: Accounts, identities: Identities, admin: Grant, clock: FakeClock
) -> None:
    token, record = await accounts.create(admin, role=Role.USER, label="", lifetime=60, user="anna")
    login = await accounts.log_in(HERE, token=token)
    assert login.grant.expires_at == record.expires_at == clock.time + 60
    clock.time += 60
    assert identities.session(login.secret) is None
    with pytest.raises(NotAuthenticated):
        await accounts.log_in(HERE, token=token)


async def test_an_old_link_opens_nothing(accounts: Accounts, admin: Grant, clock: FakeClock) -> None:
    code, link = await accounts.make_link(admin)
    assert link.expires_at == clock.time + LIFETIME
    clock.time += LIFETIME
    with pytest.raises(NotAuthenticated):
        await accounts.log_in(HERE, link=code)


async def test_a_link_of_a_token_that_was_revoked_opens_nothing(accounts: Accounts, admin: Grant) -> None:
    code, _ = await accounts.make_link(admin)
    await accounts.revoke(admin, admin.token)
    with pytest.raises(NotAuthenticated):
        await accounts.log_in(HERE, link=code)


async def test_what_has_begun_holds_although_nobody_waits_for_it_any_more(
    folder: Path, accounts: Accounts, identities: Identities, admin: Grant, clock: FakeClock
) -> None:
    login = await accounts.log_in(HERE, token=admin_token(folder))
    begun, go = threading.Event(), threading.Event()

    def revoke(store: TokenStore) -> None:
        begun.set()
        go.wait(60)
        store.revoke(now=clock.now(), id=admin.token)

    waiting = asyncio.get_running_loop().create_task(identities.use(revoke))
    await asyncio.to_thread(begun.wait, 60)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    assert identities.session(login.secret) is not None
    go.set()
    await eventually(lambda: identities.session(login.secret) is None)
    assert identities.token(admin.token) is None


async def test_a_token_that_expires_makes_none_that_outlives_it(
    accounts: Accounts, identities: Identities, admin: Grant, clock: FakeClock
) -> None:
    token, _ = await accounts.create(admin, role=Role.USER, label="", lifetime=3_600, user="anna")
    anna = identities.authenticate(token, clock.now())
    assert anna is not None
    for lifetime in (None, 3_600, 60):
        _, record = await accounts.create(anna, role=Role.USER, label="", lifetime=lifetime, user=None)
        assert record.expires_at == clock.time + (lifetime or 3_600)
    with pytest.raises(NotAllowed, match="3600 seconds"):
        await accounts.create(anna, role=Role.USER, label="", lifetime=3_601, user=None)


async def test_the_life_of_a_session_bounds_no_token(folder: Path, accounts: Accounts, clock: FakeClock) -> None:
    login = await accounts.log_in(HERE, token=admin_token(folder))
    _, record = await accounts.create(login.grant, role=Role.READER, label="", lifetime=None, user=None)
    assert record.expires_at > clock.time + SESSION_LIFETIME


async def test_a_user_makes_only_so_many_tokens(
    accounts: Accounts, identities: Identities, admin: Grant, clock: FakeClock
) -> None:
    token, _ = await accounts.create(admin, role=Role.USER, label="", lifetime=None, user="anna")
    anna = identities.authenticate(token, clock.now())
    assert anna is not None

    async def make() -> str:
        return (await accounts.create(anna, role=Role.READER, label="", lifetime=None, user=None))[1].id

    made = [await make() for _ in range(TOKENS_PER_USER - 1)]
    await accounts.revoke(anna, made[0])
    with pytest.raises(TooMany):  # revoking makes no room the same day
        await make()
    await accounts.create(admin, role=Role.READER, label="", lifetime=None, user="bob")
    clock.time += DAY
    await make()
    with pytest.raises(TooMany):
        await make()


async def test_a_share_is_open_for_a_day_or_as_long_as_it_is_told_and_its_token_lives(
    accounts: Accounts, identities: Identities, admin: Grant, clock: FakeClock
) -> None:
    async def lasting(caller: Grant, lifetime: float | None) -> float:
        return (await accounts.share(caller, "a", 2, lifetime=lifetime))[1].expires_at - clock.time

    assert [await lasting(admin, each) for each in (None, 60, 30 * DAY)] == [SHARE_LIFETIME, 60, 30 * DAY]
    token, _ = await accounts.create(admin, role=Role.USER, label="", lifetime=3_600, user="anna")
    anna = identities.authenticate(token, clock.now())
    assert anna is not None
    assert [await lasting(anna, each) for each in (None, 60, 3_600)] == [3_600, 60, 3_600]
    with pytest.raises(NotAllowed, match="3600 seconds"):
        await lasting(anna, 3_601)
    assert len(await accounts.shares(admin)) == 6
    clock.time += 60
    assert len(await accounts.shares(admin)) == 4


async def test_a_guest_shares_nothing_and_ends_nothing(
    accounts: Accounts, identities: Identities, admin: Grant
) -> None:
    secret, record = await accounts.share(admin, "a", 1, lifetime=None)
    guest = identities.share(secret)
    assert guest is not None
    with pytest.raises(NotAllowed):
        await accounts.share(guest, "a", 1, lifetime=None)
    with pytest.raises(NotAllowed):
        await accounts.unshare(guest, record.id)
    with pytest.raises(NotAuthenticated):
        await accounts.log_in(HERE, token=secret)
    assert identities.share(secret) is guest


async def test_who_comes_with_somebody_else_s_token_makes_nothing(accounts: Accounts) -> None:
    signed = Grant(Principal(2, Role.ADMIN), expires_at=3_000_000_000.0)
    with pytest.raises(NotAllowed, match="signed"):
        await accounts.make_link(signed)
    with pytest.raises(NotAllowed, match="signed"):
        await accounts.create(signed, role=Role.READER, label="", lifetime=None, user=None)
    with pytest.raises(NotAllowed, match="signed"):
        await accounts.share(signed, "a", 2, lifetime=None)


async def test_trouble_with_the_database_is_told_without_its_path(
    folder: Path, accounts: Accounts, admin: Grant, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / IDENTITY).rename(folder / "away")
    with caplog.at_level(logging.ERROR, "headway"), pytest.raises(Unavailable) as refused:
        await accounts.log_in(HERE, token=admin_token(folder))
    assert str(folder) not in refused.value.message
    assert str(folder) in caplog.text
    (folder / "away").rename(folder / IDENTITY)
    assert (await accounts.log_in(HERE, token=admin_token(folder))).grant.principal == admin.principal
