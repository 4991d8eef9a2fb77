"""What ``headway watch`` shows where it does not fill the screen: one bar on a terminal, lines elsewhere, or JSON."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from headway.cli import screen, wording
from headway.cli.output import print_line
from headway.client.live.replica import Replica
from headway.core.errors import HeadwayError
from headway.core.view import Kind
from headway.wire.notifications import ActivityNotification, SnapshotNotification
from headway.wire.row import Row

REFRESH = 4
"""Redraws per second: times go on, also when nothing else does."""

STEP = 10
"""Percent that something must move to be worth another line, where nothing can be redrawn."""


class View(Protocol):
    """One way of showing."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def snapshot(self, rows: list[Row]) -> None:
        """All that is live."""

    def event(self, kind: Kind, row: Row) -> None:
        """Something happened to an activity."""

    def connection(self, error: HeadwayError | None) -> None:
        """The connection is lost, or it is there."""


def view_for(shown: Console, *, as_json: bool, plain: bool = False) -> View:
    """The view that suits what it is shown on; ``plain``: lines wherever that is."""
    if as_json:
        return JsonView()
    return LiveView(shown) if shown.is_terminal and not shown.is_dumb_terminal and not plain else LineView()


class JsonView:
    """A line of JSON for each event."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is kept open."""

    def snapshot(self, rows: list[Row]) -> None:
        """All that is live."""
        print_line({"event": "snapshot", "Activity": rows})

    def event(self, kind: Kind, row: Row) -> None:
        """Something happened to an activity."""
        print_line({"event": kind, "uuid": row.uuid, "Activity": row})

    def connection(self, error: HeadwayError | None) -> None:
        """Who reads JSON waits for events; a gap is told by another snapshot."""


class LineView:
    """A line for each start, end, request to stop and larger step."""

    def __init__(self) -> None:
        self._told: dict[str, Row] = {}
        self._lost = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is kept open."""

    def snapshot(self, rows: list[Row]) -> None:
        """All that is live: a line for what has not been told yet."""
        for row in rows:
            self.event(Kind.UPDATED, row)

    def event(self, kind: Kind, row: Row) -> None:
        """Something happened to an activity."""
        if kind is Kind.ENDED:
            self._told.pop(row.uuid, None)
            self._tell("ended", row, wording.ending(row))
        elif self._is_news(row):
            word = wording.state(row) if kind is Kind.UPDATED else "started"
            self._told[row.uuid] = row
            self._tell(word, row, row.subtitle)

    def connection(self, error: HeadwayError | None) -> None:
        """The connection is lost, or it is there."""
        if error is not None and not self._lost:
            click.echo(f"{_clock()}  trying again: {error.message}", err=True)
        elif error is None and self._lost:
            click.echo(f"{_clock()}  connected again", err=True)
        self._lost = error is not None

    def _is_news(self, row: Row) -> bool:
        told = self._told.get(row.uuid)
        if told is None or wording.state(row) != wording.state(told):
            return True
        return abs(row.progress - told.progress) >= STEP or (
            row.progress != told.progress and row.progress in (-1, 100)
        )

    def _tell(self, word: str, row: Row, details: str) -> None:
        parts = (_clock(), f"{word:<10}", f"{wording.percent(row):>4}", row.uuid[: wording.SHORT_ID], wording.name(row))
        sys.stdout.write("  ".join((*parts, details)).rstrip() + "\n")
        sys.stdout.flush()


class LiveView:
    """The bar of an activity, redrawn in place; once it has ended, a line that stays."""

    def __init__(self, shown: Console) -> None:
        self._screen = shown
        self._replica = Replica()
        self._trouble: HeadwayError | None = None
        self._connected = False
        self._live = Live(console=shown, get_renderable=self._render, refresh_per_second=REFRESH)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def snapshot(self, rows: list[Row]) -> None:
        """All that is live."""
        self._replica.apply(SnapshotNotification(rows))
        self._live.refresh()

    def event(self, kind: Kind, row: Row) -> None:
        """Something happened to an activity."""
        self._replica.apply(ActivityNotification(kind, row))
        if kind is Kind.ENDED:
            self._live.console.print(screen.ended_line(row, self._screen), soft_wrap=True)

    def connection(self, error: HeadwayError | None) -> None:
        """The connection is lost, or it is there."""
        self._trouble = error
        self._connected = self._connected or error is None

    def _render(self) -> RenderableType:
        rows = list(self._replica)
        columns = screen.live_columns(self._screen, rows)
        return Group(screen.table(self._screen, rows, columns), self._last_line()) if rows else self._last_line()

    def _last_line(self) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis", style="dim")
        if not self._connected:
            return text.append("Connecting…" if screen.unicode(self._screen) else "Connecting...")
        return (
            text if self._trouble is None else text.append(f"trying again: {self._trouble.message}", "not dim yellow")
        )


def _clock() -> str:
    return time.strftime("%H:%M:%S")
