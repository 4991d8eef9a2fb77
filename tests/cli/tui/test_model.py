"""What the full-screen view shows, without a screen."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headway.cli import tree
from headway.cli.tui.model import LINGER, STALE, Model
from headway.client.errors import Unreachable
from headway.testing.clock import FakeClock
from headway.wire.row import Row
from tests.cli.tui.fake_feed import ended, made, snapshot, started, updated

GONE = Unreachable("nobody there")


def model(*rows: Row, clock: FakeClock | None = None) -> Model:
    model = Model(clock or FakeClock())
    model.connection(None)
    model.apply(snapshot(*rows))
    return model


def shown(model: Model) -> str:
    return " ".join(place.uuid for place in model.places())


def words(model: Model) -> str:
    return " ".join(model.line(place).word for place in model.places())


class TestOrder:
    def test_parts_stand_below_what_they_are_parts_of(self) -> None:
        of = model(made("a"), made("b"), made("a1", parentUUID="a"), made("a11", parentUUID="a1"))
        assert [(place.uuid, place.depth, place.below) for place in of.places()] == [
            ("a", 0, 2),
            ("a1", 1, 1),
            ("a11", 2, 0),
            ("b", 0, 0),
        ]

    def test_a_change_moves_nothing_not_even_the_list(self) -> None:
        of = model(made("a"), made("b"))
        before = of.places()
        of.apply(updated("a", progress=50))
        assert of.places() is before
        assert of.line(before[0]).row.progress == 50

    def test_what_has_ended_stays_where_it_was_for_a_while(self) -> None:
        clock = FakeClock()
        of = model(made("a"), made("b"), clock=clock)
        of.apply(ended("a", "failed"))
        of.apply(started("c"))
        clock.advance(LINGER - 0.1)
        of.age()
        assert (shown(of), words(of)) == ("a b c", "failed running running")
        clock.advance(0.1)
        of.age()
        assert shown(of) == "b c"
        assert [row.uuid for row in of.ended] == ["a"]

    def test_it_fades_before_it_leaves(self) -> None:
        clock = FakeClock()
        of = model(made("a"), clock=clock)
        of.apply(ended("a"))
        (place,) = of.places()
        assert not of.line(place).fading
        clock.advance(LINGER / 2)
        assert of.line(place).fading

    def test_a_parent_does_not_leave_before_its_parts(self) -> None:
        clock = FakeClock()
        of = model(made("a"), made("a1", parentUUID="a"), clock=clock)
        of.apply(ended("a"))
        clock.advance(LINGER)
        of.age()
        assert shown(of) == "a a1"
        of.apply(ended("a1", parentUUID="a"))
        clock.advance(LINGER)
        of.age()
        assert shown(of) == ""

    def test_what_a_snapshot_lacks_has_ended(self) -> None:
        of = model(made("a"), made("b"))
        of.apply(snapshot(made("b"), made("c")))
        assert (shown(of), words(of)) == ("a b c", "ended running running")

    def test_a_server_that_does_not_say_how_it_ended_is_taken_at_its_word(self) -> None:
        clock = FakeClock(now=1_000.0)
        of = model(made("a", state=None, eta=5, updatedAt=990), clock=clock)
        of.apply(ended("a", None, eta=5, updatedAt=990, cancellable=True))
        (row,) = of.ended
        assert (row.state, row.ended_at, row.eta, row.cancellable) == ("ended", 1_000.0, None, False)

    def test_a_row_that_comes_back_stays(self) -> None:
        clock = FakeClock()
        of = model(made("a"), clock=clock)
        of.apply(ended("a"))
        of.apply(started("a"))
        clock.advance(LINGER)
        of.age()
        assert (shown(of), words(of)) == ("a", "running")


class TestFolding:
    def test_what_is_folded_away_is_counted(self) -> None:
        of = model(made("a"), made("a1", parentUUID="a"), made("b"))
        of.fold("a", folded=True)
        assert shown(of) == "a b"
        line = of.line(of.places()[0])
        assert (line.folded, line.place.below) == (True, 1)
        of.fold("a", folded=False)
        assert shown(of) == "a a1 b"

    def test_all_at_once(self) -> None:
        of = model(made("a"), made("a1", parentUUID="a"), made("a11", parentUUID="a1"), made("b"))
        of.fold_all(folded=True)
        assert shown(of) == "a b"
        of.fold_all(folded=False)
        assert shown(of) == "a a1 a11 b"


class TestFilter:
    def test_what_matches_is_shown_below_what_it_is_a_part_of(self) -> None:
        of = model(
            made("a", title="backup"), made("a1", title="Films", parentUUID="a"), made("a2", parentUUID="a"), made("b")
        )
        of.fold("a", folded=True)
        of.filter = "fILM"
        assert shown(of) == "a a1"
        of.filter = ""
        assert shown(of) == "a b"

    def test_it_follows_what_changes(self) -> None:
        of = model(made("a"), made("b"))
        of.filter = "state:fail"
        assert shown(of) == ""
        of.apply(ended("b", "failed"))
        assert shown(of) == "b"
        of.filter = "running"
        assert shown(of) == "a"


class TestConnection:
    def test_it_connects_lives_is_lost_and_grows_stale(self) -> None:
        clock = FakeClock(now=1_000.0)
        of = Model(clock)
        links = [of.link]
        of.connection(None)
        links.append(of.link)
        of.connection(GONE)
        clock.advance(STALE - 1)
        of.connection(Unreachable("still nobody"))
        links.append(of.link)
        clock.advance(1)
        links.append(of.link)
        of.connection(None)
        links.append(of.link)
        assert links == [
            ("connecting", None, ""),
            ("live", None, ""),
            ("reconnecting", 1_000.0, "still nobody"),
            ("stale", 1_000.0, "still nobody"),
            ("live", None, ""),
        ]

    def test_a_wall_clock_that_is_set_makes_nothing_stale(self) -> None:
        clock = FakeClock()
        of = Model(clock)
        of.connection(GONE)
        clock.jump(86_400)
        assert of.link.word == "reconnecting"


class TestCancel:
    def test_its_stages_are_told_in_turn(self) -> None:
        clock = FakeClock(now=1_000.0)
        of = model(made("a"), clock=clock)
        told = [of.stage("a")]
        of.ask("a", "asking")
        told.append(of.stage("a"))
        of.ask("a", "asked")
        told.append(of.stage("a"))
        of.apply(updated("a", state="cancelling", cancelRequested=True, cancelRequestedAt=998))
        told.append(of.stage("a"))
        of.apply(updated("a", state="cancelling", cancelRequested=True, cancelRequestedAt=998, overdue=True))
        told.append(of.stage("a"))
        of.apply(ended("a", cancelRequested=True))
        told.append(of.stage("a"))
        assert told == [
            None,
            "is being asked to stop",
            "has been asked to stop; no word of it yet",
            "is stopping, since 2s",
            "was asked to stop, its time to do so is over, and it still runs",
            "was asked to stop, but finished its work",
        ]

    def test_a_refusal_takes_the_word_back(self) -> None:
        of = model(made("a"))
        of.ask("a", "asking")
        assert words(of) == "asking"
        of.ask("a", None)
        assert (words(of), of.stage("a")) == ("running", None)

    def test_the_parts_that_will_be_asked_too_are_those_that_run(self) -> None:
        of = model(made("a"), made("a1", parentUUID="a"), made("a2", parentUUID="a"), made("b"))
        of.apply(ended("a1", parentUUID="a"))
        assert [row.uuid for row in of.parts("a")] == ["a2"]
        assert of.parts("nobody") == []


def test_counts_are_of_what_is_shown() -> None:
    of = model(made("a"), made("b", stalled=True), made("c", userID=2))
    of.apply(ended("a", "lost"))
    assert of.counts() == {"lost": 1, "stalled": 1, "running": 1}
    assert of.owners == 2


names = st.sampled_from("abcdefgh")
parents = st.none() | names
steps = st.one_of(
    st.tuples(st.just("row"), names, parents),
    st.tuples(st.just("end"), names, parents),
    st.tuples(st.just("snapshot"), st.lists(st.tuples(names, parents), unique_by=lambda row: row[0]), st.none()),
    st.tuples(st.just("time"), st.floats(0, 2 * LINGER), st.none()),
)


def _made(uuid: str, parent: str | None) -> dict[str, Any]:
    return {} if parent is None else {"parentUUID": parent}


@given(st.lists(steps, max_size=40))
def test_whatever_is_told_each_row_is_shown_once_in_order_and_none_that_lives_is_missing(
    told: list[tuple[str, Any, Any]],
) -> None:
    clock = FakeClock()
    of, live = Model(clock), set[str]()
    for step, what, parent in told:
        if step == "row":
            of.apply(updated(what, **_made(what, parent)))
            live.add(what)
        elif step == "end":
            of.apply(ended(what, **_made(what, parent)))
            live.discard(what)
        elif step == "snapshot":
            of.apply(snapshot(*(made(uuid, **_made(uuid, above)) for uuid, above in what)))
            live = {uuid for uuid, _ in what}
        else:
            clock.advance(what)
            of.age()
        places = of.places()
        uuids = [place.uuid for place in places]
        assert len(set(uuids)) == len(uuids)
        assert live <= set(uuids)
        rows = [of.line(place).row for place in places]
        assert {uuid for uuid, place in zip(uuids, places, strict=True) if place.depth} <= {
            row.uuid for row in rows if row.parent in uuids
        }
        assert sorted(row.uuid for row in tree.ordered(rows)) == sorted(uuids)


@given(st.lists(st.tuples(st.sampled_from(["row", "end"]), names, st.floats(0, LINGER)), max_size=40))
def test_two_that_stay_never_change_places(told: list[tuple[str, str, float]]) -> None:
    clock = FakeClock()
    of = Model(clock)
    before: list[str] = []
    for step, uuid, pause in told:
        of.apply(updated(uuid) if step == "row" else ended(uuid))
        clock.advance(pause)
        of.age()
        after = [place.uuid for place in of.places()]
        assert [uuid for uuid in before if uuid in after] == [uuid for uuid in after if uuid in before]
        before = after
