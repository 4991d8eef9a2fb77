"""Writing to many connections: who is written what, how often, and who is left out when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core import lifecycle
from headway.core.activity import Activity, State
from headway.core.lifecycle import Report
from headway.server import cohorts
from headway.server.channels import PIECE
from headway.server.cohorts import Direct
from headway.server.ending import Ending
from tests.server.harness import eventually
from tests.server.stage import Connection, Stage, staged, turns


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as made:
        yield made


# Changes


async def test_a_change_is_encoded_once_and_written_once_to_each(stage: Stage) -> None:
    connections = [stage.join() for _ in range(10)]
    stage.world.start("a")
    await turns()
    assert stage.world.encoded == 1
    assert [connection.told() for connection in connections] == [[("started", "a")]] * 10
    assert len({id(data) for connection in connections for data in connection.written}) == 1


async def test_changes_in_between_are_one_write(stage: Stage) -> None:
    connection = stage.join()
    for uuid in "abc":
        stage.world.start(uuid)
    await turns()
    assert len(connection.written) == 1
    assert connection.told() == [("started", uuid) for uuid in "abc"]


async def test_those_of_other_views_are_written_nothing(stage: Stage) -> None:
    hers, his, narrow = stage.join(1), stage.join(2), stage.join(1, type="x")
    stage.world.start("a", 1)
    await turns()
    assert (hers.told(), his.written, narrow.written) == ([("started", "a")], [], [])


async def test_nothing_is_written_where_a_channel_has_nothing_to_tell(stage: Stage) -> None:
    connection = stage.join(type="x")
    stage.world.start("a", type="t")
    await turns()
    stage.world.start("b", type="x")
    await turns()
    assert connection.told() == [("started", "b")]


async def test_one_that_joins_late_catches_up_from_its_cursor_at_once(stage: Stage) -> None:
    for uuid in "abc":
        stage.world.start(uuid)
    connection = stage.join(since=1)
    assert connection.told() == [("started", "b"), ("started", "c")]


async def test_one_that_cannot_be_handed_over_is_no_watcher(stage: Stage) -> None:
    channel = stage.world.join()
    watcher = Direct(stage.broadcaster, channel)
    stage.world.channels.leave(channel)
    assert not watcher.join(lambda reader: None, lambda: ([], 0))
    assert (len(stage.broadcaster), stage.tasks) == (0, set())


# In the middle of a pass


async def test_one_that_joins_in_the_middle_of_a_pass_is_told_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cohorts, "SLICE", 1)
    late: list[Connection] = []
    first, second = stage.join(), stage.join()
    first.on_write = lambda: late.append(stage.join(since=0)) if not late else None
    stage.world.start("a")
    await turns()
    assert [each.told() for each in (first, second, *late)] == [[("started", "a")]] * 3


async def test_one_that_leaves_in_the_middle_of_a_pass_is_not_written_to(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cohorts, "SLICE", 1)
    first, second, third = stage.join(), stage.join(), stage.join()
    first.on_write = second.go
    stage.world.start("a")
    await turns()
    assert (len(first.written), len(second.written), len(third.written)) == (1, 0, 1)
    assert second in stage.released


async def test_those_who_have_read_as_much_share_a_cohort_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohorts, "SLICE", 3)
    connections = [stage.join() for _ in range(9)]
    for turn in range(20):
        away = connections[turn % 9]
        away.pause()
        stage.world.start(f"a{turn}")
        await turns()
        away.resume()
    assert [len(cohort) for cohort in stage.cohorts()] == [3, 3, 3]
    assert [connection.told() for connection in connections] == [[("started", f"a{turn}") for turn in range(20)]] * 9


async def test_one_that_pauses_before_its_turn_catches_up_later_and_one_after_it_goes_on(stage: Stage) -> None:
    before, after = stage.join(), stage.join()
    before.pause()
    after.on_write = after.pause
    stage.world.start("a")
    await turns()
    stage.world.start("b")
    await turns()
    assert (before.told(), after.told()) == ([], [("started", "a")])
    before.resume()
    after.on_write = lambda: None
    after.resume()
    assert before.told() == after.told() == [("started", "a"), ("started", "b")]
    assert len(before.written) == 1


async def test_what_a_paused_one_missed_is_conflated(stage: Stage) -> None:
    connection = stage.join()
    activity = stage.world.start("a")
    await turns()
    connection.pause()
    for progress in range(10):
        activity = stage.world.apply(lifecycle.report(activity, Report(progress=progress), 2.0))
        await turns()
    stage.world.apply(lifecycle.finish(activity, State.SUCCEEDED, 3.0))
    connection.resume()
    assert connection.told() == [("started", "a"), ("ended", "a")]


async def test_much_is_written_in_pieces_until_the_socket_is_full(stage: Stage) -> None:
    reading, stopping = stage.join(), stage.join()
    stopping.on_write = stopping.pause
    uuids = [f"{number:04}" + "x" * 200 for number in range(1_000)]
    for uuid in uuids:
        stage.world.start(uuid)
    await turns()
    assert reading.told() == [("started", uuid) for uuid in uuids]
    sizes = [len(data) for data in reading.written]
    assert all(PIECE <= size < PIECE + 2_000 for size in sizes[:-1])
    assert stopping.written == reading.written[:1]
    stopping.on_write = lambda: None
    stopping.resume()
    assert stopping.written == reading.written
    assert stage.world.encoded == 1_000


async def test_those_who_begin_alike_are_written_the_same_bytes(stage: Stage) -> None:
    stage.world.start("a")
    first, second = stage.join(snapshot=True), stage.join(snapshot=True)
    assert first.written[0] is second.written[0]
    stage.world.start("b")
    third = stage.join(snapshot=True)
    assert len(third.events()[0]["MediaContainer"]["Activity"]) == 2


async def test_one_fault_ends_one_connection_and_nobody_elses(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("Cannot call write() after write_eof()")

    bad, good = stage.join(), stage.join()
    bad.on_write = fail
    for uuid in "ab":
        stage.world.start(uuid)
        await turns()
    assert good.told() == [("started", "a"), ("started", "b")]
    assert bad.endings == [(Ending.FAILED, b"")]
    assert "Cannot call write() after write_eof()" in caplog.text


# Signs of life


async def test_silent_ones_are_given_signs_of_life_only() -> None:
    async with staged(ping=0.01) as stage:
        silent, other = stage.join(silent=True), stage.join()
        stage.world.start("a")
        await eventually(lambda: len(silent.written) > 2 and len(other.written) > 2)
        assert (silent.told(), other.told()) == ([], [("started", "a")])
        assert silent.written[-1] == other.written[-1], "with the newest cursor"


async def test_signs_of_life_are_never_written_to_one_that_is_full() -> None:
    async with staged(ping=0.01) as stage:
        full, other = stage.join(), stage.join()
        full.pause()
        await eventually(lambda: len(other.written) > 2)
        assert full.written == []


async def test_a_websocket_is_given_none_from_here() -> None:
    async with staged(ping=0.01) as stage:
        socket, other = stage.join(transport="websocket"), stage.join()
        await eventually(lambda: len(other.written) > 2)
        assert socket.written == []


async def test_a_sign_of_life_is_given_whenever_its_time_has_come() -> None:
    async with staged(ping=10.0) as stage:
        early, now = stage.join(), asyncio.get_running_loop().time()
        for seconds, signs in ((5.0, 0), (9.5, 1), (13.0, 1), (18.0, 1), (18.6, 2)):
            stage.tick(now + seconds)
            assert len(early.written) == signs


async def test_that_the_store_is_away_and_that_it_is_back_is_said_at_once() -> None:
    async with staged(ping=10.0) as stage:
        stream, socket, now = stage.join(), stage.join(transport="websocket"), asyncio.get_running_loop().time()
        said = []
        for seconds, stage.world.degraded in ((1.0, False), (2.0, True), (3.0, True), (4.0, False), (5.0, False)):
            stage.tick(now + seconds)
            said.append((len(stream.written), len(socket.written)))
        assert said == [(0, 0), (1, 1), (1, 1), (2, 1), (2, 1)]
        assert [b'{"degraded":true}' in sign for sign in stream.written] == [True, False]
        assert b"DegradedNotification" in socket.written[0]


# Ends


async def test_one_that_stays_full_is_cut_off() -> None:
    async with staged(stall=0.01) as stage:
        full, other = stage.join(), stage.join()
        full.pause()
        await eventually(lambda: full.endings == [(Ending.STALLED, b"")])
        assert other.endings == []


@pytest.mark.parametrize("does", [Connection.resume, Connection.go], ids=["drains in time", "has gone"])
async def test_one_that_drains_in_time_or_has_gone_is_not(does: Callable[[Connection], None]) -> None:
    async with staged(stall=0.05) as stage:
        spared, full = stage.join(), stage.join()
        spared.pause()
        does(spared)
        full.pause()
        await eventually(lambda: full.endings != [])
        assert spared.endings == []


async def test_one_too_far_behind_is_ended_unless_it_understands_a_resync(stage: Stage) -> None:
    plain, asking = stage.join(transport="websocket", cursors=False), stage.join()
    stage.world.start("a")
    stage.world.feed(1).view.floor = 1
    await turns()
    assert (plain.endings, plain.written) == ([(Ending.BEHIND, b"")], [])
    assert [list(data) for data in asking.events()] == [["reason"], ["MediaContainer"]]


def watcher_of(connection: Connection) -> Direct:
    assert isinstance(connection.reader, Direct)
    return connection.reader


async def test_an_end_is_said_once_and_nothing_is_written_behind_it(stage: Stage) -> None:
    connection, other = stage.join(), stage.join()
    for ending in (Ending.REVOKED, Ending.STOPPING, Ending.STALLED):
        watcher_of(connection).end(ending)
    stage.world.start("a")
    await turns()
    assert (connection.endings, connection.written) == ([(Ending.REVOKED, b"")], [])
    connection.resume()
    connection.go()
    assert (connection.written, stage.released) == ([], [connection])
    assert other.told() == [("started", "a")]


# All of it, in any order

Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start", "report", "end", "join", "resume since", "pause", "resume", "leave", "turn"]),
        st.integers(0, 7),
    ),
    max_size=60,
)


class Play:
    """Steps taken on a stage, and what each connection should have been told."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.activities: list[Activity] = []
        self.history: list[tuple[str, str]] = []
        """Lifecycle events in order; their revisions and those of reports are the positions."""
        self.positions: list[int] = []
        self.watching: dict[Connection, int] = {}
        self.gone: dict[Connection, int] = {}

    async def take(self, step: Step) -> None:
        name, which = step
        live = [activity for activity in self.activities if not activity.ended]
        watching = list(self.watching)
        if name == "start":
            self._note("started", self.stage.world.start(str(len(self.activities))))
        elif name == "report" and live:
            self._replace(lifecycle.report(live[which % len(live)], Report(progress=which), 2.0))
        elif name == "end" and live:
            ended = self._replace(lifecycle.finish(live[which % len(live)], State.FAILED, 3.0))
            self._note("ended", ended)
        elif name in ("join", "resume since"):
            position = self.stage.world.feed(1).view.revision
            since = position if name == "join" else min(which, position)
            self.watching[self.stage.join(since=since)] = since
        elif name == "turn":
            await turns(which)
        elif watching:
            connection = watching[which % len(watching)]
            if name == "leave":
                connection.go()
                self.gone[connection] = self.watching.pop(connection)
            else:
                (connection.pause if name == "pause" else connection.resume)()

    def expected(self, since: int) -> list[tuple[str, str]]:
        return [event for event, position in zip(self.history, self.positions, strict=True) if position > since]

    def _note(self, kind: str, activity: Activity) -> None:
        self.history.append((kind, activity.uuid))
        self.positions.append(activity.revision)
        self.activities = [each for each in self.activities if each.uuid != activity.uuid] + [activity]

    def _replace(self, changed: Activity) -> Activity:
        record = self.stage.world.apply(changed)
        self.activities = [record if each.uuid == record.uuid else each for each in self.activities]
        return record

    async def end(self) -> None:
        for connection in self.watching:
            connection.resume()
        await turns()

    def check(self) -> None:
        for connection, since in self.gone.items():
            told = lifecycle_told(connection)
            assert told == self.expected(since)[: len(told)]
        for connection, since in self.watching.items():
            assert lifecycle_told(connection) == self.expected(since)
            newest = {told["uuid"]: told["Activity"] for told in connection.notifications()}
            for activity in self.activities:
                if activity.revision <= since:
                    assert activity.uuid not in newest
                else:
                    row = newest[activity.uuid]
                    assert (row["state"], row["progress"]) == (activity.state.value, activity.progress.percent)


def lifecycle_told(connection: Connection) -> list[tuple[str, str]]:
    return [told for told in connection.told() if told[0] != "updated"]


async def play(steps: list[Step]) -> None:
    async with staged() as stage:
        played = Play(stage)
        for step in steps:
            await played.take(step)
        await played.end()
        played.check()


@settings(max_examples=2 * settings().max_examples)
@given(STEPS)
def test_everyone_is_told_each_lifecycle_event_once_and_in_order_whatever_happens(steps: list[Step]) -> None:
    asyncio.run(play(steps))
