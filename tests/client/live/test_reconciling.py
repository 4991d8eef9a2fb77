"""A stream without cursors, made whole: whatever is lost on the way, each activity starts once and ends once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.client.live import reconciling
from headway.client.live.narrowing import Narrowing
from headway.client.live.reconciling import Reconciler
from headway.client.live.replica import Replica
from headway.core.view import Kind
from headway.wire.decode import row_from
from headway.wire.notifications import ActivityNotification, Notification, OtherNotification
from headway.wire.row import Row
from tests.client.scripted_server import OTHER, UUID
from tests.client.streams import plex_row, told
from tests.client.world import GOES_WRONG, HAPPENS, World

NOW = 1_000.0


def made(uuid: str = UUID, **members: Any) -> Row:
    return row_from(plex_row(uuid, **members))


class Watcher:
    """Takes in what it is told, as a watch does."""

    def __init__(self, **wanted: Any) -> None:
        self.replica = Replica()
        self.reconciler = Reconciler(self.replica, Narrowing(**wanted), lambda: NOW)
        self.told: list[Notification] = []

    def listed(self, *rows: Row) -> list[tuple[str, list[str]]]:
        return self._take(self.reconciler.listed(list(rows)))

    def heard(self, kind: Kind, row: Row) -> list[tuple[str, list[str]]]:
        return self._take(self.reconciler.heard(ActivityNotification(kind, row)))

    def _take(self, notifications: Any) -> list[tuple[str, list[str]]]:
        found = []
        for notification in notifications:
            assert self.replica.apply(notification) == []  # nothing that the reconciler has not told
            found.append(notification)
        self.told += found
        return [told(each) for each in found]


class TestWhatIsTold:
    def test_an_end_that_was_missed_comes_before_the_list(self) -> None:
        watcher = Watcher()
        watcher.listed(made(), made(OTHER))
        assert watcher.listed(made(OTHER)) == [("ended", [UUID]), ("snapshot", [OTHER])]

    def test_what_was_known_is_updated_and_what_was_not_has_started(self) -> None:
        watcher = Watcher()
        watcher.listed(made())
        assert watcher.heard(Kind.STARTED, made(progress=3)) == [("updated", [UUID])]
        assert watcher.heard(Kind.UPDATED, made(OTHER)) == [("started", [OTHER])]

    def test_an_end_comes_once(self) -> None:
        watcher = Watcher()
        watcher.listed(made())
        assert watcher.listed() == [("ended", [UUID]), ("snapshot", [])]
        assert watcher.heard(Kind.UPDATED, made(progress=99)) == []
        assert watcher.heard(Kind.ENDED, made(progress=100)) == []

    def test_a_life_that_nobody_saw_begin_ends_all_the_same(self) -> None:
        assert Watcher().heard(Kind.ENDED, made()) == [("ended", [UUID])]

    def test_one_that_only_seemed_to_be_over_goes_on(self) -> None:
        watcher = Watcher()
        watcher.listed(made())
        watcher.heard(Kind.ENDED, made())
        assert watcher.listed(made()) == [("snapshot", [UUID])]
        assert watcher.heard(Kind.ENDED, made()) == [("ended", [UUID])]

    def test_what_is_no_activity_passes(self) -> None:
        other = OtherNotification("playing", {})
        assert list(Watcher().reconciler.heard(other)) == [other]


class TestNarrowing:
    def test_what_is_not_wanted_is_not_told(self) -> None:
        watcher = Watcher(type="a.b")
        assert watcher.listed(made(type="a.b"), made(OTHER, type="butler")) == [("snapshot", [UUID])]
        assert watcher.heard(Kind.UPDATED, made(OTHER, type="butler")) == []
        assert watcher.heard(Kind.ENDED, made(OTHER, type="butler")) == []

    def test_what_becomes_wanted_has_started(self) -> None:
        watcher = Watcher(context={"librarySectionID": "3"})
        assert watcher.heard(Kind.STARTED, made()) == []
        assert watcher.heard(Kind.UPDATED, made(Context={"librarySectionID": "3"})) == [("started", [UUID])]

    def test_what_was_wanted_once_is_told_to_its_end(self) -> None:
        watcher = Watcher(context={"librarySectionID": "3"})
        watcher.listed(made(Context={"librarySectionID": "3"}))
        assert watcher.heard(Kind.UPDATED, made()) == [("updated", [UUID])]
        assert watcher.listed(made()) == [("snapshot", [UUID])]
        assert watcher.heard(Kind.ENDED, made()) == [("ended", [UUID])]

    def test_a_number_is_as_good_as_its_text(self) -> None:
        assert Watcher(context={"librarySectionID": "3"}).listed(made(Context={"librarySectionID": 3})) != []


class TestHowItEnded:
    def last(self, watcher: Watcher) -> Row:
        return next(each.row for each in watcher.told[::-1] if isinstance(each, ActivityNotification))

    @pytest.mark.parametrize(("progress", "state"), [(100, "succeeded"), (99, None), (-1, None)])
    def test_at_100_it_has_succeeded(self, progress: int, state: str | None) -> None:
        watcher = Watcher()
        watcher.heard(Kind.ENDED, made(progress=progress))
        assert (self.last(watcher).state, self.last(watcher).ended_at) == (state, NOW)

    def test_of_one_that_nobody_saw_end_nobody_knows(self) -> None:
        watcher = Watcher()
        watcher.listed(made(progress=100))
        watcher.listed()
        assert (self.last(watcher).state, self.last(watcher).ended_at) == (None, NOW)


def test_the_memory_of_what_has_ended_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "REMEMBERED", 2)
    watcher = Watcher()
    for number in range(3):
        watcher.heard(Kind.ENDED, made(f"u{number}"))
    assert watcher.heard(Kind.ENDED, made("u2")) == []
    assert watcher.heard(Kind.ENDED, made("u0")) == [("ended", ["u0"])]


class Watched(World):
    """With a watcher at the end of the stream."""

    def __init__(self) -> None:
        super().__init__()
        self.watcher = Watcher()
        self.has_listed = False

    def connect(self, number: int) -> None:
        """What was on its way is gone; from now on the stream tells, and the list is asked for later."""
        self.underway.clear()
        self.has_listed = False

    def list(self, number: int) -> None:
        if not self.has_listed:
            self.has_listed = True
            self.watcher.listed(*map(row_from, self.live.values()))

    def deliver(self, number: int) -> None:
        for kind, row in self.delivered(number) if self.has_listed else ():
            self.watcher.heard(kind, row_from(row))


STEPS = (*HAPPENS, *GOES_WRONG, "connect", "list", "deliver")


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 99)), max_size=60))
def test_whatever_is_lost_or_late_each_activity_starts_once_and_ends_once(steps: list[tuple[str, int]]) -> None:
    world = Watched()
    for step, number in [*steps, ("connect", 0), ("list", 0)]:
        getattr(world, step)(number)
    assert {row.uuid: row for row in world.watcher.replica} == {uuid: row_from(row) for uuid, row in world.live.items()}
    world.require_true(world.watcher.told)
