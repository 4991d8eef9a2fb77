"""What has ended, newest first: pages of the server's history, and on top of them what has ended since."""

from __future__ import annotations

from collections.abc import Iterator

from headway.cli import wording
from headway.cli.tui.model import Line, Model, Place
from headway.client.calls import Page
from headway.wire.row import Row


class Past:
    """The history as far as it has been read. A server that keeps none leaves what ended while somebody looked."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._pages: dict[str, Row] = {}
        self._shown: list[Place] = []
        self._found: dict[str, Row] = {}
        self._shown_of: tuple[object, ...] | None = None
        self.cursor: str | None = None
        """Where the next page begins; None at the end, and before the first."""
        self.reading: bool = False
        """A page is on its way."""
        self.trouble: str = ""
        """Why there is no more of it."""

    def __repr__(self) -> str:
        return f"<Past read={len(self._pages)} cursor={self.cursor}>"

    def __len__(self) -> int:
        return len(self._found)

    @property
    def owners(self) -> int:
        """How many users' activities are shown."""
        return len({row.user for row in self._found.values()})

    def begin(self) -> None:
        """Forget the pages: they are read anew."""
        self._pages, self.cursor, self.trouble = {}, None, ""
        self._shown_of = None

    def add(self, page: Page) -> None:
        """Take in the next page."""
        self._pages.update((row.uuid, row) for row in page.rows)
        self.cursor = page.cursor if page.rows else None

    def places(self) -> list[Place]:
        """What is to be shown, newest first: the same list as before while nothing has changed."""
        newest = self._model.ended[0] if self._model.ended else None
        shown_of = (newest, len(self._pages), self._model.filter)
        if shown_of != self._shown_of:
            self._found = {row.uuid: row for row in self._rows() if self._model.matches(row)}
            self._shown = [Place(uuid) for uuid in self._found]
            self._shown_of = shown_of
        return self._shown

    def line(self, place: Place) -> Line:
        """What to show in a place."""
        row = self._found[place.uuid]
        return Line(row, wording.state(row), place)

    def get(self, uuid: str) -> Row | None:
        """One of those that are shown."""
        return self._found.get(uuid)

    def _rows(self) -> Iterator[Row]:
        yield from (row for row in self._model.ended if row.uuid not in self._pages)
        yield from self._pages.values()
