"""Everyone who watches: that all are bidden farewell, and nothing is left of those who have left."""

from __future__ import annotations

from headway.server.ending import Ending
from tests.server.stage import staged, turns


async def test_the_farewell_ends_everyone_and_tells_event_streams_when_to_return() -> None:
    async with staged() as stage:
        streams, socket = [stage.join() for _ in range(5)], stage.join(transport="websocket")
        streams[0].go()
        await stage.broadcaster.farewell(0.05)
        for stream in streams[1:]:
            ((ending, last),) = stream.endings
            assert (ending, last.split(b"\r\n")[1].startswith(b"retry: ")) == (Ending.STOPPING, True)
        assert len({stream.endings[0][1] for stream in streams[1:]}) > 1, "not all at the same time"
        assert socket.endings == [(Ending.STOPPING, b"")]
        assert streams[0].endings == []


async def test_nothing_is_left_when_the_last_has_left() -> None:
    async with staged() as stage:
        connections = [stage.join(scope) for scope in (1, 1, 2)]
        assert (stage.tasks, len(stage.broadcaster)) == ({"headway-broadcast", "headway-ping"}, 3)
        stage.world.start("a")  # and is on its way to them
        for connection in connections:
            connection.go()
            connection.go()
        await turns()
        assert (stage.tasks, len(stage.broadcaster), len(stage.world.channels)) == (set(), 0, 0)
        assert stage.released == connections
        assert repr(stage.broadcaster) == "<Broadcaster watchers=0 channels=0>"
        again = stage.join()
        stage.world.start("b")
        await turns()
        assert again.told() == [("started", "b")]
