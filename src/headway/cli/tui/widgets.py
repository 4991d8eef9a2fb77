"""What the full-screen view is made of. What a server says becomes ``rich.text.Text`` or segments, never markup."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from headway.cli import facts, wording
from headway.cli.tui import cells
from headway.cli.tui.cells import Column
from headway.cli.tui.model import Line, Link, Place
from headway.core.text import shortened
from headway.ports import Clock

VALUE = 2_000
"""Characters of a value that the details show."""

_LINKS = {
    "connecting": ("◌ connecting", "yellow"),
    "live": ("● live", "green"),
    "reconnecting": ("◌ reconnecting", "bold yellow"),
    "stale": ("✘ stale", "bold red"),
}


class Source(Protocol):
    """What a list shows."""

    def places(self) -> list[Place]:
        """All of it, in order; the same list as before while nothing has moved."""

    def line(self, place: Place) -> Line:
        """What stands in a place now."""


class Words(Widget):
    """A line of text, drawn again when it says something else."""

    DEFAULT_CSS: ClassVar[str] = "Words { height: 1; }"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._text = Text()

    def show(self, text: Text) -> None:
        """Say this."""
        text.no_wrap, text.overflow = True, "ellipsis"
        if text != self._text:
            self._text = text
            self.refresh()

    def render(self) -> Text:
        """The text, as far as there is room."""
        text = self._text.copy()
        text.truncate(self.size.width, overflow="ellipsis")
        return text


class Header(Words):
    """The tabs, and always, whatever else there is no room for, how the connection stands."""

    class Picked(Message):
        """A tab was clicked."""

        def __init__(self, tab: str) -> None:
            self.tab: str = tab
            super().__init__()

    TABS: ClassVar[tuple[str, ...]] = ("live", "history")

    def compose_line(self, tab: str, link: Link, now: float, server: str) -> None:
        """Show which tab is open, the connection and, where there is room, the server."""
        right = self._link(link, now)
        left = Text()
        for each in self.TABS:
            left.append(f" {each.title()} ", "reverse bold" if each == tab else "")
        room = self.size.width - left.cell_len - 1
        if right.cell_len > room:
            right.truncate(max(0, room), overflow="ellipsis")
        server = cells.fit(f" {server}", max(0, room - right.cell_len - 1)) if server else ""
        self.show(left.append(server or " ", "dim").append(" ").append_text(right))

    def on_click(self, event: events.Click) -> None:
        """Open the tab that was clicked."""
        begin = 0
        for tab in self.TABS:
            if begin <= event.x < begin + len(tab) + 2:
                self.post_message(self.Picked(tab))
            begin += len(tab) + 2

    @staticmethod
    def _link(link: Link, now: float) -> Text:
        word, style = _LINKS[link.word]
        text = Text(word, style)
        if link.since is not None:
            text.append(f" since {wording.moment(link.since, now)}")
            text.append(f" {shortened(link.reason, 200)}", "dim")
        return text


class RowList(ScrollView, can_focus=True):
    """Rows of which only those in sight are drawn, and of those only the ones that look different.

    The row under the cursor keeps its place on the screen, whatever comes and goes around it.
    """

    DEFAULT_CSS: ClassVar[str] = """
    RowList { height: 1fr; overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("pagedown,ctrl+f", "page(1)", show=False),
        Binding("home,g", "move(-1000000)", show=False),
        Binding("end,G", "move(1000000)", show=False),
    ]

    class Moved(Message):
        """The cursor stands elsewhere."""

    class Opened(Message):
        """A row was double-clicked."""

    class Toggled(Message):
        """The mark was clicked before which something is folded away."""

    def __init__(self, source: Source, columns: Callable[[int], Sequence[Column]], clock: Clock, *, id: str) -> None:
        """``columns``: those for a line of so many cells."""
        super().__init__(id=id)
        self._source = source
        self._columns = columns
        self._clock = clock
        self._places: list[Place] = []
        self._cursor = 0
        self._selected: str | None = None
        self._drawn: list[Strip] = []
        self._drawn_from = 0

    @property
    def selected(self) -> str | None:
        """The activity under the cursor."""
        return self._selected

    @property
    def place(self) -> Place | None:
        """Where the cursor stands."""
        return self._places[self._cursor] if self._places else None

    @property
    def near_end(self) -> bool:
        """True when little is left below what is in sight."""
        return self.scroll_offset.y + 2 * self.size.height >= len(self._places)

    @property
    def line_width(self) -> int:
        """Cells of a line."""
        return int(self.scrollable_content_region.width)

    @property
    def columns(self) -> Sequence[Column]:
        """What a line is made of."""
        return self._columns(self.line_width)

    def update(self) -> None:
        """Look again at what is to be shown, and draw what looks different."""
        places = self._source.places()
        if places is not self._places:
            self._places = places
            self._follow()
        top, drawn, before = self.scroll_offset.y, self._draw(), self._drawn
        moved = top != self._drawn_from or len(drawn) != len(before)
        self._drawn, self._drawn_from = drawn, top
        if moved:
            self.refresh()
        elif changed := [y for y, (new, old) in enumerate(zip(drawn, before, strict=True)) if new != old]:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        """A line of what is in sight."""
        if self._drawn_from != self.scroll_offset.y or y >= len(self._drawn):
            self._drawn, self._drawn_from = self._draw(), self.scroll_offset.y
        return self._drawn[y] if y < len(self._drawn) else Strip.blank(self.size.width, _PLAIN)

    def select(self, index: int) -> None:
        """Move the cursor to a line, which comes into sight."""
        if not self._places:
            return
        self._cursor = min(max(0, index), len(self._places) - 1)
        self._selected = self._places[self._cursor].uuid
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        if not top <= self._cursor < top + height:
            self.scroll_to(y=self._cursor if self._cursor < top else self._cursor - height + 1, animate=False)
        self.update()
        self.post_message(self.Moved())

    def select_uuid(self, uuid: str) -> None:
        """Move the cursor to an activity, if it is shown."""
        index = self._index(uuid)
        if index is not None:
            self.select(index)

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self.select(self._cursor + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by what is in sight."""
        self.select(self._cursor + pages * max(1, self.scrollable_content_region.height - 1))

    def on_click(self, event: events.Click) -> None:
        """Select what was clicked; fold it at its mark, open it by a double click."""
        index = self.scroll_offset.y + event.y
        if index >= len(self._places):
            return
        self.select(index)
        begin = self.columns[0].width + 1 + 2 * self._places[index].depth
        if begin <= event.x < begin + 2 and self._places[index].below:
            self.post_message(self.Toggled())
        elif event.chain == 2:
            self.post_message(self.Opened())

    def on_resize(self) -> None:
        """Draw all anew, the cursor in sight."""
        self._drawn = []
        _scrolls(self, Size(self.line_width, len(self._places)))
        self.select(self._cursor)

    def _follow(self) -> None:
        """The cursor stays with its activity; where that has gone, at its place."""
        before = self._cursor
        index = self._index(self._selected)
        self._cursor = min(before if index is None else index, max(0, len(self._places) - 1))
        self._selected = self._places[self._cursor].uuid if self._places else None
        _scrolls(self, Size(self.line_width, len(self._places)))
        if self._cursor != before:
            self.scroll_to(y=max(0, self.scroll_offset.y + self._cursor - before), animate=False)

    def _index(self, uuid: str | None) -> int | None:
        return next((index for index, place in enumerate(self._places) if place.uuid == uuid), None)

    def _draw(self) -> list[Strip]:
        top, height = self.scroll_offset.y, self.size.height
        columns, now = self.columns, self._clock.now()
        width = sum(column.width + 1 for column in columns) - 1
        drawn = []
        for index in range(top, min(top + height, len(self._places))):
            strip = Strip(cells.segments(self._source.line(self._places[index]), columns, now), width)
            drawn.append(_under_cursor(strip) if index == self._cursor else strip)
        return [*drawn, *(Strip.blank(width, _PLAIN) for _ in range(height - len(drawn)))]


class Details(VerticalScroll):
    """All there is to know of one activity."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._body = Static(markup=False)
        self._shown: Text | None = None

    def on_mount(self) -> None:
        """Put the text in."""
        self.mount(self._body)

    def show(self, line: Line | None, stage: str | None, now: float) -> None:
        """Show an activity, and what has become of a cancel of it."""
        text = Text("Nothing is selected.", "dim") if line is None else told(line, stage, now)
        if text != self._shown:
            self._shown = text
            self._body.update(text)


def told(line: Line, stage: str | None, now: float) -> Text:
    """An activity in full, as text."""
    row = line.row
    icon, style = cells.look(line.word)
    text = Text(overflow="fold").append(f"{icon} {line.word}", style).append(f"  {stage or ''}\n")
    sections = {
        "": [*facts.work(row, now), *facts.nature(row)],
        "Timeline": list(facts.times(row, now)),
        "Context": list(facts.bag(row.context)),
        "Response": list(facts.bag(row.response)),
    }
    for name, found in sections.items():
        if not found:
            continue
        text.append(f"\n{name}\n" if name else "", "bold")
        for label, value in found:
            text.append(f"{shortened(label, 64):<14} ", "dim")
            text.append(f"{cells.legible(shortened(value, VALUE))}\n", "red" if label == "error" else "")
    return text


def _scrolls(shown: ScrollView, size: Size) -> None:
    """Say how large all of it is."""
    shown.virtual_size = size


def _under_cursor(strip: Strip) -> Strip:
    """In one piece, whatever its colours."""
    return Strip([Segment(segment.text, _CURSOR) for segment in strip], strip.cell_length)


_CURSOR = Style(reverse=True)
_PLAIN = Style()
