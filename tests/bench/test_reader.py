"""The reader notices what is not as it should be, whichever language it is in."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from bench.frame import UNSTAMPED, Protocol, framed, head, stamp
from bench.machine import compiled
from bench.reader import Reader, Reading, watching
from bench.servers import SERVERS, Running, Server, python
from bench.talk import Failed
from headway.server.packing import messages

LOOP = SERVERS["loop"]
WATCHERS = 5


@pytest.fixture(params=["C", "Python"])
def in_c(request: pytest.FixtureRequest) -> bool:
    if request.param == "C" and compiled("reader") is None:
        pytest.skip("there is no C compiler")
    return bool(request.param == "C")


@contextmanager
def watched(
    in_c: bool, server: Server = LOOP, protocol: Protocol = "websocket", stalled: int = 0
) -> Iterator[tuple[Running, Reader]]:
    with ExitStack() as stack:
        running = stack.enter_context(server.running(protocol))
        yield running, stack.enter_context(watching(running, WATCHERS, stalled=stalled, in_c=in_c))


@pytest.mark.parametrize("protocol", ["sse", "websocket"])
def test_everyone_gets_every_frame(in_c: bool, protocol: Protocol) -> None:
    with watched(in_c, protocol=protocol) as (_, reader):
        assert reader.warm().sound
        reading = reader.go(0.05)
    assert reading.sound
    assert reading.frames == reading.samples == reading.publishes * WATCHERS > 0
    assert 0 < reading.p50 <= reading.p99 <= reading.max


def test_frames_come_at_a_rate(in_c: bool) -> None:
    with watched(in_c) as (_, reader):
        reader.warm()
        reading = reader.go(0.1, 50)
    assert reading.sound and reading.publishes == 5


def test_a_frame_that_is_missing_is_lost_for_each(in_c: bool) -> None:
    with watched(in_c) as (running, reader):
        reader.warm()
        reader.count(0.0)
        running.tell(stamp(5, 0))
        reading = _counted(reader, WATCHERS)
    assert (reading.lost, reading.cut, reading.sound) == (3 * WATCHERS, 0, False)


def test_a_frame_that_comes_twice_is_noticed(in_c: bool) -> None:
    with watched(in_c) as (running, reader):
        reader.warm()
        reader.count(0.0)
        running.tell(stamp(1, 0))
        assert _counted(reader, WATCHERS).cut == WATCHERS


def test_a_frame_that_is_cut_is_noticed(in_c: bool) -> None:
    before, _, after = messages([b'{"subtitle":"' + UNSTAMPED.encode() + b'"']).partition(UNSTAMPED.encode())
    server = LOOP._replace(command=lambda protocol, _: python("loop", head(protocol), before, after))
    with watched(in_c, server) as (running, reader):
        running.tell(stamp(1, 1))
        deadline = time.monotonic() + 20
        while (reading := reader.more(0.02)).cut < WATCHERS and time.monotonic() < deadline:
            pass
    assert (reading.cut, reading.frames) == (WATCHERS, 0)


def test_connections_that_end_are_noticed(in_c: bool) -> None:
    with watched(in_c) as (running, reader):
        reader.warm()
        reader.count(0.0)
        running.process.kill()
        deadline = time.monotonic() + 20
        while (reading := reader.more(0.02)).closed < WATCHERS and time.monotonic() < deadline:
            pass
    assert reading.closed == WATCHERS and not reading.sound


def test_the_stalled_read_nothing_and_the_others_everything(in_c: bool) -> None:
    with watched(in_c, stalled=2) as (_, reader):
        reader.warm()
        reading = reader.go(0.05)
    assert reading.sound
    assert reading.frames == reading.publishes * (WATCHERS - 2)
    assert reading.unread >= framed("websocket").size


def test_stamps_without_a_number_only_tell_the_time(in_c: bool) -> None:
    with watched(in_c) as (running, reader):
        reader.warm()
        reader.count(0.0)
        running.tell(UNSTAMPED)
        running.tell(stamp(0, time.monotonic_ns()))
        reading = _counted(reader, 2 * WATCHERS)
    assert (reading.samples, reading.lost, reading.cut) == (WATCHERS, 0, 0)


def test_a_server_that_refuses_is_quoted(in_c: bool) -> None:
    refusing = LOOP._replace(command=lambda *_: python("loop", b"HTTP/1.1 401 Unauthorized\r\n\r\n", b"", b""))
    with pytest.raises(Failed, match="401"), watched(in_c, refusing):
        pass


def test_a_server_that_does_not_start_is_told_of() -> None:
    broken = LOOP._replace(command=lambda *_: python("missing"))
    with pytest.raises(Failed, match="ended with 1"), broken.running("sse"):
        pass


def _counted(reader: Reader, frames: int) -> Reading:
    """What was counted, once so many frames have come."""
    deadline = time.monotonic() + 20
    while (reading := reader.more(0.02)).frames < frames and time.monotonic() < deadline:
        pass
    return reading
