"""Rows on a terminal and off it."""

import io
import re
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from headway.cli import screen
from headway.wire.decode import row_from
from headway.wire.row import Row
from tests.client.scripted_server import OTHER, UUID, row

HOSTILE = "[bold red]x[/] :smile: [link=http://evil]y[/link] \x1b[31m\x07 \u202e"


class Ascii(io.StringIO):
    """A terminal of the seventies."""

    encoding = "ascii"


def made(uuid: str = UUID, **members: Any) -> Row:
    return row_from(row(uuid, **members))


def terminal(width: int = 120, file: io.StringIO | None = None, **options: Any) -> Console:
    return Console(
        file=file or io.StringIO(),
        width=width,
        force_terminal=True,
        markup=False,
        emoji=False,
        highlight=False,
        **options,
    )


def drawn(rows: list[Row], width: int = 120, *, file: io.StringIO | None = None) -> str:
    shown = terminal(width, file, color_system=None)
    screen.print_rows(shown, rows, screen.live_columns(shown, rows))
    text: str = shown.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_a_table_has_all_there_is_room_for() -> None:
    line = drawn([made(progress=40, fraction=0.4, completed=4, total=10, unit="files", rate=2.0, eta=3, updatedAt=1)])
    assert all(text in line for text in ("● running", "━", "40%", "Testing", "2 files/s", UUID[:8]))


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    text = drawn([made(title="A very long title indeed " * 20, subtitle="and more")], width)
    assert max(map(len, text.splitlines())) <= width
    assert len(text.splitlines()) == 2


def test_titles_are_text_and_do_nothing() -> None:
    line = drawn([made(title=HOSTILE)], 200)
    assert "[bold red]x[/] :smile: [link=http://evil]y[/link]" in line
    assert not {"\x1b", "\x07", "\u202e"} & set(line)


def test_ascii_is_enough() -> None:
    file = Ascii()
    rows = [made(state=state, title="plain") for state in screen.LOOKS if state not in ("overdue", "stalled")]
    odd = [made(state="quantum"), made(state="cancelling", overdue=True), made(state="running", stalled=True)]
    drawn([*rows, *odd], 80, file=file)
    assert all(word in file.getvalue() for word in ("* running", "x failed", "! overdue", "z stalled", ". quantum"))


def test_what_is_stalled_does_not_look_like_what_runs() -> None:
    looks = [screen.state(made(state="running", stalled=stalled), terminal()) for stalled in (False, True)]
    assert [look.plain for look in looks] == ["● running", "◍ stalled"]
    assert looks[0].style != looks[1].style


def test_whose_it_is_shows_only_where_that_is_a_question() -> None:
    assert "USER" not in drawn([made(), made(OTHER)])
    assert "USER" in drawn([made(), made(OTHER, userID=2)])


def test_off_a_terminal_nothing_is_cut_or_coloured(capsys: pytest.CaptureFixture[str]) -> None:
    long = "A very long title indeed " * 20
    rows = [made(title=long.strip(), progress=7), made(OTHER, state="cancelling")]
    shown = Console(file=io.StringIO(), markup=False)
    screen.print_rows(shown, rows, screen.live_columns(shown, rows))
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["STATE", "DONE", "SPEED", "TIME", "LEFT", "ID", "TITLE"]
    assert first.endswith(f"  {long.strip()}")
    assert second.split()[:2] == ["◌", "cancelling"]
    assert not head.endswith(" ")


def test_columns_of_wide_characters_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Console(file=io.StringIO(), markup=False)
    columns = [screen.Column("TITLE", lambda row, now: screen.title(row)), *screen.live_columns(shown, [])[:1]]
    screen.print_rows(shown, [made(title="映画"), made(title="film"), made(title="🎬")], columns)
    lines = capsys.readouterr().out.splitlines()
    assert {cell_len(line.partition("●")[0]) for line in lines[1:]} == {len("TITLE  ")}


def test_parts_stand_below_what_they_are_parts_of() -> None:
    part, deep, stray = (f"{number:08d}{UUID[8:]}" for number in range(3))
    rows = [
        made(title="whole"),
        made(part, title="part", parentUUID=UUID),
        made(deep, title="deep", parentUUID=part),
        made(stray, title="stray", parentUUID=OTHER),
    ]
    assert re.findall(r"%  ( *(?:└ )?\w+)", drawn(rows)) == ["whole", "└ part", "  └ deep", "stray"]
    file = Ascii()
    drawn(rows, file=file)
    assert re.findall(r"%  ( *(?:- )?\w+)", file.getvalue()) == ["whole", "- part", "  - deep", "stray"]


def test_parts_are_not_set_apart_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    shown, rows = Console(file=io.StringIO(), markup=False), [made(title="whole"), made(OTHER, parentUUID=UUID)]
    screen.print_rows(shown, rows, screen.live_columns(shown, rows))
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:]] == ["whole", "Testing"]


def test_a_long_title_leaves_room_for_how_it_ended() -> None:
    ended = made(title="A very long title indeed " * 20, state="lost", startedAt=0, endedAt=63, error="abandoned")
    for width in (70, 80, 200):
        line = screen.ended_line(ended, terminal(width, color_system=None)).plain
        assert len(line) <= width
        assert line.endswith("…  after 1m03s: abandoned")
    assert ended.title in screen.ended_line(ended, Console(file=io.StringIO())).plain


@pytest.mark.parametrize("width", [40, 80])
def test_facts_are_folded_beside_their_names(width: int) -> None:
    facts = [("title", Text("A very long title indeed " * 9)), ("uuid", Text(UUID)), ("context.k", Text("x" * 99))]
    shown = terminal(width, color_system=None)
    screen.print_facts(shown, facts)
    lines = shown.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= width
    assert {line[:11].strip() for line in lines} == {"title", "uuid", "context.k", ""}
    assert len(lines) > len(facts)


def test_an_end_is_one_line() -> None:
    shown = terminal(color_system=None)
    line = screen.ended_line(made(state="failed", startedAt=0, endedAt=63, error="exit status 3"), shown)
    assert line.plain == "✘ failed  Testing  after 1m03s: exit status 3"


def test_what_nobody_knows_moves_along() -> None:
    assert screen.bar(made(progress=-1)).pulse
    known = screen.bar(made(progress=40, fraction=0.404))
    assert (known.pulse, known.completed) == (False, 0.404)
    assert screen.bar(made(progress=40)).completed == 0.4
