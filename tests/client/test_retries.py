"""Trying again: whether, and after how long."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.client import calls
from headway.client.errors import NoConnection, Unreachable
from headway.client.exchange import Answer, Request
from headway.client.retries import NO_RETRIES, Attempts, Retries
from headway.core.errors import InvalidInput
from headway.wire.errors import Unreadable

BUSY = Answer(503, {})
GET, START = calls.get("u").request, calls.start("a.b").request


def attempts(jitter: float = 1.0, **policy: Any) -> Attempts:
    return Retries(**{"max_elapsed_time": 1_000.0, **policy}).begin(0.0, lambda: jitter)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert attempts().refused(Answer(status, {}), 0.0) is not None


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 409, 500, 501, 507])
def test_what_will_not_pass_stands(status: int) -> None:
    assert attempts().refused(Answer(status, {}), 0.0) is None


def test_which_statuses_may_pass_can_be_said() -> None:
    trying = attempts(status_codes=frozenset((418,)))
    assert trying.refused(Answer(418, {}), 0.0) is not None
    assert trying.refused(BUSY, 0.0) is None


def test_waits_grow_by_the_exponent_up_to_the_longest() -> None:
    trying = attempts(initial_interval=1.0, exponent=3.0, max_interval=20.0)
    assert [trying.refused(BUSY, 0.0) for _ in range(5)] == [1.0, 3.0, 9.0, 20.0, 20.0]


def test_each_has_full_jitter() -> None:
    assert attempts(0.0).refused(BUSY, 0.0) == 0.0
    assert attempts(0.5, initial_interval=4.0).refused(BUSY, 0.0) == 2.0


def test_the_server_s_own_word_comes_before_ours() -> None:
    assert attempts(max_interval=1.0).refused(Answer(429, {"retry-after": "7"}), 0.0) == 7.0


def test_none_is_begun_after_the_time_is_over() -> None:
    trying = attempts(initial_interval=3.0, exponent=1.0, max_elapsed_time=10.0)
    assert [trying.refused(BUSY, now) for now in (0.0, 6.9, 7.1)] == [3.0, 3.0, None]


def test_a_server_that_names_a_time_after_that_is_not_waited_for() -> None:
    assert attempts(max_elapsed_time=10.0).refused(Answer(503, {"retry-after": "3600"}), 0.0) is None


def test_without_retries_everything_stands() -> None:
    trying = NO_RETRIES.begin(0.0)
    assert trying.refused(BUSY, 0.0) is None
    assert trying.unanswered(NoConnection("x"), GET, 0.0) is None


class TestWithoutAnAnswer:
    def test_only_on_demand(self) -> None:
        assert attempts().unanswered(NoConnection("x"), GET, 0.0) is None
        assert attempts(retry_connection_errors=True).unanswered(NoConnection("x"), GET, 0.0) is not None

    @pytest.mark.parametrize(
        ("request_", "repeated"),
        [
            (GET, True),
            (calls.cancel("u").request, True),
            (START, False),
            (calls.start("a.b", key="k").request, True),
            (calls.change("u").request, False),
        ],
        ids=["get", "cancel", "start", "start with a key", "change"],
    )
    def test_what_may_have_been_carried_out_is_repeated_where_that_does_no_harm(
        self, request_: Request, repeated: bool
    ) -> None:
        trying = attempts(retry_connection_errors=True)
        assert (trying.unanswered(Unreachable("x"), request_, 0.0) is not None) is repeated

    def test_what_was_never_sent_is_repeated(self) -> None:
        assert attempts(retry_connection_errors=True).unanswered(NoConnection("x"), START, 0.0) is not None

    def test_an_answer_that_nobody_can_read_is_no_missing_one(self) -> None:
        assert attempts(retry_connection_errors=True).unanswered(Unreadable("x"), GET, 0.0) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"initial_interval": -1.0},
        {"max_interval": -1.0},
        {"max_elapsed_time": -1.0},
        {"exponent": 0.9},
        {"exponent": float("nan")},
        {"exponent": float("inf")},
        {"initial_interval": float("nan")},
        {"strategy": "exponential"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="retries"):
        Retries(**wrong)


@given(
    st.floats(0, 1e9),
    st.floats(0, 1e9),
    st.floats(1, allow_infinity=False),
    st.integers(1, 300),
    st.floats(0, 1),
)
def test_no_wait_is_longer_than_the_longest(
    initial: float, longest: float, exponent: float, failures: int, jitter: float
) -> None:
    policy = Retries(initial_interval=initial, max_interval=longest, exponent=exponent, max_elapsed_time=1e12)
    trying = policy.begin(0.0, lambda: jitter)
    for _ in range(failures):
        wait = trying.refused(BUSY, 0.0)
        assert wait is not None
        assert 0 <= wait <= longest
