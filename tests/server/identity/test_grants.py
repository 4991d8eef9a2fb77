"""Open streams learn that their token has ended, and cost nothing until then."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

import pytest

from headway.core.policy import Principal, Role
from headway.server.identity.grants import Grant, Grants
from tests.server.identity.support import FakeClock, eventually

ANNA = Principal(2, Role.USER, "anna")


def test_a_grant_is_valid_until_it_expires_or_is_revoked(grants: Grants) -> None:
    grant = Grant(ANNA, "t1", expires_at=100.0)
    assert grant.valid(99.999)
    assert not grant.valid(100.0)
    grants.revoke(grant)
    assert not grant.valid(0.0)


def test_a_grant_without_expiry_is_valid_for_ever() -> None:
    assert Grant(ANNA).valid(1e12)


def test_grants_are_equal_only_to_themselves() -> None:
    grant = Grant(ANNA, "t1")
    assert grant == grant
    assert grant != Grant(ANNA, "t1")


def test_revoking_tells_every_watcher_of_that_grant_once(grants: Grants) -> None:
    ended: list[str] = []
    anna, bob = Grant(ANNA), Grant(Principal(3))
    grants.watch(anna, partial(ended.append, "anna 1"))
    grants.watch(anna, partial(ended.append, "anna 2"))
    grants.watch(bob, partial(ended.append, "bob"))
    grants.revoke(anna)
    grants.revoke(anna)
    grants.sweep()
    assert ended == ["anna 1", "anna 2"]


def test_expiry_is_told_by_the_sweep_after_it(grants: Grants, clock: FakeClock) -> None:
    ended: list[float] = []
    for later in (30, 10, 10, 20):
        grants.watch(Grant(ANNA, expires_at=clock.time + later), partial(ended.append, later))
    for step, expected in ((9.9, []), (0.1, [10, 10]), (9.0, [10, 10]), (1.0, [10, 10, 20]), (99, [10, 10, 20, 30])):
        clock.time += step
        grants.sweep()
        assert ended == expected


def test_who_stops_watching_is_not_told(grants: Grants, clock: FakeClock) -> None:
    ended: list[str] = []
    grant = Grant(ANNA, expires_at=clock.time + 10)
    stop = grants.watch(grant, partial(ended.append, "one"))
    grants.watch(grant, partial(ended.append, "two"))
    stop()
    stop()
    clock.time += 10
    grants.sweep()
    assert ended == ["two"]
    stop()


def test_a_grant_that_ended_before_it_is_watched_is_told_by_the_next_sweep(grants: Grants, clock: FakeClock) -> None:
    ended: list[str] = []
    revoked, expired = Grant(ANNA, revoked=True), Grant(ANNA, expires_at=clock.time)
    grants.watch(revoked, partial(ended.append, "revoked"))
    grants.watch(expired, partial(ended.append, "expired"))
    assert ended == []
    grants.sweep()
    assert sorted(ended) == ["expired", "revoked"]


def test_a_watcher_may_stop_another_while_being_told(grants: Grants) -> None:
    ended: list[str] = []
    grant = Grant(ANNA)
    stops: list[Callable[[], None]] = []

    def told(name: str) -> None:
        ended.append(name)
        for stop in stops:
            stop()

    for name in ("one", "two"):
        stops.append(grants.watch(grant, partial(told, name)))
    grants.revoke(grant)
    assert ended == ["one", "two"]


def test_a_watcher_that_fails_does_not_save_the_others(grants: Grants, caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []
    grant = Grant(ANNA)

    def fail() -> None:
        raise OSError("socket gone")

    grants.watch(grant, fail)
    grants.watch(grant, partial(ended.append, "other"))
    with caplog.at_level(logging.ERROR):
        grants.revoke(grant)
    assert ended == ["other"]
    assert "socket gone" in caplog.text


def test_closed_streams_leave_nothing_behind(grants: Grants, clock: FakeClock) -> None:
    for number in range(1000):
        grants.watch(Grant(ANNA, expires_at=clock.time + number + 1), lambda: None)()
    assert repr(grants) == "<Grants: 0 watched by 0 streams>"


def test_a_sweep_with_nothing_due_looks_at_no_stream(grants: Grants, clock: FakeClock) -> None:
    class Noisy(Grant, eq=False):
        def valid(self, now: float) -> bool:
            looked_at.append(self)
            return super().valid(now)

    looked_at: list[Grant] = []
    for _ in range(10_000):
        grants.watch(Noisy(ANNA, expires_at=clock.time + 3600), lambda: None)
    for _ in range(100):
        clock.time += 1
        grants.sweep()
    assert looked_at == []
    assert repr(grants) == "<Grants: 10000 watched by 10000 streams>"


async def test_running_sweeps_by_itself(grants: Grants, clock: FakeClock) -> None:
    ended: list[str] = []
    grants.watch(Grant(ANNA, expires_at=clock.time + 10), partial(ended.append, "anna"))
    task = asyncio.create_task(grants.run())
    clock.time += 10
    await eventually(lambda: ended == ["anna"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
