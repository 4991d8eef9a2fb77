"""Rows on a terminal: colours, bars and columns that fit its width; and as plain lines where there is none.

Titles come from strangers: they are printed as text, never as markup, and are cleaned of control characters when they
are read (``wire.decode``).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console, OverflowMethod, RenderableType
from rich.progress_bar import ProgressBar
from rich.style import Style
from rich.table import Table
from rich.text import Text

from headway.cli import tree, wording
from headway.wire.row import Row


class Look(NamedTuple):
    """How a state looks."""

    icon: str
    plain: str
    """The icon where there is only ASCII."""
    style: str


LOOKS = {
    "running": Look("●", "*", "cyan"),
    "stalled": Look("◍", "z", "bold yellow"),
    "cancelling": Look("◌", "~", "yellow"),
    "overdue": Look("◌", "!", "bold yellow"),
    "succeeded": Look("✔", "+", "green"),
    "failed": Look("✘", "x", "bold red"),
    "cancelled": Look("■", "-", "magenta"),
    "lost": Look("?", "?", "red"),
    # From a server that does not say how.
    "ended": Look("□", "-", ""),
}
_UNKNOWN = Look("·", ".", "")
_SHORTEST = 20
"""Columns that a title is left, however narrow the terminal."""


class Column(NamedTuple):
    """A column of a table."""

    title: str
    cell: Callable[[Row, float], RenderableType]
    """From a row and the time (seconds since the epoch)."""
    narrowest: int = 0
    """Columns of the terminal below which it is left out."""
    right: bool = False
    grows: bool = False
    """It takes the space that the others leave."""


def console(*, stderr: bool = False) -> Console:
    """The terminal, or whatever stands in its place. Prints text as it is: no markup, no emoji, no guessing."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def unicode(screen: Console) -> bool:
    """True when it can show more than ASCII."""
    return screen.encoding.lower().startswith("utf")


def fills(shown: Console) -> bool:
    """True for a terminal that a person sits at, and on which all of the screen can be drawn."""
    terminals = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    return terminals and shown.is_terminal and not shown.is_dumb_terminal and unicode(shown)


def state(row: Row, screen: Console) -> Text:
    """The state as an icon and a word: colour is never all there is to tell it by."""
    word = wording.state(row)
    look = LOOKS.get(word, _UNKNOWN)
    return Text(f"{look.icon if unicode(screen) else look.plain} {word}", look.style)


def name(row: Row, screen: Console) -> Text:
    """What it is, for a line that goes on: a long title leaves room for the rest."""
    text = Text(wording.name(row), "default")
    if screen.is_terminal:
        text.truncate(max(_SHORTEST, screen.width // 2), overflow=_cut(screen))
    return text


def ended_line(row: Row, shown: Console) -> Text:
    """How an activity ended, on one line."""
    text = state(row, shown).append("  ").append_text(name(row, shown))
    details = wording.ending(row).removeprefix(wording.state(row)).strip()
    return text.append(f"  {details}", "dim") if details else text


def title(row: Row, branch: str = "") -> Text:
    """What it is, and what it is doing. ``branch``: what stands before it in a tree."""
    text = Text(no_wrap=True).append(branch, "dim").append(wording.name(row))
    if row.subtitle:
        text.append(f"  {row.subtitle}", "dim")
    return text


def bar(row: Row, width: int | None = None) -> ProgressBar:
    """How far it is; moving while nobody knows."""
    style = LOOKS.get(wording.state(row), _UNKNOWN).style or "none"
    known = row.fraction is not None or row.progress >= 0
    done = row.fraction if row.fraction is not None else max(0, row.progress) / 100
    return ProgressBar(
        total=1.0 if known else None,
        completed=done,
        width=width,
        pulse=not known,
        style=Style(dim=True),
        complete_style=style,
        finished_style=style,
        pulse_style=style,
        animation_time=time.monotonic(),
    )


def live_columns(screen: Console, rows: Sequence[Row]) -> list[Column]:
    """Columns for what is running; on a terminal the parts of something stand below it."""
    depths = tree.depths(rows) if screen.is_terminal else {}
    columns = [
        Column("STATE", lambda row, now: state(row, screen)),
        Column("", lambda row, now: bar(row, 12 if screen.width < 100 else 24), narrowest=70),
        Column("DONE", lambda row, now: Text(wording.percent(row)), right=True),
        Column("TITLE", lambda row, now: title(row, _branch(depths.get(row.uuid, 0), screen)), grows=True),
        Column("SPEED", lambda row, now: Text(wording.speed(row), "dim"), narrowest=110, right=True),
        Column("TIME", lambda row, now: Text(wording.elapsed(row, now), "dim"), narrowest=60, right=True),
        Column("LEFT", lambda row, now: Text(wording.remaining(row, now)), narrowest=75, right=True),
    ]
    return [*columns, *_owner(rows), _id()]


def history_columns(screen: Console, rows: Iterable[Row]) -> list[Column]:
    """Columns for what has ended."""
    columns = [
        Column("STATE", lambda row, now: state(row, screen)),
        Column("ENDED", lambda row, now: Text(wording.moment(row.ended_at, now)), narrowest=60),
        Column("TIME", lambda row, now: Text(wording.elapsed(row, now), "dim"), narrowest=70, right=True),
        Column("TITLE", lambda row, now: _with_error(row), grows=True),
    ]
    return [*columns, *_owner(rows), _id()]


def print_rows(screen: Console, rows: Sequence[Row], columns: Sequence[Column]) -> None:
    """A table on a terminal; elsewhere lines for other programs, nothing left out."""
    if screen.is_terminal:
        screen.print(table(screen, rows, columns))
    else:
        write_plain(rows, columns)


def print_facts(screen: Console, facts: Sequence[tuple[str, Text]]) -> None:
    """What each is called, and what it is: on a terminal folded beside its name, elsewhere a line for each."""
    if screen.is_terminal:
        grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for label, value in facts:
            grid.add_row(label, value)
        screen.print(grid)
        return
    width = max(len(label) for label, _ in facts)
    for label, value in facts:
        screen.print(f"{label:<{width}}  ", value, sep="", soft_wrap=True)


def table(screen: Console, rows: Sequence[Row], columns: Sequence[Column]) -> Table:
    """The rows in as many columns as there is room for."""
    now = time.time()
    chosen = [column for column in columns if screen.width >= column.narrowest]
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True, pad_edge=False)
    for column in chosen:
        made.add_column(
            column.title,
            justify="right" if column.right else "left",
            ratio=1 if column.grows else None,
            no_wrap=True,
            overflow=_cut(screen),
        )
    for row in rows:
        made.add_row(*(column.cell(row, now) for column in chosen))
    return made


def write_plain(rows: Sequence[Row], columns: Sequence[Column]) -> None:
    """Aligned lines without colours; what may be long comes last, and nothing is padded to it."""
    now = time.time()
    texts = sorted((column for column in columns if column.title), key=lambda column: column.grows)
    lines = [[column.title for column in texts]]
    lines += [[_plain(column.cell(row, now)) for column in texts] for row in rows]
    widths = [max(map(cell_len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        cells = [_padded(*cell) for cell in zip(line, widths, texts, strict=True)]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _padded(text: str, width: int, column: Column) -> str:
    space = " " * (width - cell_len(text))
    return space + text if column.right else text + space


def _cut(screen: Console) -> OverflowMethod:
    return "ellipsis" if unicode(screen) else "crop"


def _branch(depth: int, screen: Console) -> str:
    if not depth:
        return ""
    return "  " * (depth - 1) + ("└ " if unicode(screen) else "- ")


def _plain(cell: RenderableType) -> str:
    return cell.plain if isinstance(cell, Text) else ""


def _owner(rows: Iterable[Row]) -> list[Column]:
    """Whose it is, where that is a question."""
    if len({row.user for row in rows}) < 2:
        return []
    return [Column("USER", lambda row, now: Text(str(row.user), "dim"), narrowest=70, right=True)]


def _id() -> Column:
    return Column("ID", lambda row, now: Text(row.uuid[: wording.SHORT_ID], "dim"))


def _with_error(row: Row) -> Text:
    text = Text(wording.name(row))
    if row.error:
        text.append(f"  {row.error}", "red")
    return text
