"""The record itself: what it tells about its end, and that nobody can change it."""

import msgspec
import pytest

from headway.core.activity import Activity, CancelRequest, State
from headway.core.progress import Progress

RUNNING = Activity(uuid="a", type="library.scan", owner=1, started_at=10.0, updated_at=10.0)


@pytest.mark.parametrize("state", State)
def test_four_states_are_ends_and_two_are_not(state: State) -> None:
    expected = state.value in ("succeeded", "failed", "cancelled", "lost")
    assert state.ended is expected
    assert msgspec.structs.replace(RUNNING, state=state).ended is expected


def test_a_record_cannot_be_modified() -> None:
    with pytest.raises(AttributeError):
        RUNNING.title = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        RUNNING.progress.fraction = 1.0  # type: ignore[misc]


def test_the_fence_is_the_state_and_the_epoch() -> None:
    assert RUNNING.fence == (State.RUNNING, 0)
    assert msgspec.structs.replace(RUNNING, state=State.LOST, epoch=3).fence == (State.LOST, 3)


def test_a_record_survives_json_with_every_member_set() -> None:
    full = Activity(
        uuid="a",
        type="library.scan",
        owner=7,
        started_at=1.5,
        updated_at=2.5,
        title="Scanning",
        subtitle="A–B",
        cancellable=True,
        state=State.FAILED,
        progress=Progress(0.5, 5.0, 10.0, "files", 1.0, 5.0, 2.0),
        context={"key": "1", "count": 2, "ratio": 0.5, "whole": 1.0, "flag": True},
        response={"found": 3},
        error="no",
        parent="b",
        cancel=CancelRequest(at=2.0, by=1, reason="because"),
        overdue=True,
        grace=3.0,
        ended_at=2.5,
        reported_at=2.0,
        lease=30.0,
        epoch=2,
        node="n",
        fingerprint="f",
        started_revision=4,
        revision=9,
    )
    assert msgspec.json.decode(msgspec.json.encode(full), type=Activity) == full
    assert msgspec.json.decode(msgspec.json.encode(RUNNING), type=Activity) == RUNNING
