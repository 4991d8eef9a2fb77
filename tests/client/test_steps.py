"""Steps that are carried on until something has happened, or time is over."""

from typing import Any

import pytest

from headway.client import calls
from headway.client.errors import Unreachable
from headway.client.exchange import Answer
from headway.client.steps import Close, Emit, Read, Sleep, Steps, exchange, opened, read, until
from tests.client.by_hand import ByHand, Reply, options

REQUEST = options().sendable(calls.identity().request)


def counting(ends: int = 10) -> Steps[None]:
    """Emits the numbers, a second apart."""
    for number in range(ends):
        yield Emit(number)
        yield Sleep(1.0)


def asking() -> Steps[None]:
    yield Emit((yield from exchange(REQUEST)))


def test_each_step_gives_back_what_came_of_it() -> None:
    def steps() -> Steps[list[Any]]:
        return [(yield from exchange(REQUEST)), (yield from opened(REQUEST)), (yield from read(1.0))]

    replies: list[Reply] = [Answer(200, {}), Answer(101, {}), b"x"]
    assert ByHand(*replies).run(steps()) == replies


class TestUntil:
    def test_an_item_stops_it_and_the_steps_can_go_on(self) -> None:
        hand, steps = ByHand(), counting()
        assert hand.run(until(steps, lambda number: number == 2, clock=hand.clock)) is True
        assert hand.now == 2.0
        assert hand.run(until(steps, lambda number: number == 4, clock=hand.clock)) is True
        assert hand.now == 4.0

    def test_so_does_the_end_of_the_steps(self) -> None:
        hand = ByHand()
        assert hand.run(until(counting(3), lambda number: False, clock=hand.clock)) is False
        assert hand.now == 3.0

    def test_items_are_passed_on_only_on_demand(self) -> None:
        silent, telling = ByHand(), ByHand()
        silent.run(until(counting(3), lambda number: number == 2, clock=silent.clock))
        telling.run(until(counting(3), lambda number: number == 2, clock=telling.clock, emit=True))
        assert (silent.emitted, telling.emitted) == ([], [0, 1, 2])

    def test_no_sleep_is_longer_than_what_is_left(self) -> None:
        hand = ByHand()
        assert hand.run(until(counting(), lambda number: False, deadline=2.5, clock=hand.clock)) is False
        assert hand.slept == [1.0, 1.0, 0.5]

    def test_no_read_is_longer_than_what_is_left(self) -> None:
        def reading() -> Steps[None]:
            while True:
                yield from read(30.0)

        hand = ByHand(b"x", None)
        assert hand.run(until(reading(), lambda item: False, deadline=5.0, clock=hand.clock)) is False
        assert hand.steps == [Read(5.0), Read(5.0)]

    def test_no_answer_is_waited_for_longer_either(self) -> None:
        hand = ByHand(Answer(200, {}), Answer(503, {}))
        steps = until(asking(), lambda answer: False, deadline=3.0, clock=hand.clock)
        hand.run(steps)
        hand.run(until(asking(), lambda answer: False, deadline=300.0, clock=hand.clock))
        assert [request.timeout for request in hand.requests] == [3.0, 10.0]

    def test_what_came_at_the_last_moment_counts(self) -> None:
        def one() -> Steps[None]:
            yield Emit((yield from exchange(REQUEST)).status)

        def late(request: object) -> Answer:
            hand.now = 9.0
            return Answer(200, {})

        hand = ByHand(late)
        assert hand.run(until(one(), lambda status: status == 200, deadline=5.0, clock=hand.clock)) is True

    def test_a_time_that_is_over_already_asks_nothing(self) -> None:
        hand = ByHand()
        assert hand.run(until(asking(), bool, deadline=0.0, clock=hand.clock)) is False
        assert hand.steps == []

    def test_trouble_reaches_the_steps_which_may_mend_it(self) -> None:
        def stubborn() -> Steps[None]:
            try:
                yield from exchange(REQUEST)
            except Unreachable:
                yield Close()
                yield Emit("mended")

        hand = ByHand(Unreachable("away"))
        assert hand.run(until(stubborn(), lambda item: item == "mended", clock=hand.clock)) is True
        assert hand.steps[-1] == Close()

    def test_or_not(self) -> None:
        hand = ByHand(Unreachable("away"))
        with pytest.raises(Unreachable, match="away"):
            hand.run(until(asking(), bool, clock=hand.clock))
