"""Channels: what is encoded once for all who have read equally far."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headway.core import lifecycle
from headway.core.activity import State
from headway.core.lifecycle import Report
from headway.server.channels import PIECE, SNAPSHOT_AGE, Channel, Frames, Gap
from tests.server.feeds import World


def read(channel: Channel[Frames], cursor: int) -> tuple[Any, int]:
    """What there is to read, which is little, and where that leads to."""
    ((frames, after),) = channel.read(cursor)
    return frames, after


def unpacked(frames: Frames) -> Frames:
    return frames


@pytest.fixture
def world() -> World:
    return World(unpacked)


def test_whoever_has_read_equally_far_is_given_the_same_bytes(world: World) -> None:
    channel, same = world.join(), world.join()
    assert channel is same
    world.start("a")
    first, second = read(channel, 0), read(same, 0)
    assert first[0] is second[0]
    assert first[0][0] is second[0][0]
    assert world.encoded == 1


@pytest.mark.parametrize(
    "other",
    [
        {"scope": 2},
        {"transport": "websocket"},
        {"cursors": False},
        {"silent": True},
        {"direct": False},
        {"type": "x"},
        {"context": (("a", "b"),)},
    ],
)
def test_whoever_wants_something_else_has_another_channel(world: World, other: dict[str, Any]) -> None:
    assert world.join() is not world.join(**other)
    assert len(world.channels) == 2


def test_a_row_is_encoded_once_for_all_channels(world: World) -> None:
    channels = [world.join(), world.join(transport="websocket"), world.join(type="t"), world.join(cursors=False)]
    world.start("a")
    for channel in channels:
        assert len(read(channel, 0)[0]) == 1
    assert world.encoded == 1


def test_reading_leads_to_the_newest_position_whatever_is_narrowed_out(world: World) -> None:
    channel = world.join(type="wanted")
    wanted = world.start("a", type="wanted")
    world.start("b")
    frames, cursor = read(channel, 0)
    assert (len(frames), cursor, channel.position) == (1, 2, 2)
    assert read(channel, cursor) == (None, 2)
    world.apply(lifecycle.report(wanted, Report(progress=5), 2.0))
    assert [b'"updated"' in frame for frame in read(channel, cursor)[0]] == [True]


def test_whoever_stops_after_a_piece_misses_nothing_by_going_on_from_its_cursor(world: World) -> None:
    channel = world.join()
    early = world.start("early" + "x" * 1_000)
    for number in range(200):
        world.start(f"{number:03}" + "x" * 1_000)
    changed = world.apply(lifecycle.report(early, Report(progress=7), 2.0))
    world.apply(lifecycle.report(world.start("last"), Report(progress=5), 2.0))
    pieces = channel.read(0)
    assert len(pieces) > 5
    assert all(PIECE <= sum(map(len, frames or [])) < PIECE + 2_000 for frames, _ in pieces[:-1])
    assert pieces[-1][1] == channel.position
    for at, (_, cursor) in enumerate(pieces[:-1]):
        # Of one that changed since, another may learn for the first time what these were told with its start.
        read_on = [frame for frames, _ in channel.read(cursor) for frame in frames or []]
        rest = [frame for frame in read_on if changed.uuid.encode() not in frame]
        assert rest == [frame for frames, _ in pieces[at + 1 :] for frame in frames or []]


def test_whoever_goes_on_after_a_piece_is_given_the_same_bytes_as_those_who_did_not_stop(world: World) -> None:
    channel = world.join()
    for number in range(200):
        world.start(f"{number:03}" + "x" * 1_000)
    pieces = channel.read(0)
    for at, (_, cursor) in enumerate(pieces[:-1], 1):
        assert all(one is other for one, other in zip(channel.read(cursor), pieces[at:], strict=True))


def test_what_was_encoded_is_forgotten_when_the_view_changes(world: World) -> None:
    channel = world.join()
    started = world.start("a")
    before = read(channel, 0)
    world.apply(lifecycle.finish(started, State.SUCCEEDED, 2.0))
    after = read(channel, 0)
    assert [len(frames) for frames, _ in (before, after)] == [1, 2]
    assert [b'"started"' in after[0][0], b'"ended"' in after[0][1]] == [True, True]


def test_events_carry_the_cursor_behind_them(world: World) -> None:
    channel = world.join()
    world.start("a")
    world.start("b")
    ids = [frame.rpartition(b"id: ")[2].strip().decode() for frame in read(channel, 0)[0]]
    assert [world.cursors.open(1, id) for id in ids] == [1, 2]


def test_a_channel_without_cursors_tells_none(world: World) -> None:
    channel = world.join(transport="websocket", cursors=False)
    world.start("a")
    assert b"cursor" not in read(channel, 0)[0][0]


def container(frames: Any) -> Any:
    """The state that a snapshot tells."""
    (frame,) = frames
    assert frame.startswith(b"event: snapshot\ndata: ")
    return json.loads(frame.split(b"\n")[1].removeprefix(b"data: "))["MediaContainer"]


def behind(world: World, frame: bytes) -> int | None:
    """The position that a frame's cursor stands for."""
    return world.cursors.open(1, frame.rpartition(b"id: ")[2].strip().decode())


def test_a_gap_is_told_with_the_present_state(world: World) -> None:
    channel = world.join(type="t")
    world.start("a")
    world.start("hidden", type="x")
    world.feed(1).view.floor = 1
    (resync, again), (snapshot, cursor) = channel.read(0)
    assert resync is not None
    assert (len(resync), again) == (1, 0), "who got no further than to the word of the gap is told all of it again"
    assert (resync[0].startswith(b"event: resync\n"), b"id:" in resync[0]) == (True, False)
    assert (container(snapshot)["size"], cursor) == (1, 2)
    assert behind(world, (snapshot or [])[0]) == 2


def test_those_behind_different_gaps_are_given_one_snapshot(world: World) -> None:
    channel = world.join()
    for uuid in "abcdef":
        world.start(uuid)
    world.feed(1).view.floor = 5
    assert len({id(channel.read(cursor)[1][0]) for cursor in range(5)}) == 1


def test_a_large_snapshot_is_given_for_a_second_with_what_changed_behind_it(world: World) -> None:
    channel = world.join()
    for number in range(40):
        world.start(f"{number:03}" + "x" * 1_000)
    first, position = channel.snapshot()
    assert container(first)["size"] == 40
    world.now = SNAPSHOT_AGE - 0.1
    world.start("late")
    assert channel.snapshot() == (first, position)
    assert channel.snapshot()[0] is first
    ((news, cursor),) = channel.read(position)
    assert (len(news or []), cursor) == (1, 41)
    world.feed(1).view.floor = 40
    (_, (snapshot, at), (missed, end)) = channel.read(0)
    assert (snapshot is first, at, missed, end) == (True, 40, news, 41)
    world.now = SNAPSHOT_AGE
    assert container(channel.snapshot()[0])["size"] == 41


def test_one_that_has_been_forgotten_too_much_behind_is_not(world: World) -> None:
    channel = world.join()
    for number in range(40):
        world.start(f"{number:03}" + "x" * 1_000)
    channel.snapshot()
    world.start("late")
    world.feed(1).view.floor = 41
    assert container(channel.snapshot()[0])["size"] == 41
    assert [after for _, after in channel.read(0)] == [0, 41]


def test_a_small_snapshot_is_always_of_now(world: World) -> None:
    channel = world.join()
    for size in range(3):
        assert container(channel.snapshot()[0])["size"] == size
        world.start(str(size))


def test_a_gap_ends_those_who_would_not_understand(world: World) -> None:
    channel = world.join(transport="websocket", cursors=False)
    world.start("a")
    world.feed(1).view.floor = 1
    with pytest.raises(Gap):
        read(channel, 0)


def test_a_silent_channel_has_nothing_to_tell_but_where_it_is(world: World) -> None:
    channel = world.join(silent=True)
    world.start("a")
    world.feed(1).view.floor = 1
    assert read(channel, 0) == (None, 1)
    assert channel.ping(1) is not None


def test_a_channel_lasts_as_long_as_its_watchers(world: World) -> None:
    channels = [world.join() for _ in range(3)]
    for left in (1, 1, 0):
        world.channels.leave(channels.pop())
        assert len(world.channels) == left
    again = world.join()
    world.channels.leave(again)
    assert len(world.channels) == 0


@pytest.mark.parametrize(
    ("how", "well", "degraded"),
    [
        ({"transport": "sse"}, b"data: {}", b'data: {"degraded":true}'),
        ({"transport": "sse", "cursors": False}, b"data: {}", b'data: {"degraded":true}'),
        ({"transport": "websocket"}, None, b'{"type":"degraded","size":1,"DegradedNotification":[{}]}'),
        ({"transport": "websocket", "cursors": False}, None, None),
    ],
)
def test_while_the_store_is_away_signs_of_life_say_so(
    world: World, how: dict[str, Any], well: bytes | None, degraded: bytes | None
) -> None:
    channel = world.join(**how)
    for world.degraded, said in [(False, well), (True, degraded), (False, well)]:
        sign = channel.ping(channel.position)
        assert (sign is None) == (said is None)
        assert sign is None or (said is not None and said in sign[0])
