"""The clock that obeys keeps the port's promise: one clock for records, one for durations."""

import pytest

from headway.ports import Clock, SystemClock
from headway.testing import FakeClock


@pytest.mark.parametrize("clock", [FakeClock(), SystemClock()], ids=["fake", "system"])
def test_durations_never_run_backwards(clock: Clock) -> None:
    first = clock.monotonic()
    assert clock.monotonic() >= first
    assert clock.now() > 0


def test_records_are_stamped_to_the_millisecond() -> None:
    now = SystemClock().now()
    assert now == round(now, 3)


def test_time_passes_when_told_and_only_then() -> None:
    clock = FakeClock(now=100.0, monotonic=5.0)
    assert (clock.now(), clock.monotonic()) == (100.0, 5.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (102.5, 7.5)
    with pytest.raises(ValueError, match="does not run backwards"):
        clock.advance(-1)


def test_setting_the_wall_clock_takes_no_time() -> None:
    clock = FakeClock(now=100.0)
    clock.jump(-50.0)
    assert (clock.now(), clock.monotonic()) == (50.0, 0.0)
