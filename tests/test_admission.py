"""May another start? Counted are also those on their way; and ids that only the server can make."""

import uuid as uuids

import pytest

from headway.admission import Admission, Limits, uuid_of
from headway.core import lifecycle
from headway.core.errors import InvalidInput, TooMany, Unavailable
from headway.live import Live
from headway.registry import Registry


def admission(**limits: int) -> Admission:
    return Admission(Limits(**limits), Registry(lambda: 0.0))


def live(parent: Live | None = None) -> Live:
    made = Live(lifecycle.start("a", "t", 1, 0.0), 0.0)
    made.parent = parent
    return made


def test_starts_on_their_way_take_room_and_give_it_back() -> None:
    gate = admission(live_per_owner=2)
    with gate.admit(1), gate.admit(1):
        with pytest.raises(TooMany, match=r"^2 activities of this user are live; end some first$"):
            gate.admit(1).__enter__()
        with gate.admit(2):
            pass
    with gate.admit(1), gate.admit(1):
        pass


def test_the_server_has_room_for_so_many_whosever_they_are() -> None:
    gate = admission(live=2)
    with gate.admit(1), gate.admit(2), pytest.raises(Unavailable, match=r"^2 activities are live on this server; try"):
        gate.admit(3).__enter__()


def test_a_start_that_fails_gives_its_room_back() -> None:
    gate = admission(live=1)
    for _ in range(3):
        with pytest.raises(ValueError, match="no"), gate.admit(1):
            raise ValueError("no")


@pytest.mark.parametrize("children", [999, 1_000])
def test_a_thousand_children_are_enough(children: int) -> None:
    parent = live()
    parent.children = {str(number) for number in range(children)}
    if children < 1_000:
        admission().admit_child(parent)
        return
    with pytest.raises(TooMany, match=r"^parentUUID: 1000 children of this activity are live; end some first$"):
        admission().admit_child(parent)


def test_eight_levels_are_enough() -> None:
    deepest = live()
    for _ in range(6):
        deepest = live(deepest)
    admission().admit_child(deepest)
    with pytest.raises(InvalidInput, match=r"^parentUUID: activity a is on level 8 .*, and a tree has at most 8$"):
        admission().admit_child(live(deepest))


def test_the_same_key_is_the_same_id_for_the_same_owner_and_secret_only() -> None:
    uuid = uuid_of(b"s" * 32, 1, "nightly")
    assert uuid == uuid_of(b"s" * 32, 1, "nightly")
    others = {uuid_of(b"s" * 32, 2, "nightly"), uuid_of(b"t" * 32, 1, "nightly"), uuid_of(b"s" * 32, 1, "nightly ")}
    assert uuid not in others and len(others) == 3
    assert uuids.UUID(uuid).version == 4


def test_an_owner_and_a_key_cannot_be_mistaken_for_others() -> None:
    assert uuid_of(b"s", 1, "1\0a") != uuid_of(b"s", 11, "\0a")
    assert uuid_of(b"s", 1, "\ud800")  # whatever a header held
