"""What opens above the full-screen view: the question before a cancel, and the help."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from headway.cli import wording
from headway.cli.tui.cells import legible
from headway.core.text import shortened
from headway.wire.row import Row

TITLE = 80
"""Characters of a title that a question quotes."""

HELP = (
    ("↑ ↓, j k", "move; also PgUp, PgDn, Home and End"),
    ("← →, Space", "hide or show what is below an activity"),
    ("- +", "hide or show all parts"),
    ("Enter", "details, or none; a double click does the same"),
    ("c", "ask the activity to stop, after a question"),
    ("/", "filter: words in title, subtitle, type or state; state:failed, type:library."),
    ("Esc", "no filter; close what is open"),
    ("Tab, 1, 2", "what runs, and what has ended"),
    ("?", "this help"),
    ("q, Ctrl-C", "leave"),
)

STATES = (
    "What is overdue was asked to stop, and has not. What is stalled has said nothing for long."
    " What is lost was given up: nobody knows whether it still runs."
)


class Question(ModalScreen[bool]):
    """Whether an activity is really to be asked to stop."""

    CSS: ClassVar[str] = """
    Question { align: center middle; }
    Question > Vertical { width: 64; max-width: 96%; height: auto; max-height: 96%; border: round $warning;
        padding: 0 1; }
    Question Static { height: auto; margin-bottom: 1; }
    Question Horizontal { height: auto; }
    Question Button { margin-right: 1; min-width: 10; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", show=False),
        Binding("n,escape,q", "answer(False)", show=False),
        Binding("left,right", "app.focus_next", show=False),
    ]

    def __init__(self, row: Row, parts: int, *, force: bool = False) -> None:
        """``parts``: how many run below it. ``force``: it has been asked before, and is to be given up now."""
        super().__init__()
        self._words = question(row, parts, force=force)
        self._yes = "Give it up (y)" if force else "Stop it (y)"

    def compose(self) -> ComposeResult:
        """The question and the two answers."""
        with Vertical():
            yield Static(self._words, markup=False)
            with Horizontal():
                yield Button(self._yes, id="yes", variant="error", compact=True)
                yield Button("Leave it (n)", id="no", compact=True)

    def on_mount(self) -> None:
        """Enter alone stops nothing."""
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Answer by a key."""
        self.dismiss(yes)


class Help(ModalScreen[None]):
    """What the keys do."""

    CSS: ClassVar[str] = """
    Help { align: center middle; }
    Help > VerticalScroll { width: 72; max-width: 96%; height: auto; max-height: 96%; border: round $primary;
        padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "dismiss", show=False)]

    def compose(self) -> ComposeResult:
        """The keys."""
        text = Text()
        for keys, does in HELP:
            text.append(f"{keys:<11} ", "bold").append(f"{does}\n")
        text.append(f"\n{STATES}")
        with VerticalScroll():
            yield Static(text, markup=False)


def question(row: Row, parts: int, *, force: bool) -> Text:
    """What is asked before a cancel, and what will happen."""
    text = Text("Give up " if force else "Ask ").append(legible(shortened(wording.name(row), TITLE)), "bold")
    if force:
        text.append(
            "?\n\nIt was asked to stop and still runs. It ends as lost at once: whether it stops, nobody knows."
        )
        return text.append(" Only admins may.")
    text.append(" to stop?\n\n")
    if parts:
        text.append(f"The {parts} that run below it are" if parts > 1 else "The one that runs below it is")
        text.append(" asked, too. ")
    return text.append("It may take a while over it, finish anyway, or fail.")
