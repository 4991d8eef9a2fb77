"""Query arguments and the Prefer header."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.activity import State
from headway.core.errors import InvalidInput
from headway.core.narrowing import EVERYTHING, Narrowing
from headway.wire import query
from headway.wire.prefer import Preferences, parse_prefer
from headway.wire.query import HistoryPage
from tests.wire.strategies import UUID, an_activity


def test_no_argument_narrows_nothing() -> None:
    assert query.list_narrowing([]) == query.stream_narrowing([]) == EVERYTHING
    assert query.history_page([]) == HistoryPage(limit=50)
    assert query.wait([]) is None
    assert query.cursor([], "since") is None
    assert query.flag([], "snapshot") is False


def test_empty_and_unknown_arguments_narrow_nothing() -> None:
    ignored = [("X-Plex-Token", "t"), ("type", ""), ("state", ""), ("q", ""), ("colour", "red")]
    assert query.list_narrowing(ignored) == EVERYTHING


def test_a_list_is_narrowed_by_all_that_is_given() -> None:
    arguments = [
        ("type", "a.b"),
        ("state", "cancelling"),
        ("parentUUID", UUID.upper()),
        ("q", "Straße"),
        ("Context.b", "2"),
        ("Context.a", ""),
        ("userID", "7"),
    ]
    assert query.list_narrowing(arguments) == Narrowing(
        type="a.b", state=State.CANCELLING, parent=UUID, text="strasse", context=(("a", ""), ("b", "2")), owner=7
    )


def test_a_stream_is_narrowed_by_what_does_not_change_with_each_report() -> None:
    arguments = [("type", "a.b"), ("uuid", UUID), ("state", "nonsense"), ("q", "x"), ("Context.a", "1")]
    assert query.stream_narrowing(arguments) == Narrowing(type="a.b", uuid=UUID, context=(("a", "1"),))


def test_narrowings_that_want_the_same_share_a_key() -> None:
    one = query.stream_narrowing([("Context.a", "1"), ("Context.b", "2")])
    other = query.stream_narrowing([("Context.b", "2"), ("Context.a", "1")])
    assert one == other
    assert hash(one) == hash(other)


def test_a_page_of_history() -> None:
    arguments = [("type", "a"), ("state", "lost"), ("q", "X"), ("before", "abc-_="), ("limit", "500")]
    assert query.history_page(arguments) == HistoryPage(Narrowing(type="a", state=State.LOST, text="x"), "abc-_=", 500)


def test_a_known_state_is_any_state_or_none() -> None:
    assert query.known_state([("state", "cancelling"), ("type", "not looked at")]) is State.CANCELLING
    assert query.known_state([("state", "")]) is None


@pytest.mark.parametrize(
    ("parse", "name", "value"),
    [
        (query.list_narrowing, "type", "a b"),
        (query.list_narrowing, "state", "sleeping"),
        (query.list_narrowing, "parentUUID", "x"),
        (query.list_narrowing, "userID", "0"),
        (query.list_narrowing, "userID", "-1"),
        (query.list_narrowing, "userID", "1.0"),
        (query.list_narrowing, "userID", "\u0663"),
        (query.list_narrowing, "userID", "9" * 16),
        (query.list_narrowing, "userID", "9" * 5000),
        (query.list_narrowing, "q", "x" * 257),
        (query.list_narrowing, "Context.1a", "x"),
        (query.list_narrowing, "Context.", "x"),
        (query.known_state, "state", "sleeping"),
        (query.stream_narrowing, "uuid", "../../x"),
        (query.history_page, "limit", "0"),
        (query.history_page, "limit", "501"),
        (query.history_page, "limit", "-1"),
        (query.history_page, "limit", "1.5"),
        (query.history_page, "limit", "٣"),
        (query.history_page, "limit", "9" * 5000),
        (query.history_page, "before", "a b"),
        (query.history_page, "before", "x" * 513),
        (query.wait, "wait", "-1"),
        (query.wait, "wait", "300.1"),
        (query.wait, "wait", "nan"),
        (query.wait, "wait", "inf"),
        (query.wait, "wait", "1e3"),
        (query.wait, "wait", "1e999"),
        (query.wait, "wait", "1_0"),
        (query.wait, "wait", "+1"),
        (query.wait, "wait", " 1"),
        (query.wait, "wait", "٣"),
    ],
)
def test_a_bad_value_is_refused_naming_the_argument(
    parse: Callable[[query.Arguments], object], name: str, value: str
) -> None:
    with pytest.raises(InvalidInput, match=name.partition(".")[0]):
        parse([(name, value)])


@pytest.mark.parametrize("name", ["type", "state", "q"])
def test_an_argument_given_twice_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{name}: is given 2 times$"):
        query.list_narrowing([(name, "running"), (name, "running")])


def test_a_context_member_given_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r'^"Context\.a": is given twice$'):
        query.list_narrowing([("Context.a", "1"), ("Context.a", "1")])


@pytest.mark.parametrize(
    ("value", "seconds"), [("0", 0), ("5", 5), ("0.25", 0.25), ("300", 300), ("300.0", 300), ("1e-05", 1e-05)]
)
def test_wait_is_in_seconds(value: str, seconds: float) -> None:
    assert query.wait([("wait", value)]) == seconds


def test_a_switch_is_on_or_off() -> None:
    assert [query.flag([("snapshot", value)], "snapshot") for value in ("1", "true", "0", "false", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    with pytest.raises(InvalidInput, match=r"^snapshot: must be 1 or 0"):
        query.flag([("snapshot", "yes")], "snapshot")


def test_filters_and_filter_are_one_argument() -> None:
    assert query.filters([("filter", "a"), ("x", "y"), ("filters", "b,c")]).names == {"a", "b", "c"}
    assert not query.filters([]).admits("log")
    assert query.filters([("filters", "")]).admits("log")


ABOUT = an_activity(
    title="Scanning Müsli",
    subtitle="4th Birthday",
    parent=UUID,
    context={"id": "7", "flag": True, "off": False, "size": 12.0, "ratio": 0.5, "count": 3, "empty": ""},
)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [("type", "test.work")],
        [("state", "running")],
        [("parentUUID", UUID)],
        [("q", "MÜSLI")],
        [("q", "birthday")],
        [("q", "test.w")],
        [("q", "0.5")],
        [("userID", str(ABOUT.owner))],
        [("Context.id", "7")],
        [("Context.flag", "true")],
        [("Context.flag", "1")],
        [("Context.off", "0")],
        [("Context.off", "false")],
        [("Context.count", "3")],
        [("Context.ratio", "0.5")],
        [("Context.size", "12")],
        [("Context.empty", "")],
        [("Context.id", "7"), ("Context.count", "3"), ("type", "test.work")],
    ],
)
def test_what_is_asked_for_is_admitted(arguments: query.Arguments) -> None:
    assert query.list_narrowing(arguments).admits(ABOUT)


@pytest.mark.parametrize(
    "arguments",
    [
        [("type", "test")],
        [("state", "cancelling")],
        [("parentUUID", UUID.replace("c", "d"))],
        [("q", "muesli")],
        [("q", "true")],
        [("userID", "999")],
        [("Context.id", "8")],
        [("Context.id", "")],
        [("Context.flag", "0")],
        [("Context.count", "1")],
        [("Context.absent", "")],
        [("Context.id", "7"), ("Context.count", "4")],
    ],
)
def test_what_is_not_asked_for_is_not_admitted(arguments: query.Arguments) -> None:
    assert not query.list_narrowing(arguments).admits(ABOUT)


def test_an_activity_without_context_is_about_nothing() -> None:
    assert not Narrowing(context=(("a", "1"),)).admits(an_activity())


@pytest.mark.parametrize(
    ("header", "preferences"),
    [
        (None, Preferences()),
        ("", Preferences()),
        ("wait=5", Preferences(5)),
        ("wait=5, respond-async", Preferences(5, respond_async=True)),
        ("Respond-Async, WAIT=100", Preferences(100, respond_async=True)),
        ('respond-async=""; x=y , wait = "7"', Preferences(7, respond_async=True)),
        ("wait=5; strict, wait=9", Preferences(5)),
        ("wait=100000", Preferences(300)),
        ("wait=0", Preferences(0)),
        ("wait", Preferences()),
        ("wait=-1", Preferences()),
        ("wait=1.5", Preferences()),
        ("wait=soon, wait=3", Preferences()),
        ('return=minimal; a="x, wait=3"', Preferences(minimal=True)),
        ("return=representation, return=minimal", Preferences()),
        ('a="never closed, wait=3', Preferences()),
        ("handling=lenient,,, ,wait=2", Preferences(2)),
    ],
)
def test_preferences_are_read_as_rfc_7240_says(header: str | None, preferences: Preferences) -> None:
    assert parse_prefer(header) == preferences


@pytest.mark.parametrize("evil", ["a=" + " " * 500_000 + '"', '"\\' * 250_000, "a=b;" * 125_000, "," * 500_000])
def test_a_prefer_header_made_to_be_slow_is_read_like_any_other(evil: str) -> None:
    # A reader that looks at the characters again and again would hang here.
    assert parse_prefer(evil) == Preferences()


@given(st.text() | st.text('wait=5,;" \\respond-async', max_size=60))
def test_any_prefer_header_is_read(header: str) -> None:
    assert 0 <= (parse_prefer(header).wait or 0) <= 300
