"""The history as the full-screen view reads it."""

from headway.cli.tui.model import Model
from headway.cli.tui.past import Past
from headway.client.calls import Page
from headway.testing.clock import FakeClock
from tests.cli.tui.fake_feed import ended, made, snapshot


def shown(past: Past) -> str:
    return " ".join(place.uuid for place in past.places())


def test_pages_follow_each_other_and_what_ended_since_stands_above() -> None:
    model = Model(FakeClock())
    past = Past(model)
    model.apply(ended("d"))
    past.add(Page([made("d", state="succeeded"), made("c", state="failed")], "2"))
    model.apply(ended("e"))
    assert (shown(past), past.cursor) == ("e d c", "2")
    past.add(Page([made("b", state="lost")], None))
    assert (shown(past), past.cursor) == ("e d c b", None)
    assert past.line(past.places()[-1]).word == "lost"


def test_an_empty_page_is_the_last_whatever_it_says() -> None:
    past = Past(Model(FakeClock()))
    past.add(Page([], "more"))
    assert past.cursor is None


def test_without_a_history_it_is_what_ended_while_somebody_looked() -> None:
    model = Model(FakeClock())
    model.apply(snapshot(made("a"), made("b")))
    model.apply(snapshot(made("b")))
    assert shown(Past(model)) == "a"


def test_the_filter_holds_for_it_too() -> None:
    model = Model(FakeClock())
    past = Past(model)
    past.add(Page([made("a", state="failed"), made("b", state="succeeded", userID=2)], None))
    assert (shown(past), past.owners) == ("a b", 2)
    model.filter = "state:failed"
    assert (shown(past), past.owners) == ("a", 1)


def test_it_is_the_same_list_while_nothing_ends() -> None:
    past = Past(Model(FakeClock()))
    past.add(Page([made("a", state="failed")], None))
    assert past.places() is past.places()
