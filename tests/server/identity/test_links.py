"""One-use links: once, for five minutes, and not too many."""

import pytest

from headway.server.identity.links import LIFETIME, PER_USER, Link, Links
from tests.server.identity.support import FakeClock


@pytest.fixture
def links(clock: FakeClock) -> Links:
    return Links(clock)


def test_a_code_is_good_once(links: Links, clock: FakeClock) -> None:
    code, link = links.make(2, "0123abcd")
    assert link == Link(2, "0123abcd", clock.time + LIFETIME)
    assert [links.take(code), links.take(code)] == [link, None]


def test_it_is_good_for_five_minutes(links: Links, clock: FakeClock) -> None:
    first, _ = links.make(2, "a")
    second, _ = links.make(2, "a")
    clock.time += LIFETIME - 0.1
    assert links.take(first) is not None
    clock.time += 0.1
    assert links.take(second) is None


def test_only_a_hash_of_it_is_kept(links: Links) -> None:
    code, _ = links.make(2, "a")
    assert code not in repr(vars(links))
    assert code[4:] not in repr(vars(links))


@pytest.mark.parametrize("code", ["", "hwl_", "x" * 10_000, "ä", f"hwl_{'A' * 43}"])
def test_what_is_no_code_is_nothing(links: Links, code: str) -> None:
    links.make(2, "a")
    assert links.take(code) is None


def test_a_user_has_so_many_and_takes_nobody_else_s_place(links: Links) -> None:
    other, _ = links.make(3, "b")
    codes = [links.make(2, "a")[0] for _ in range(PER_USER + 2)]
    assert [links.take(code) is not None for code in codes] == [False, False, *[True] * PER_USER]
    assert links.take(other) is not None


def test_a_user_s_links_can_be_dropped(links: Links) -> None:
    mine, other = links.make(2, "a")[0], links.make(3, "b")[0]
    links.drop(2)
    assert (links.take(mine), links.take(other) is not None) == (None, True)


def test_expired_ones_take_no_room(links: Links, clock: FakeClock) -> None:
    links.make(2, "a")
    clock.time += LIFETIME
    links.make(3, "b")
    assert repr(links) == "<Links: 1>"
