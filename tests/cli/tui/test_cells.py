"""Lines that fit, whatever they are made of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from headway.cli.tui import cells
from headway.cli.tui.model import Line, Place
from headway.wire.decode import row_from
from tests.cli.tui.fake_feed import made
from tests.client.scripted_server import row

HOSTILE = [
    "\x1b[31mred\x1b]0;owned\x07",
    "[bold]x[/] [@click=app.quit]y[/] [link=http://evil]z[/link]",
    "映画" * 60,
    "👩‍🚀👍🏽🇩🇪❤️" * 20,
    "e" + "\u0301" * 500,
    "\u202etxt.exe\u2066",
    "\u200b\u00ad\ufeff" * 50,
    "x" * 10_000_000,
    "é" * 1_000_000,
]


def line(word: str = "running", depth: int = 0, below: int = 0, **members: Any) -> Line:
    return Line(made("u", **members), word, Place("u", depth, below))


@given(st.text(), st.integers(0, 50), st.booleans())
def test_a_text_takes_exactly_the_cells_it_is_given(text: str, width: int, right: bool) -> None:
    title = row_from(row(title=text)).title
    assert cell_len(cells.fit(title, width, right=right)) == width


@pytest.mark.parametrize("width", [12, 20, 40, 60, 80, 120, 160, 300])
@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_title_neither_breaks_a_line_nor_speaks_to_the_terminal(hostile: str, width: int) -> None:
    shown = line(title=hostile, subtitle=hostile, unit=hostile[:99], completed=1, error=hostile, progress=40, depth=9)
    for columns in (cells.live_columns(width, owners=True), cells.past_columns(width, owners=True)):
        segments = cells.segments(shown, columns, 0.0)
        if width >= 40:
            assert sum(cell_len(segment.text) for segment in segments) == width
        text = "".join(segment.text for segment in segments)
        assert text.isprintable()
        assert not any(segment.style is None or segment.style.link or segment.style.meta for segment in segments)


def test_marks_are_kept_but_not_piled_up_and_joined_emoji_stand_apart() -> None:
    assert cells.legible("o\u0302\u0323x" + "\u0301" * 9) == "o\u0302\u0323x\u0301\u0301"
    assert cells.legible("👩‍🚀❤️👍🏽🇩🇪") == "👩🚀❤👍DE"


@pytest.mark.parametrize(
    ("word", "members", "drawn"),
    [
        ("running", {"progress": 50}, "━━━━━─────"),
        ("running", {"progress": 99, "fraction": 0.999}, "━━━━━━━━━─"),
        ("succeeded", {"progress": 100}, "━━━━━━━━━━"),
        ("stalled", {"progress": 50}, "╍╍╍╍╍┄┄┄┄┄"),
        ("overdue", {"progress": 50}, "▒▒▒▒▒░░░░░"),
        ("lost", {"progress": 50}, "×××××·····"),
        ("lost", {"progress": -1}, "··········"),
        ("quantum", {"progress": 500}, "··········"),
    ],
)
def test_bars_are_told_apart_by_their_shape(word: str, members: dict[str, Any], drawn: str) -> None:
    assert cells.bar(line(word, **members), 0.0, 10)[0] == drawn


def test_what_nobody_knows_moves_along_the_bar() -> None:
    drawn = [cells.bar(line(progress=-1), now / 4, 8)[0] for now in range(11)]
    assert drawn[3] == "━━━─────"
    assert len(set(drawn)) == 11
    assert {len(each) for each in drawn} == {8}


def test_states_are_told_by_icon_and_word() -> None:
    words = ["running", "stalled", "asking", "asked", "cancelling", "overdue", "succeeded", "failed", "lost", "ended"]
    assert [cells.state(line(word), 0.0, 12)[0].split()[1] for word in words] == words
    assert cells.state(line("quantum"), 0.0, 12) == ("· quantum", "")


def test_a_title_shows_its_place_in_the_tree_and_keeps_room_however_deep() -> None:
    assert cells.title(line(title="whole", below=2), 0.0, 30)[0] == "▾ whole"
    folded = line(title="whole", below=2)._replace(folded=True)
    assert cells.title(folded, 0.0, 30)[0] == "▸ whole (+2)"
    assert cells.title(line(title="part", subtitle="x", depth=1), 0.0, 30)[0] == "    part · x"
    assert cells.fit(cells.title(line(title="part", depth=90), 0.0, 30)[0], 30).rstrip().endswith("part")


def test_columns_come_as_there_is_room() -> None:
    heads = {width: cells.heads(cells.live_columns(width, owners=True)).split() for width in (40, 80, 200)}
    assert heads == {
        40: ["STATE", "TITLE", "DONE"],
        80: ["STATE", "TITLE", "DONE", "LEFT", "TIME", "USER"],
        200: ["STATE", "TITLE", "DONE", "COUNT", "SPEED", "LEFT", "TIME", "USER", "ID"],
    }


def test_what_is_about_to_leave_is_dim() -> None:
    columns = cells.live_columns(80, owners=False)
    looks = {
        segment.style for segment in cells.segments(line()._replace(fading=True), columns, 0.0) if segment.text > " "
    }
    assert all(look is not None and look.dim for look in looks)
