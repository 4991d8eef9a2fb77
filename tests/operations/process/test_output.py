"""Lines cut out of pieces, and the end of a stream as a screen would show it."""

import itertools

from headway.operations.process.output import KEPT, LAST_LINES, LAST_TEXT, MAX_LINE, Lines, last_words
from headway.operations.process.transcript import Transcript


def fed(*pieces: bytes) -> list[str]:
    lines = Lines()
    return [*itertools.chain.from_iterable(map(lines.feed, pieces)), *lines.rest()]


def tail(*pieces: bytes) -> str:
    kept = Transcript(room=KEPT)
    for piece in pieces:
        kept.feed(piece)
    return last_words(kept)


async def test_a_line_ends_at_a_newline_or_a_carriage_return_or_both() -> None:
    assert fed(b"one\ntwo\r\nthree\rfour\n\nsix") == ["one", "two", "three", "four", "", "six"]


async def test_how_the_pieces_are_cut_makes_no_difference() -> None:
    text = "één\r\n\r\r\nzwei\n".encode()
    whole = fed(text)
    assert whole == ["één", "", "", "zwei"]
    for size in range(1, len(text)):
        assert fed(*(text[start : start + size] for start in range(0, len(text), size))) == whole


async def test_a_redrawn_line_is_handed_on_before_it_is_drawn_again() -> None:
    assert Lines().feed(b"10%\r") == ["10%"]


async def test_an_endless_line_is_handed_on_in_pieces() -> None:
    lines = fed(b"x" * (MAX_LINE - 1), b"x" * 10, b"yy\n")
    assert lines == ["x" * (MAX_LINE + 9), "yy"]


async def test_what_is_no_text_is_handed_on_all_the_same() -> None:
    assert fed(b"\xff\0\n") == ["\ufffd\0"]


async def test_the_last_lines_are_kept_without_blank_ones_and_colours() -> None:
    lines = b"".join(b"line %d\n\n" % number for number in range(20))
    assert tail(lines, b"\x1b[31mred\x1b[0m\r\n").split("\n") == ["line 16", "line 17", "line 18", "line 19", "red"]


async def test_of_a_status_line_only_what_was_drawn_last_is_kept() -> None:
    assert tail(b"error\n10%\r20%\r", b"30%\r\n") == "error\n30%"
    assert tail(b"10%\rfailed") == "failed"


async def test_however_much_is_said_little_is_kept() -> None:
    kept = Transcript(room=KEPT)
    for _ in range(100):
        kept.feed(b"x" * 1000 + b"\n")
    assert last_words(kept).count("\n") < LAST_LINES and set(last_words(kept)) == {"x", "\n"}
    assert len(tail(b"y" * 10 * KEPT)) == LAST_TEXT
    # A line whose beginning is gone is not shown where there are whole ones.
    assert tail(b"z" * 10 * KEPT, b"\nwhole") == "whole"


async def test_nothing_said_is_nothing_kept() -> None:
    assert tail() == tail(b"", b"\n \r\n") == ""
