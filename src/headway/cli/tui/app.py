"""The full-screen view of ``headway watch``: what is told goes into the model, what the model shows is drawn.

However much is told, it is drawn ten times a second at most, and only what is in sight.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import ContentSwitcher, Footer, Input

from headway.cli import wording
from headway.cli.tui import cells
from headway.cli.tui.dialogs import Help, Question
from headway.cli.tui.feed import Feed
from headway.cli.tui.model import Line, Model
from headway.cli.tui.past import Past
from headway.cli.tui.widgets import Details, Header, RowList, Words
from headway.core.errors import HeadwayError, InvalidInput, NotCancellable, NotFound
from headway.core.text import clean, shortened
from headway.ports import Clock
from headway.wire.errors import Unreadable
from headway.wire.row import Row

FRAME = 0.1
"""Seconds between two drawings, at least."""

IDLE = 0.25
"""Seconds between two drawings while nothing is told, but times go on and bars move."""

_WIDE = 140
"""Columns of a screen on which the details stand beside the list."""

_SHORTEST = 12
"""Characters of a title that are quoted, however narrow the screen."""

_ORDER = ("running", "stalled", "asking", "asked", "cancelling", "overdue")


class WatchApp(App[None]):
    """The view of one server."""

    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False
    CSS: ClassVar[str] = """
    RowList, VerticalScroll { scrollbar-background: ansi_default; scrollbar-background-hover: ansi_default;
        scrollbar-background-active: ansi_default; scrollbar-color: ansi_blue; scrollbar-color-hover: ansi_blue;
        scrollbar-color-active: ansi_bright_blue; scrollbar-corner-color: ansi_default; }
    #words { color: $text-muted; }
    #body { height: 1fr; layout: vertical; }
    #body.-wide { layout: horizontal; }
    ContentSwitcher { height: 1fr; width: 1fr; }
    #details { display: none; height: 50%; border-top: solid $primary; padding: 0 1; }
    #details.-open { display: block; }
    #body.-wide #details { height: 1fr; width: 45%; border-top: none; border-left: solid $primary; }
    #heads { text-style: dim; }
    #filter { height: 1; border: none; padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Leave"),
        Binding("ctrl+c", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False, priority=True),
        Binding("c", "cancel", "Cancel"),
        Binding("slash", "filter", "Filter", key_display="/", priority=True),
        Binding("enter", "details", "Details", key_display="⏎"),
        Binding("tab", "tab", "History", key_display="⇥", priority=True),
        Binding("1", "tab('live')", show=False),
        Binding("2", "tab('history')", show=False),
        Binding("left,h", "fold(True)", show=False),
        Binding("right,l", "fold(False)", show=False),
        Binding("space", "fold", show=False),
        Binding("minus", "fold_all(True)", show=False),
        Binding("plus,equals_sign", "fold_all(False)", show=False),
        Binding("escape", "close", show=False),
    ]

    def __init__(self, feed: Feed, clock: Clock, *, server: str, frame: float | None = FRAME) -> None:
        """``server``: what to call it. ``frame``: seconds between drawings; None leaves ``tick`` to the caller."""
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"  # the terminal's own sixteen colours, on whatever background it has
        self.failure: HeadwayError | None = None
        """Why it could not go on."""
        self._feed = feed
        self._clock = clock
        self._server = server
        self._frame = frame
        self._model = Model(clock)
        self._past = Past(self._model)
        self._tab = "live"
        self._asked: str | None = None
        self._said = Text()
        self._news = True
        self._drawn_at = clock.monotonic()

    def compose(self) -> ComposeResult:
        """All there is to see."""
        yield Header(id="header")
        yield Words(id="words")
        yield Words(id="heads")
        with Container(id="body"):
            with ContentSwitcher(initial="live"):
                yield RowList(self._model, self._live_columns, self._clock, id="live")
                yield RowList(self._past, self._past_columns, self._clock, id="history")
            yield Details(id="details")
        yield Words(id="said")
        yield Input(placeholder="words, state:failed, type:library.", id="filter", compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin."""
        self.query_one("#filter").display = False
        self.query_one("#live").focus()
        self.app_resume_signal.subscribe(self, lambda _: self.refresh())  # the shell has been there meanwhile
        self.run_worker(self._watch(), exit_on_error=True)
        if self._frame is not None:
            self.set_interval(self._frame, self._frame_over)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # or the terminal would stay as we have made it
            asyncio.get_running_loop().add_signal_handler(number, self.exit)

    def on_resize(self, event: events.Resize) -> None:
        """The details stand beside the list where there is room."""
        self.query_one("#body").set_class(event.size.width >= _WIDE, "-wide")
        self.call_after_refresh(self.tick)

    # What is told, and drawn

    async def _watch(self) -> None:
        try:
            async for told in self._feed.watch(self._connection):
                self._model.apply(told)
                self._news = True
        except HeadwayError as error:
            self.failure = error
            self.exit()

    def _connection(self, error: HeadwayError | None) -> None:
        self._model.connection(error)
        self._news = True

    def _frame_over(self) -> None:
        if self._news or self._clock.monotonic() - self._drawn_at >= IDLE:
            self.tick()

    def tick(self) -> None:
        """Draw what is known now."""
        if not self.is_running:
            return
        self._news, self._drawn_at = False, self._clock.monotonic()
        now = self._clock.now()
        self._model.age()
        rows = self._rows
        rows.update()
        base = self.screen_stack[0]
        base.query_one("#header", Header).compose_line(self._tab, self._model.link, now, self._server)
        base.query_one("#words", Words).show(self._summary())
        base.query_one("#heads", Words).show(Text(cells.heads(rows.columns), "dim"))
        base.query_one("#said", Words).show(self._stage())
        details = base.query_one("#details", Details)
        if details.has_class("-open"):
            line = self._line
            details.show(line, None if line is None else self._model.stage(line.row.uuid), now)

    @property
    def _rows(self) -> RowList:
        return self.screen_stack[0].query_one(f"#{self._tab}", RowList)

    @property
    def _line(self) -> Line | None:
        place = self._rows.place
        return None if place is None else self._source.line(place)

    @property
    def _source(self) -> Model | Past:
        return self._model if self._tab == "live" else self._past

    def _live_columns(self, width: int) -> Sequence[cells.Column]:
        return cells.live_columns(width, owners=self._model.owners > 1)

    def _past_columns(self, width: int) -> Sequence[cells.Column]:
        return cells.past_columns(width, owners=self._past.owners > 1)

    def _summary(self) -> Text:
        text = Text(" ")
        counts = dict(self._model.counts())
        known = [(word, counts.pop(word)) for word in _ORDER if word in counts]
        for word, count in [*known, *sorted(counts.items())]:
            text.append(f"{count} {word}", cells.look(word)[1]).append("  ")
        if not known and not counts:
            text.append("Nothing is running" if self._model.link.word == "live" else "", "dim")
        if self._model.filter:
            text.append(f"  /{self._model.filter} ", "bold").append(f"{len(self._source.places())} shown", "dim")
        if self._tab == "history":
            text.append("  ").append_text(self._past_words())
        return text

    def _past_words(self) -> Text:
        if self._past.trouble:
            return Text(self._past.trouble, "yellow")
        return Text("reading…" if self._past.reading else "" if self._past.cursor else "that is all of it", "dim")

    def _stage(self) -> Text:
        """What has become of the last cancel; else what was said last."""
        stage = None if self._asked is None else self._model.stage(self._asked)
        row = None if self._asked is None else self._model.get(self._asked)
        if stage is None or row is None:
            return self._said
        return self._about(row).append(stage)

    def _about(self, row: Row) -> Text:
        name = cells.legible(shortened(wording.name(row), max(_SHORTEST, self.size.width // 3)))
        return Text(" ").append(name, "bold").append(": ")

    def _say(self, words: str, row: Row | None = None) -> None:
        self._asked = None
        self._said = (Text(" ") if row is None else self._about(row)).append(clean(words), "yellow")
        self.tick()

    # What the user does

    def on_row_list_moved(self) -> None:
        """Details follow the cursor; history is read as far as somebody looks."""
        self.tick()
        if self._tab == "history" and self._rows.near_end and self._past.cursor:
            self._read_on()

    def on_row_list_toggled(self) -> None:
        """The mark before an activity was clicked."""
        self.action_fold()

    def on_row_list_opened(self) -> None:
        """A double click."""
        self.action_details()

    def on_header_picked(self, event: Header.Picked) -> None:
        """A tab was clicked."""
        self.action_tab(event.tab)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        self._model.filter = event.value
        self.tick()

    def on_input_submitted(self) -> None:
        """The filter stays; its line goes when it is empty."""
        self._leave_filter()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """While a filter is typed, or something else is open, these keys are its own."""
        taken = len(self.screen_stack) > 1 or self.query_one("#filter").has_focus
        return not (action == "filter" and taken) and not (action == "tab" and len(self.screen_stack) > 1)

    def action_filter(self) -> None:
        """Type a filter."""
        line = self.query_one("#filter", Input)
        line.display = True
        self.screen.set_focus(line)

    def action_close(self) -> None:
        """Close what is open, the latest first."""
        line = self.query_one("#filter", Input)
        if line.has_focus or self._model.filter:
            line.value = ""
            self._leave_filter()
        elif self.query_one("#details").has_class("-open"):
            self.action_details()

    def _leave_filter(self) -> None:
        line = self.query_one("#filter", Input)
        line.display = False
        self.screen.set_focus(self._rows)

    def action_details(self) -> None:
        """Open or close the details."""
        self.query_one("#details").toggle_class("-open")
        self.call_after_refresh(self.tick)

    def action_tab(self, tab: str | None = None) -> None:
        """Go to what runs, or to what has ended."""
        self._tab = tab or ("history" if self._tab == "live" else "live")
        self.query_one(ContentSwitcher).current = self._tab
        self._rows.focus()
        if self._tab == "history":
            self._past.begin()
            self._read_on()
        self.call_after_refresh(self.tick)

    def action_fold(self, folded: bool | None = None) -> None:
        """Hide or show what is below the activity under the cursor; from a leaf, go up to its parent."""
        line = self._line
        if line is None or self._tab != "live":
            return
        if line.place.below and (folded is None or folded != line.folded):
            self._model.fold(line.row.uuid, folded=not line.folded)
        elif folded and line.row.parent is not None:
            self._rows.select_uuid(line.row.parent)
        self.tick()

    def action_fold_all(self, folded: bool) -> None:
        """Hide or show all that is below anything."""
        self._model.fold_all(folded=folded)
        self.tick()

    def action_help(self) -> None:
        """What the keys do."""
        self.push_screen(Help())

    def action_cancel(self) -> None:
        """Ask whether to cancel, where that is possible at all."""
        row = None if self._line is None else self._line.row
        if row is None or self._tab != "live" or row.ended_at is not None:
            self._say("has ended already" if row else "Nothing is selected.", row)
        elif not row.cancellable:
            self._say("cannot be cancelled: it was started so", row)
        else:
            self.run_worker(self._cancel(row), exit_on_error=True)

    async def _cancel(self, row: Row) -> None:
        force = row.overdue
        parts = len(self._model.parts(row.uuid))
        if not await self.push_screen_wait(Question(row, parts, force=force)):
            return
        self._asked = row.uuid
        self._model.ask(row.uuid, "asking")
        self.tick()
        try:
            await self._feed.cancel(row.uuid, force=force)
        except HeadwayError as error:
            self._model.ask(row.uuid, None)
            self._say(refusal(error), row)
        else:
            self._model.ask(row.uuid, "asked")
            self.tick()

    def _read_on(self) -> None:
        if not self._past.reading:
            self._past.reading = True
            self.run_worker(self._read_page(), exit_on_error=True)

    async def _read_page(self) -> None:
        try:
            self._past.add(await self._feed.history(before=self._past.cursor))
        except (NotFound, Unreadable):
            self._past.trouble = "This server keeps no history: here is what ended while you watched."
        except HeadwayError as error:
            self._past.trouble = clean(error.message)
        self._past.reading = False
        self.tick()


def refusal(error: HeadwayError) -> str:
    """Why a cancel came to nothing, in words; a server may have said no more than a number."""
    if isinstance(error, NotCancellable | InvalidInput):  # a Plex server gives no reason for its 400
        return "cannot be cancelled: the server refuses"
    if isinstance(error, NotFound):
        return "is not there any more: it has ended, or is not yours"
    return f"could not be cancelled: {error.message}"
