"""Failed logins: how many, from where, and how much is remembered of them."""

import pytest

from headway.core.errors import TooMany
from headway.server.identity.attempts import Attempts
from tests.server.identity.support import FakeClock


@pytest.fixture
def attempts(clock: FakeClock) -> Attempts:
    return Attempts(clock, burst=3, pause=2.0, capacity=4)


def may(attempts: Attempts, address: str = "10.0.0.1") -> bool:
    try:
        attempts.check(address)
    except TooMany:
        return False
    return True


def fail(attempts: Attempts, times: int, address: str = "10.0.0.1") -> None:
    for _ in range(times):
        assert may(attempts, address)
        attempts.failed(address)


def test_a_few_failures_are_everyone_s(attempts: Attempts) -> None:
    fail(attempts, 3)
    assert not may(attempts)


def test_after_a_pause_one_more_is_allowed_and_after_some_all_are(attempts: Attempts, clock: FakeClock) -> None:
    fail(attempts, 3)
    clock.time += 1.9
    assert not may(attempts)
    clock.time += 0.1
    fail(attempts, 1)
    assert not may(attempts)
    clock.time += 6
    fail(attempts, 3)
    assert not may(attempts)


def test_looking_costs_nothing(attempts: Attempts) -> None:
    assert all(may(attempts) for _ in range(100))
    assert repr(attempts) == "<Attempts: 0 addresses>"


def test_others_are_not_kept_waiting(attempts: Attempts) -> None:
    fail(attempts, 3)
    assert may(attempts, "10.0.0.2")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("", "", True),
        ("unknown", "other", False),
    ],
)
def test_an_address_is_what_one_host_has(attempts: Attempts, one: str, other: str, same: bool) -> None:
    fail(attempts, 3, one)
    assert may(attempts, other) is not same


def test_it_remembers_only_so_many_and_only_so_long(attempts: Attempts, clock: FakeClock) -> None:
    fail(attempts, 3, "first")
    for number in range(4):
        clock.time += 0.1
        fail(attempts, 1, f"10.0.0.{number}")
    assert repr(attempts) == "<Attempts: 4 addresses>"
    assert may(attempts, "first")
    clock.time += 60
    fail(attempts, 1, "last")
    assert repr(attempts) == "<Attempts: 1 addresses>"
