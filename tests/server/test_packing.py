"""Frames as they stand in a connection's bytes: read again by the parsers of others."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from headway.server import packing

FRAMES = st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5)


class Body:
    """What an HTTP client reads."""

    def __init__(self) -> None:
        self.read = b""

    def on_body(self, body: bytes) -> None:
        self.read += body


def parse(reader: StreamReader) -> Frame:
    """The next frame, all of which has come."""
    parsing = Frame.parse(reader.read_exact, mask=False)
    try:
        next(parsing)
    except StopIteration as done:
        assert isinstance(done.value, Frame)
        return done.value
    raise AssertionError("the frame is longer than what was sent")


@given(st.lists(FRAMES, max_size=4))
def test_chunks_are_read_as_the_frames_one_after_another(passes: list[list[bytes]]) -> None:
    body = Body()
    parser = httptools.HttpResponseParser(body)
    parser.feed_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for frames in passes:
        parser.feed_data(packing.chunk(frames))
    assert body.read == b"".join(b"".join(frames) for frames in passes)


@given(st.lists(FRAMES, max_size=4))
def test_messages_are_read_as_one_each(passes: list[list[bytes]]) -> None:
    reader = StreamReader()
    reader.feed_data(b"".join(packing.messages(frames) for frames in passes))
    reader.feed_eof()
    for frame in (frame for frames in passes for frame in frames):
        read = parse(reader)
        assert (read.opcode, read.fin, bytes(read.data)) == (Opcode.TEXT, True, frame)
    assert not reader.buffer


@pytest.mark.parametrize(
    ("size", "head"),
    [
        *((0, b"\x81\x00"), (125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"), (65_535, b"\x81\x7e\xff\xff")),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_the_length_of_a_message_takes_the_form_that_it_needs(size: int, head: bytes) -> None:
    assert packing.messages([b"x" * size]) == head + b"x" * size
