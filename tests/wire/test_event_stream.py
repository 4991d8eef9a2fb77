"""The event stream reader against the standard, spelled out once more as plainly as it can be."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.wire.errors import Unreadable
from headway.wire.event_stream import EventStreamReader, ServerSentEvent

Told = tuple[list[ServerSentEvent], str, int | None]


def read(*chunks: bytes) -> Told:
    reader = EventStreamReader()
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    return events, reader.last_id, reader.retry


def as_the_standard_says(stream: bytes) -> Told:
    """The whole stream at once, in the words of the standard."""
    text = stream.decode(errors="replace").removeprefix("\ufeff")
    *lines, _unfinished = re.split("\r\n|\n|\r", text)
    events: list[ServerSentEvent] = []
    data, type, last_id, id_buffer, retry = "", "", "", "", None
    for line in lines:
        if line == "":
            last_id = id_buffer
            if data != "":
                events.append(ServerSentEvent(type or "message", data.removesuffix("\n"), last_id))
            data, type = "", ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            type = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            id_buffer = value
        elif field == "retry" and re.fullmatch("[0-9]{1,9}", value):
            retry = int(value)
    return events, last_id, retry


LINES = [
    *(b"data", b"data:", b"data: x", b"data:  y", b"event: e", b"id: 7", b"id", b"id:\0", b"retry: 20", b"retry: 2a"),
    *(b"", b":", b": comment", b"unknown: x", b" data: x", b"data\xef\xbb\xbf: x", b"\xef\xbb\xbfdata: x"),
    *("data: ü€😀".encode(), "data: \u2028\u0085".encode(), b"data: \x0b\x0c\x1c", b"data: \xff\xe2\x82"),
    b"retry:" + b"9" * 5000,
]
BREAKS = [b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n"]
lines = st.tuples(st.sampled_from(LINES) | st.binary(max_size=3), st.sampled_from(BREAKS)).map(b"".join)
beginnings, ends = st.sampled_from([b"", b"\xef\xbb\xbf"]), st.sampled_from([b"", b"data: unfinished"])
streams = st.tuples(beginnings, st.lists(lines, max_size=12).map(b"".join), ends).map(b"".join)


@st.composite
def cut_streams(draw: st.DrawFn) -> list[bytes]:
    stream = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@given(streams)
def test_a_stream_is_read_as_the_standard_says(stream: bytes) -> None:
    assert read(stream) == as_the_standard_says(stream)


@given(cut_streams())
def test_it_does_not_matter_how_a_stream_is_cut(chunks: list[bytes]) -> None:
    assert read(*chunks) == read(b"".join(chunks))


@given(streams)
def test_it_does_not_matter_if_a_stream_comes_byte_by_byte(stream: bytes) -> None:
    assert read(*(bytes([byte]) for byte in stream)) == read(stream)


@pytest.mark.parametrize("cut", range(20))
def test_a_line_break_cut_in_two_is_one(cut: int) -> None:
    stream = b"data: x\r\ndata: y\r\n\r\n"
    assert [event.data for event in read(stream[:cut], b"", stream[cut:])[0]] == ["x\ny"]


def events_of(stream: bytes) -> list[tuple[str, str, str]]:
    return [(event.type, event.data, event.id) for event in read(stream)[0]]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        # The examples of the standard.
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10", "")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [("message", "first event", "1"), ("message", "second event", ""), ("message", " third event", "")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [("message", "", ""), ("message", "\n", "")]),
        (b"data:test\n\ndata: test\n\n", [("message", "test", "")] * 2),
        # And what it says otherwise.
        (b"\xef\xbb\xbfdata: x\n\n", [("message", "x", "")]),
        (b"event: ping\ndata: {}\r\n\r\n", [("ping", "{}", "")]),
        (b"event: ping\n\ndata: x\n\n", [("message", "x", "")]),
        (b"id: 5\n\ndata: x\n\n", [("message", "x", "5")]),
        (b"id: 5\ndata: x\n\nid: a\0b\ndata: y\n\n", [("message", "x", "5"), ("message", "y", "5")]),
        (b"data: a\rdata: b\r\r", [("message", "a\nb", "")]),
        (b"data: x\n", []),
        (b"data: x", []),
        (b"\n\n\n", []),
    ],
)
def test_the_events_of_a_stream(stream: bytes, events: list[tuple[str, str, str]]) -> None:
    assert events_of(stream) == events


def test_an_event_comes_as_soon_as_its_line_break_does() -> None:
    reader = EventStreamReader()
    assert reader.feed(b"data: x\r\n\r") != []
    assert reader.feed(b"\ndata: y\n") == []
    assert [event.data for event in reader.feed(b"\n")] == ["y"]


@pytest.mark.parametrize(
    ("line", "retry"), [(b"20", 20), (b"0", 0), (b"-1", None), (b"1.5", None), ("٣".encode(), None)]
)
def test_retry_is_digits_only(line: bytes, retry: int | None) -> None:
    assert read(b"retry: " + line + b"\n")[2] == retry


def test_an_id_counts_once_its_event_is_complete() -> None:
    reader = EventStreamReader(last_id="1")
    assert [event.id for event in reader.feed(b"data: x\n\n")] == ["1"]
    reader.feed(b"id: 2\ndata: y\n")
    assert reader.last_id == "1"
    reader.feed(b"\n")
    assert reader.last_id == "2"
    assert "last_id='2'" in repr(reader)


@pytest.mark.parametrize(
    "stream",
    [b"data: " + b"x" * 101, b"data: xxxxx\n" * 30, b"data\n" * 120, b": " + b"x" * 101, b"\xef\xbb\xbf" + b"x" * 101],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_an_event_that_never_ends_is_refused(stream: bytes, size: int) -> None:
    reader = EventStreamReader(max_event=100)
    with pytest.raises(Unreadable, match=r"^an event of more than 100 bytes$"):
        for start in range(0, len(stream), size):
            reader.feed(stream[start : start + size])


def test_many_small_events_are_not_a_large_one() -> None:
    reader = EventStreamReader(max_event=100)
    assert len(reader.feed(b"data: xxxxxxxxxxxxxxxxxxxx\n\n: a comment\n\n" * 1000)) == 1000
