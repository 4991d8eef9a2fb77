"""What a node knows of what has ended."""

from __future__ import annotations

import pytest

from headway.core import lifecycle
from headway.core.activity import Activity, State
from headway.core.narrowing import Narrowing
from headway.core.policy import EVERYTHING
from headway.stores.nats_archive import Archive

NARROWINGS = [(Narrowing(), [4, 3, 2, 1]), (Narrowing(type="a"), [3, 1]), (Narrowing(state=State.FAILED), [4, 3])]


def ended(number: int, revision: int, type: str = "t", state: State = State.SUCCEEDED) -> Activity:
    started = lifecycle.start(str(number), type, 1, 1e9)
    return lifecycle.stamped(lifecycle.finish(started, state, 1e9 + number), revision)


@pytest.fixture
def archive() -> Archive:
    made = Archive(0.0)
    made.settled()
    return made


@pytest.mark.parametrize(("wanted", "revisions"), NARROWINGS)
def test_what_cannot_be_wanted_is_left_out(archive: Archive, wanted: Narrowing, revisions: list[int]) -> None:
    for number in range(4):
        state = State.SUCCEEDED if number < 2 else State.FAILED
        archive.add(ended(number, number + 1, "ab"[number % 2], state))
    assert [end.revision for end in archive.newest(EVERYTHING, None, wanted)] == revisions


@pytest.mark.parametrize("worth", [0, 1_000])
def test_what_is_told_again_stands_once_and_last(archive: Archive, monkeypatch: pytest.MonkeyPatch, worth: int) -> None:
    monkeypatch.setattr("headway.stores.nats_archive.GONE", worth)
    for number in range(5):
        archive.add(ended(number, number + 1))
    for number in range(4):
        archive.add(ended(number, number + 10))
    archive.forget(["2"])
    revisions = [13, 11, 10, 5]
    assert [end.revision for end in archive.newest(EVERYTHING, None)] == revisions
    assert [end.revision for end in archive.newest(1, 12)] == revisions[1:]
    assert archive.kept(0.0, 2) == ["1", "3"]
    assert archive.floors(["1", "3"]) == {1: 10}
    assert {end.uuid for end in archive.doomed(0.0, 3)} == {"4"}
    assert list(archive.recent) == ["4", "0", "1", "3"]


def test_much_that_is_told_again_is_taken_out_together(archive: Archive) -> None:
    for again in range(2):
        for number in range(5_000):
            archive.add(ended(number, again * 5_000 + number + 1))
    assert len(archive._order[EVERYTHING]) < 2 * 5_000 + 2
    for again in range(2, 6):
        for number in range(5_000):
            archive.add(ended(number, again * 5_000 + number + 1))
    assert len(archive._order[EVERYTHING]) <= 2 * 5_000 + 2
    assert len(list(archive.newest(EVERYTHING, None))) == 5_000
