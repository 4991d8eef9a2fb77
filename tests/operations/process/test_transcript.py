"""What a command prints, as it would be left on a screen, in bounded memory."""

import itertools
import threading

import pytest

from headway.operations.process.transcript import ROOM, Transcript


def text(*pieces: bytes) -> str:
    kept = Transcript()
    for piece in pieces:
        kept.feed(piece)
    return kept.read()


@pytest.mark.parametrize(
    ("printed", "left"),
    [
        (b"one\ntwo\n", "one\ntwo\n"),
        (b"one\r\ntwo\r\r\nthree", "one\ntwo\nthree"),
        ("größer 🎬\tend\n".encode(), "größer 🎬\tend\n"),
        (b"\n\n one \n", "\n\n one \n"),
        (b"log\n10%\r20%\r30%\nnext\n", "log\n30%\nnext\n"),
        (b"log\n10%\r20%", "log\n20%"),
        (b"log\n10%\r20%\r", "log\n20%"),
        (b"100%\r    \rdone\n", "done\n"),
        (b"100%\r\x1b[K\n", "100%\n"),
        (b"\r\x1b[2K\x1b[1m50%\x1b[0m\r\x1b[2K\x1b[1m51%\x1b[0m", "51%"),
        (b"\x1b[1;32mok\x1b[0m \x1b]0;title\x07\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\\n", "ok link\n"),
        (b"\x1b]0;never ends\nnext\n", "\nnext\n"),
        (b"-\b/\b|\b done\n", " done\n"),
        (b"N\bNA\bAM\bME\bE\n\b", "NAME\n"),
        (b"before\n\x1b[?1049h\x1b[2Jeditor\n\x1b[?1049lafter\n", "before\nafter\n"),
        (b"before\n\x1b[?1049h\x1b[2Jeditor\n", "before\n"),
        (b"editor\n\x1b[?1049lafter\n", "after\n"),
        (b"\x1b[?25lhidden cursor\x1b[?25h\n", "hidden cursor\n"),
        (b"ring\x07\0 \xff \xe2\x80\xae\x0ctorn\n", "ring \ufffd \ntorn\n"),
        (b"", ""),
    ],
)
async def test_what_is_left_on_the_screen(printed: bytes, left: str) -> None:
    assert text(printed) == left
    assert text(*(printed[at : at + 1] for at in range(len(printed)))) == left, "cut into single bytes"


async def test_it_can_be_read_at_any_moment() -> None:
    kept, seen = Transcript(), []
    for piece in (b"one\ntw", b"o\n1%\r", b"2%", b"\r3", b"%\n"):
        kept.feed(piece)
        seen.append(kept.read())
    assert seen == ["one\ntw", "one\ntwo\n1%", "one\ntwo\n2%", "one\ntwo\n3", "one\ntwo\n3%\n"]


async def test_lines_of_two_streams_stand_in_order_of_arrival_and_are_not_mixed() -> None:
    kept = Transcript()
    kept.feed(b"one\nbegun ", 1)
    kept.feed(b"error\nwarn", 2)
    assert kept.read() == "one\nerror\nbegun \nwarn"
    kept.feed(b"and ended\n", 1)
    kept.feed(b"", 1)
    kept.feed(b"ing\n", 2)
    assert kept.read() == "one\nerror\nbegun and ended\nwarning\n"


async def test_a_bar_washes_nothing_out() -> None:
    kept = Transcript()
    kept.feed(b"the error that matters\n")
    for number in range(200_000):
        kept.feed(b"\r\x1b[K%d of 200000 |#####     |" % number)
    assert kept.read() == "the error that matters\n199999 of 200000 |#####     |"


async def test_however_much_is_printed_little_is_kept() -> None:
    kept = Transcript()
    for start in range(0, 200_000, 1000):
        kept.feed(b"".join(b"line %d\n" % number for number in range(start, start + 1000)))
        assert len(kept._kept) <= 2 * ROOM
    lines = kept.read().splitlines()
    assert lines == [f"line {number}" for number in range(200_000 - len(lines), 200_000)]
    assert len(kept.read()) > ROOM - 20


@pytest.mark.parametrize("piece", [b"x" * 1000, b"x" * 10 * ROOM])
async def test_an_endless_line_is_kept_by_its_end(piece: bytes) -> None:
    kept = Transcript()
    for _ in range(20 * ROOM // len(piece)):
        kept.feed(piece)
    assert kept.read() == "x" * ROOM
    kept.feed(b"\nwhole\n")
    assert kept.read() == "whole\n"


async def test_a_piece_larger_than_the_room_leaves_its_end() -> None:
    lines = b"".join(b"%d\n" % number for number in range(50_000))
    kept = text(b"before\n", lines)
    assert lines.decode().endswith(kept) and ROOM - 10 < len(kept) <= ROOM


async def test_threads_may_feed_it_together() -> None:
    kept = Transcript()

    def feed(stream: int) -> None:
        for number in range(500):
            kept.feed(b"%d begins " % stream, stream)
            kept.feed(b"%d\n" % number, stream)

    threads = [threading.Thread(target=feed, args=(stream,)) for stream in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = kept.read().splitlines()
    for stream in (1, 2):
        assert [line for line in lines if line.startswith(f"{stream}")] == [
            f"{stream} begins {number}" for number in range(500)
        ]


async def test_hostile_output_leaves_text_that_does_nothing() -> None:
    for first, second in itertools.product(range(256), repeat=2):
        left = text(bytes((27, first, second, 10)))
        assert not set(left) & set(map(chr, (*range(9), *range(11, 32), 127, *range(128, 160))))


async def test_what_is_no_text_is_not_kept() -> None:
    kept = Transcript()
    kept.feed(b"begin\n")
    kept.feed(bytes(range(256)) * 256)
    kept.feed(b"end\n", 2)
    assert kept.read() == "begin\nend\n"


async def test_who_looks_is_told_of_each_piece() -> None:
    changes: list[str] = []
    kept = Transcript(lambda: changes.append(kept.read()))
    for piece in (b"one\n", b"two", b""):
        kept.look(1)(piece)
    assert changes == ["one\n", "one\ntwo"]
