"""Output is cut into lines as a screen shows them, in bounded memory."""

import pytest

from headway.operations.process.progress.terminal import MAX_LINE, Line, LineSplitter


def lines(*chunks: bytes, hints: tuple[bytes, ...] = (b"",)) -> list[Line]:
    splitter = LineSplitter()
    return [line for chunk in chunks for line in splitter.split(chunk, hints) if line.raw]


def texts(*chunks: bytes) -> list[str]:
    return [line.text for line in lines(*chunks)]


@pytest.mark.parametrize(
    "separator",
    [b"\n", b"\r", b"\r\n", b"\b\b\b", b"\x1b[A", b"\x1b[1G", b"\x1b[12;1H", b"\x1b[80D", b"\x1b7", b"\x1b8", b"\v"],
)
def test_a_line_ends_where_the_cursor_moves(separator: bytes) -> None:
    assert texts(b"one" + separator + b"two\n") == ["one", "two"]


def test_a_separator_may_be_cut_anywhere() -> None:
    whole = b"one\x1b[12;1Htwo\r\nthree\x1b[?1049hhidden\n\x1b[?1049lfour\n"
    cuts = [texts(whole[:cut], whole[cut:]) for cut in range(len(whole))]
    assert cuts == [["one", "two", "three", "four"]] * len(whole)


def test_colours_erasing_and_titles_are_no_part_of_the_text() -> None:
    coloured = b"\x1b[1;32m45\x1b[0m%\x1b[K \x1b]0;title 99%\x07a\x1b]8;;http://x/1/2\x1b\\b\x1b(B\n"
    assert texts(coloured) == ["45% ab"]


def test_an_escape_sequence_that_never_ends_ends_with_its_line() -> None:
    assert texts(b"\x1b]0;99%\n45%\x1b[\nnext\x1b\n") == ["", "45%", "next"]


def test_text_is_utf8_even_if_a_character_is_cut_and_a_mark_where_it_is_not() -> None:
    assert texts(b"\xe2\x94", b"\x81\xff\n") == ["\u2501\ufffd"]


def test_a_line_knows_whether_it_was_drawn_over_another() -> None:
    redrawn = {line.text: line.redrawn for line in lines(b"log\r\nlog2\n\r5%\r6%\x1b[1G7%\nlog3\n")}
    assert redrawn == {"log": False, "log2": False, "5%": True, "6%": True, "7%": True, "log3": False}


def test_a_line_knows_whether_the_cursor_went_up_after_it() -> None:
    raised = {line.text: line.raised for line in lines(b"outer\n\rinner\x1b[A\router2\ninner2\x1b[2F\rinner3\x1bM")}
    assert raised == {"outer": False, "inner": True, "outer2": False, "inner2": True, "inner3": True}


@pytest.mark.parametrize("cut", range(24))
def test_a_line_knows_the_one_above(cut: int) -> None:
    output = b"one\r\ntwo\r\n\r\n  \r 45%\r 46%\n"
    above = {line.text: line.above for line in lines(output[:cut], output[cut:])}
    assert above == {"one": "", "two": "one", "  ": "two", " 45%": "two", " 46%": " 45%"}


def test_a_full_screen_program_gives_no_lines() -> None:
    assert texts(b"before\n\x1b[?1049h45%\r", b"46%\n", b"47%\x1b[?1049l", b"after\n") == ["before", "after"]


def test_a_full_screen_program_may_begin_where_there_is_no_hint() -> None:
    splitter = LineSplitter()
    assert list(splitter.split(b"\x1b[?1049h" + b"menu\n" * 5000, (b"%",))) == []
    assert list(splitter.split(b"45%\n", (b"%",))) == []
    assert list(splitter.split(b"menu\n" * 5000 + b"\x1b[?1049l" + b"log\n" * 5000, (b"%",))) == []
    assert [line.text for line in splitter.split(b"46%\n", (b"%",))] == ["46%"]


def test_only_lines_with_a_hint_come() -> None:
    found = lines(b"a 5%\nb\nc 1/2\n", hints=(b"%", b"/"))
    assert [(line.text, list(line.hints)) for line in found] == [("a 5%", [b"%"]), ("c 1/2", [b"/"])]


def test_a_line_of_the_greatest_length_is_a_line_and_a_longer_one_is_none() -> None:
    longest = b"x" * MAX_LINE
    assert texts(longest + b"\nafter\n") == [longest.decode(), "after"]
    assert texts(longest + b"x\nafter\n") == ["after"]
    assert texts(longest, b"x", b"x\nafter\n") == ["after"]


def test_the_unfinished_line_can_be_read_and_comes_again() -> None:
    splitter = LineSplitter()
    assert list(splitter.split(b"done\r45", (b"%", b"4"))) == []
    (unfinished,) = splitter.unfinished((b"4",))
    assert (unfinished.text, unfinished.redrawn, unfinished.above) == ("45", True, "done")
    assert [line.text for line in splitter.split(b"%\r", (b"%",))] == ["45%"]


@pytest.mark.parametrize("filler", [b"x", b"5%", b" ", b"\x1b[", b"\x1b]", b"\0", b"\xe2"])
@pytest.mark.parametrize("size", [1, 7, 4096, 65536])
def test_a_line_without_end_costs_a_few_kib_and_one_look_at_each_byte(filler: bytes, size: int) -> None:
    total = 10_000_000 if size > 4096 else 5_000 * size
    splitter = LineSplitter()
    chunk = (filler * size)[:size]
    held = 0
    for _ in range(total // size):
        assert list(splitter.split(chunk, (b"%",))) == []
        held = max(held, splitter.holding)
    assert held <= 2 * MAX_LINE
    assert splitter.examined <= total + 40 * (total // size)
    assert [line.text for line in splitter.split(b"\n45%\n", (b"%",))] == ["45%"]


def test_output_without_a_hint_is_not_even_looked_at() -> None:
    splitter = LineSplitter()
    assert list(splitter.split(b"nothing of interest\n" * 50_000, (b"%",))) == []
    assert splitter.examined < 2 * MAX_LINE


def test_a_splitter_and_a_line_show_what_they_hold() -> None:
    splitter = LineSplitter()
    assert list(splitter.split(b"12345", ())) == []
    assert repr(splitter) == "LineSplitter(holding=5, examined=5)"
    assert repr(Line(b"5%", redrawn=True)) == "Line('5%', redrawn=True, raised=False)"
