"""A row as one line of a terminal: columns that fit its width, cut by cells, whatever the texts are made of."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from headway.cli import wording
from headway.cli.screen import LOOKS
from headway.cli.tui.model import Line
from headway.wire.row import Row

MARKS = 2
"""Combining marks that a character may carry; more would grow into the lines around it."""

_JOINS = {"Cf", "Cc", "Cs"}
_TITLE = 14
"""Columns that a title has at least."""


class Bar(NamedTuple):
    """What a bar is drawn with: told by shape, not by colour alone."""

    done: str
    left: str


BARS = {
    "running": Bar("━", "─"),
    "stalled": Bar("╍", "┄"),
    "asking": Bar("━", "┄"),
    "asked": Bar("━", "┄"),
    "cancelling": Bar("━", "┄"),
    "overdue": Bar("▒", "░"),
    "lost": Bar("×", "·"),
    "failed": Bar("━", "·"),
    "cancelled": Bar("━", "·"),
}
_PLAIN = Style()  # and not None, which filters of colours trip over
_ENDED = Bar("━", "·")
_STYLES = {"asking": "yellow", "asked": "yellow"}
_ICONS = {"asking": "◌", "asked": "◌"}
_MOVING = 3
"""Cells of what moves along a bar while nobody knows how far it is."""


class Column(NamedTuple):
    """A column, and how it is filled."""

    title: str
    width: int
    """In cells; 0 for the one that takes what the others leave."""
    cell: Callable[[Line, float, int], tuple[str, str]]
    """From a line, the time (seconds since the epoch) and the width: text and style."""
    narrowest: int = 0
    """Cells of the whole line below which it is left out."""
    right: bool = False


def fit(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly so many cells, an ellipsis telling that something is missing."""
    if width <= 0:
        return ""
    if not text.isascii():
        text = legible(text[: width * 4])
    size = cell_len(text[: width + 1]) if text.isascii() else cell_len(text)
    if size > width:
        text = set_cell_size(text, width - 1) + "…"
        size = cell_len(text)
    space = " " * (width - size)
    return space + text if right else text + space


@lru_cache(maxsize=4_096)
def legible(text: str) -> str:
    """The text without what terminals disagree about how wide it is: joiners and variants of emoji, piles of marks."""
    kept: list[str] = []
    marks = 0
    for character in text:
        kind = unicodedata.category(character)
        joins = kind in _JOINS or "\ufe00" <= character <= "\ufe0f" or "\U0001f3fb" <= character <= "\U0001f3ff"
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if joins or marks > MARKS or (marks and not kept):
            continue
        # Two letters make a flag, on some terminals only.
        flag = "\U0001f1e6" <= character <= "\U0001f1ff"
        kept.append(chr(ord(character) - 0x1F1E6 + ord("A")) if flag else character)
    return "".join(kept)


def look(word: str) -> tuple[str, str]:
    """Icon and style of a state."""
    known = LOOKS.get(word)
    return (_ICONS.get(word, "·"), _STYLES.get(word, "")) if known is None else (known.icon, known.style)


def state(line: Line, now: float, width: int) -> tuple[str, str]:
    """The state as an icon and a word."""
    icon, style = look(line.word)
    return f"{icon} {line.word}", style


def bar(line: Line, now: float, width: int) -> tuple[str, str]:
    """How far it is; moving, four times a second, while nobody knows."""
    row, shape = line.row, BARS.get(line.word, _ENDED)
    style = look(line.word)[1]
    if row.fraction is None and not 0 <= row.progress <= 100:
        if line.word not in ("running", "asking", "asked", "cancelling"):
            return shape.left * width, style
        at = int(now * 4) % (width + _MOVING)
        track = shape.left * (width + 2 * _MOVING)
        return (track[:at] + shape.done * _MOVING + track[at + _MOVING :])[_MOVING : _MOVING + width], style
    done = row.fraction if row.fraction is not None else row.progress / 100
    # Down, as percent are: only what is complete looks complete.
    filled = int(min(1.0, max(0.0, done)) * width)
    return shape.done * filled + shape.left * (width - filled), style


def title(line: Line, now: float, width: int) -> tuple[str, str]:
    """Where it stands in the tree, what it is and what it is doing."""
    place = line.place
    indent = "  " * place.depth
    # However deep it is, it keeps room for a name.
    indent = indent[: max(0, (width - _TITLE) // 2 * 2)]
    marker = ("▸ " if line.folded else "▾ ") if place.below else "  "
    hidden = f" (+{place.below})" if line.folded else ""
    name = wording.name(line.row)[: width * 4]
    doing = line.row.subtitle[: width * 4]
    return f"{indent}{marker}{name}{hidden}{f' · {doing}' if doing else ''}", ""


def _text(words: Callable[[Row, float], str], style: str = "") -> Callable[[Line, float, int], tuple[str, str]]:
    return lambda line, now, width: (words(line.row, now), style)


def live_columns(width: int, *, owners: bool) -> list[Column]:
    """The columns of what runs, as many as a line has room for. ``owners``: whose it is is a question."""
    room = 8 if width < 100 else 12 if width < 140 else 24
    return _chosen(
        width,
        Column("STATE", 12, state),
        Column("TITLE", 0, title),
        Column("", room, bar, narrowest=60),
        Column("DONE", 4, _text(lambda row, now: wording.percent(row)), right=True),
        Column(
            "COUNT", 20 if width < 160 else 26, _text(lambda row, now: wording.counts(row)), narrowest=120, right=True
        ),
        Column("SPEED", 12, _text(lambda row, now: wording.speed(row), "dim"), narrowest=105, right=True),
        Column("LEFT", 6, _text(wording.remaining), narrowest=70, right=True),
        Column("TIME", 6, _text(wording.elapsed, "dim"), narrowest=50, right=True),
        *_owner(owners),
        _ID,
    )


def past_columns(width: int, *, owners: bool) -> list[Column]:
    """The columns of what has ended."""
    return _chosen(
        width,
        Column("STATE", 12, state),
        Column("TITLE", 0, _what_became),
        Column("DONE", 4, _text(lambda row, now: wording.percent(row)), narrowest=60, right=True),
        Column("ENDED", 16, _text(lambda row, now: wording.moment(row.ended_at, now)), narrowest=70, right=True),
        Column("TIME", 6, _text(wording.elapsed, "dim"), narrowest=50, right=True),
        *_owner(owners),
        _ID,
    )


def heads(columns: Sequence[Column]) -> str:
    """The titles above them."""
    return " ".join(fit(column.title, column.width, right=column.right) for column in columns)


def segments(line: Line, columns: Sequence[Column], now: float) -> list[Segment]:
    """A line, in cells exactly as wide as its columns."""
    found: list[Segment] = []
    for column in columns:
        text, style = column.cell(line, now, column.width)
        look = Style.parse("dim") if line.fading else Style.parse(style)
        found += (Segment(fit(text, column.width, right=column.right), look), Segment(" ", _PLAIN))
    return found[:-1]


def _what_became(line: Line, now: float, width: int) -> tuple[str, str]:
    row = line.row
    said = row.error or row.subtitle
    return f"{wording.name(row)[: width * 4]}{f' · {said[: width * 4]}' if said else ''}", ""


def _owner(owners: bool) -> list[Column]:
    return [Column("USER", 6, _text(lambda row, now: str(row.user), "dim"), narrowest=80, right=True)] if owners else []


def _chosen(width: int, *columns: Column) -> list[Column]:
    chosen = [column for column in columns if width >= column.narrowest]
    rest = width + 1 - sum(column.width + 1 for column in chosen)
    return [column if column.width else column._replace(width=max(1, rest)) for column in chosen]


_ID = Column("ID", wording.SHORT_ID, _text(lambda row, now: row.uuid[: wording.SHORT_ID], "dim"), narrowest=90)
