"""What a watcher has yet to read: exactly once, in order, nobody else's, and at the price of what changed."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from headway.core import lifecycle
from headway.core.activity import Activity, State
from headway.core.lifecycle import Report
from headway.core.policy import EVERYTHING, Scope, audiences, visible
from headway.core.view import Kind, Resync, View
from tests.core.witness import Witness

OWNERS = (1, 2)
SCOPES: tuple[Scope, ...] = (EVERYTHING, *OWNERS)


def started(uuid: str, revision: int, owner: int = 1) -> Activity:
    return lifecycle.stamped(lifecycle.start(uuid, "t", owner, float(revision), cancellable=True), revision)


def reported(activity: Activity, revision: int, percent: float = 50) -> Activity:
    return lifecycle.stamped(lifecycle.report(activity, Report(progress=percent), float(revision)), revision)


def finished(activity: Activity, revision: int, state: State = State.SUCCEEDED) -> Activity:
    return lifecycle.stamped(lifecycle.finish(activity, state, float(revision)), revision)


def told(view: View, cursor: int) -> list[tuple[Kind, str, int]]:
    news = view.since(cursor)
    assert not isinstance(news, Resync)
    return [(event.kind, event.activity.uuid, event.revision) for event in news]


def view_of(*activities: Activity, **options: Any) -> View:
    view = View(**options)
    for activity in activities:
        view.apply(activity)
    return view


A1 = started("a", 1)
A3 = reported(A1, 3)
A5 = finished(A3, 5)
B2 = started("b", 2)


# What is told


def test_a_start_a_change_and_an_end_are_told_each() -> None:
    view = view_of(A1)
    assert told(view, 0) == [(Kind.STARTED, "a", 1)]
    view.apply(A3)
    assert told(view, 1) == [(Kind.UPDATED, "a", 3)]
    view.apply(A5)
    assert told(view, 3) == [(Kind.ENDED, "a", 5)]
    assert told(view, 5) == []


def test_who_was_away_learns_of_start_and_end_but_of_no_report_in_between() -> None:
    assert told(view_of(A1, B2, A3, A5), 0) == [(Kind.STARTED, "a", 1), (Kind.STARTED, "b", 2), (Kind.ENDED, "a", 5)]


def test_a_start_stands_where_it_happened() -> None:
    # "a" changed last, but it started first: "b" must not seem to be the older one.
    assert told(view_of(A1, B2, A3), 0) == [(Kind.STARTED, "a", 1), (Kind.STARTED, "b", 2)]


def test_a_start_told_with_its_end_looks_like_a_start() -> None:
    news = view_of(A1, A3, A5).since(0)
    assert isinstance(news, list)
    assert [event.activity.state for event in news] == [State.RUNNING, State.SUCCEEDED]


def test_an_end_after_the_cursor_is_told_alone_when_the_start_was_before_it() -> None:
    assert told(view_of(A1, A3, A5), 1) == [(Kind.ENDED, "a", 5)]


def test_reading_may_stop_after_any_event() -> None:
    view = view_of(A1, B2, A3)
    assert told(view, 1) == [(Kind.STARTED, "b", 2), (Kind.UPDATED, "a", 3)]
    assert told(view, 2) == [(Kind.UPDATED, "a", 3)]


def test_records_come_in_order_or_not_at_all() -> None:
    view = view_of(A1, A3)
    with pytest.raises(ValueError, match="revision 3 is not after 3"):
        view.apply(A3)
    with pytest.raises(ValueError, match="revision 2 is not after 3"):
        view.apply(B2)
    assert told(view, 0) == [(Kind.STARTED, "a", 1)]


# What is no longer known


@pytest.mark.parametrize("cursor", [0, 4])
def test_a_cursor_older_than_a_forgotten_end_is_told_to_start_again(cursor: int) -> None:
    view = view_of(A1, B2, A3, A5, tombstones=0)
    assert view.since(cursor) == Resync(5)
    assert told(view, 5) == []
    assert view.get("a") is None


def test_the_oldest_tombstone_goes_first() -> None:
    view = view_of(A1, B2, A3, A5, finished(B2, 6), tombstones=1)
    assert (view.get("a"), view.floor) == (None, 5)
    assert told(view, 5) == [(Kind.ENDED, "b", 6)]


def test_tombstones_expire_by_the_time_of_their_end() -> None:
    view = view_of(A1, B2, A3, A5, finished(B2, 6))
    view.expire(5.0)
    assert view.floor == 0
    view.expire(5.5)
    assert (view.floor, view.get("a")) == (5, None)
    assert view.get("b") is not None


def test_live_activities_never_expire() -> None:
    view = view_of(A1, B2)
    view.expire(1e12)
    assert told(view, 0) == [(Kind.STARTED, "a", 1), (Kind.STARTED, "b", 2)]


def test_a_cursor_from_the_future_was_never_given_out() -> None:
    assert view_of(A1).since(2) == Resync(0)


def test_nothing_is_told_of_an_empty_past() -> None:
    assert View().since(0) == []
    assert View(floor=9).since(9) == []
    assert View(floor=9).since(8) == Resync(9)


# What a store brings back


def test_a_view_takes_in_quiet_activities_that_are_older_than_what_was_forgotten() -> None:
    # "a" has run since revision 1 without a word, while others came, ended and were forgotten, up to revision 9.
    view = view_of(A1, floor=9)
    assert (view.revision, len(view), view.get("a")) == (9, 1, A1)
    assert told(view, 9) == []
    assert view.since(8) == Resync(9)
    view.apply(finished(A1, 10))
    assert told(view, 9) == [(Kind.ENDED, "a", 10)]


def test_records_come_back_in_order_too() -> None:
    view = view_of(A3, floor=9)
    with pytest.raises(ValueError, match="revision 2 is not after 3"):
        view.apply(B2)


def test_live_activities_are_listed_in_order_of_start() -> None:
    # A store brings them back in order of change.
    assert list(view_of(B2, A3).live()) == [A3, B2]
    assert list(view_of(A1, B2, A3).live()) == [A3, B2]


def test_its_state_shows() -> None:
    assert repr(view_of(A1, B2, A3, A5, floor=0)) == "<View revision=5 floor=0 live=1 tombstones=1>"


# What it costs: counted, not timed


class CountingRecords(OrderedDict[str, Activity]):
    """The records of a view, counting how many are looked at."""

    touched = 0

    def values(self) -> Any:
        records = super().values()
        outer = self

        class Counted:
            def __reversed__(self) -> Iterator[Activity]:
                for record in reversed(records):
                    outer.touched += 1
                    yield record

        return Counted()


def counting(view: View) -> CountingRecords:
    records = CountingRecords(view._changed)
    view._changed = records
    return records


@pytest.mark.parametrize("live", [10, 1000])
@pytest.mark.parametrize("reports", [1, 50])
@pytest.mark.parametrize("changed", [0, 1, 7])
def test_since_touches_only_what_changed(live: int, reports: int, changed: int) -> None:
    view = view_of(*(started(f"a{n}", n + 1) for n in range(live)))
    cursor = view.revision
    for _ in range(reports):
        for n in range(changed):
            record = view.get(f"a{n}")
            assert record is not None
            view.apply(reported(record, view.revision + 1))
    records = counting(view)
    assert len(told(view, cursor)) == changed
    assert records.touched <= changed + 1  # the one more is the first that did not change


def test_reading_leaves_nothing_behind_in_the_view() -> None:
    view = view_of(A1, B2, A3, A5)

    def sizes() -> list[int]:
        return [len(value) for value in vars(view).values() if hasattr(value, "__len__")]

    before = sizes()
    for cursor in range(view.revision + 1):
        view.since(cursor)
    assert sizes() == before


# Any sequence of commands with any pattern of reading


class Watcher(Witness):
    """One that begins again with what is live in a view."""

    def __init__(self, scope: Scope, view: View) -> None:
        super().__init__(scope)
        self.resync(view)

    def resync(self, view: View) -> None:
        self.begin(view.revision, view.live())


class Watching(RuleBasedStateMachine):
    """Views with few tombstones, and watchers that read as they please."""

    activities: Bundle[str] = Bundle("activities")
    watchers: Bundle[Watcher] = Bundle("watchers")

    def __init__(self) -> None:
        super().__init__()
        self.revision = 0
        self.now = 0.0
        self.records: dict[str, Activity] = {}
        self.all_watchers: list[Watcher] = []
        self.views = {scope: View(tombstones=3) for scope in SCOPES}

    def commit(self, activity: Activity) -> None:
        self.revision += 1
        record = lifecycle.stamped(activity, self.revision)
        self.records[record.uuid] = record
        for scope in audiences(record):
            self.views[scope].apply(record)

    def within(self, scope: Scope) -> list[Activity]:
        return [record for record in self.records.values() if visible(record, scope)]

    def missed(self, watcher: Watcher) -> bool:
        """True when something changed after the cursor that the view does not know any more."""
        view = self.views[watcher.scope]
        return any(a.revision > watcher.cursor and view.get(a.uuid) is None for a in self.within(watcher.scope))

    # Commands

    @rule(target=activities, owner=st.sampled_from(OWNERS))
    def start(self, owner: int) -> str:
        self.now += 1
        uuid = f"activity-{len(self.records)}"
        self.commit(lifecycle.start(uuid, "t", owner, self.now, cancellable=True))
        return uuid

    @rule(uuid=activities, percent=st.integers(-1, 100))
    def report(self, uuid: str, percent: int) -> None:
        if not self.records[uuid].ended:
            self.commit(lifecycle.report(self.records[uuid], Report(progress=percent), self.now))

    @rule(uuid=activities)
    def cancel(self, uuid: str) -> None:
        if not self.records[uuid].ended and self.records[uuid].cancel is None:
            self.commit(lifecycle.request_cancel(self.records[uuid], self.now))

    @rule(uuid=consumes(activities), state=st.sampled_from([s for s in State if s.ended]))
    def end(self, uuid: str, state: State) -> None:
        self.now += 1
        record = self.records[uuid]
        if state is State.LOST:
            self.commit(lifecycle.expire(record, self.now, "lease_expired"))
        elif state is not State.CANCELLED or record.cancel is not None:
            self.commit(lifecycle.finish(record, state, self.now))

    @rule(age=st.floats(0, 5))
    def forget(self, age: float) -> None:
        for view in self.views.values():
            view.expire(self.now - age)

    @rule(kept=st.integers(0, 4))
    def restart(self, kept: int) -> None:
        """As a store brings it back: what lives, the newest ended ones of each owner, and a floor for the rest."""
        for scope in SCOPES:
            records = sorted(self.within(scope), key=lambda activity: activity.revision)
            ended = [record for record in records if record.ended]
            forgotten = ended[: max(0, len(ended) - kept)]
            floor = max((record.revision for record in forgotten), default=0)
            self.views[scope] = View(floor=floor, tombstones=3)
            for record in records:
                if record not in forgotten:
                    self.views[scope].apply(record)

    # Reading

    @rule(target=watchers, scope=st.sampled_from(SCOPES))
    def watch(self, scope: Scope) -> Any:
        self.all_watchers.append(Watcher(scope, self.views[scope]))
        return multiple(self.all_watchers[-1])

    @rule(watcher=watchers, patience=st.integers(0, 4))
    def read(self, watcher: Watcher, patience: int) -> None:
        """Read on, and perhaps stop after an event, to go on from there another time."""
        view = self.views[watcher.scope]
        missed = self.missed(watcher)
        news = view.since(watcher.cursor)
        assert isinstance(news, Resync) is missed, "a gap is told exactly when there is one"
        if isinstance(news, Resync):
            watcher.resync(view)
            return
        for event in news[:patience]:
            watcher.take(event)

    @rule(watcher=watchers)
    def catch_up(self, watcher: Watcher) -> None:
        """Read until nothing is left."""
        view = self.views[watcher.scope]
        while news := view.since(watcher.cursor):
            assert isinstance(news, Resync) is self.missed(watcher)
            if isinstance(news, Resync):
                watcher.resync(view)
                continue
            for event in news:
                watcher.take(event)
        assert watcher.cursor == view.revision
        assert watcher.replica == {a.uuid: a for a in self.within(watcher.scope) if not a.ended}

    def teardown(self) -> None:
        for watcher in self.all_watchers:
            self.catch_up(watcher)

    @invariant()
    def the_live_set_is_what_the_records_say(self) -> None:
        for scope, view in self.views.items():
            live = [record for record in self.within(scope) if not record.ended]
            assert list(view.live()) == sorted(live, key=lambda activity: activity.started_revision)
            assert len(view) == len(live)


Watching.TestCase.settings = settings(max_examples=settings().max_examples * 3 // 2, stateful_step_count=40)
TestWatching = Watching.TestCase
