"""Waiting before trying again: longer each time, by chance within the bound, anew after a success."""

from headway.client.backoff import Backoff


def test_the_bound_doubles_up_to_the_cap() -> None:
    backoff = Backoff(0.5, 4.0, jitter=lambda: 1.0)
    assert [backoff.next() for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_the_whole_range_below_the_bound_is_used() -> None:
    chances = iter([0.0, 0.25, 1.0])
    backoff = Backoff(1.0, 8.0, jitter=lambda: next(chances))
    assert [backoff.next() for _ in range(3)] == [0.0, 0.5, 4.0]


def test_a_success_begins_anew() -> None:
    backoff = Backoff(1.0, 8.0, jitter=lambda: 1.0)
    backoff.next()
    backoff.next()
    backoff.reset()
    assert backoff.next() == 1.0


def test_failing_for_years_is_no_trouble() -> None:
    backoff = Backoff(1.0, 8.0, jitter=lambda: 1.0)
    for _ in range(5_000):
        backoff.next()
    assert backoff.next() == 8.0
