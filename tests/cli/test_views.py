"""What `watch` shows."""

import io
import json
import re
from typing import Any

import pytest
from rich.console import Console

from headway.cli.views import JsonView, LineView, LiveView, view_for
from headway.client.errors import Unreachable
from headway.core.view import Kind
from headway.wire.decode import row_from
from headway.wire.row import Row
from tests.client.scripted_server import OTHER, UUID, row

GONE = Unreachable("nobody there")


def made(uuid: str = UUID, **members: Any) -> Row:
    return row_from(row(uuid, **members))


def console(*, terminal: bool, height: int = 24, width: int = 100) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        width=width,
        height=height,
        color_system=None,
        markup=False,
        highlight=False,
        _environ={"TERM": "xterm"},
    )


class TestChoice:
    def test_bars_on_a_terminal_lines_elsewhere(self) -> None:
        assert isinstance(view_for(console(terminal=True), as_json=False), LiveView)
        assert isinstance(view_for(console(terminal=False), as_json=False), LineView)
        assert isinstance(view_for(console(terminal=True), as_json=True), JsonView)

    def test_a_dumb_terminal_gets_lines(self) -> None:
        dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
        assert isinstance(view_for(dumb, as_json=False), LineView)


class TestLines:
    @pytest.fixture
    def view(self) -> LineView:
        return LineView()

    @staticmethod
    def lines(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
        """What was printed, without the clock."""
        return [line.split()[1:] for line in capsys.readouterr().out.splitlines()]

    def test_a_life(self, view: LineView, capsys: pytest.CaptureFixture[str]) -> None:
        view.event(Kind.STARTED, made(title="t"))
        view.event(Kind.UPDATED, made(title="t", state="cancelling"))
        view.event(Kind.ENDED, made(title="t", state="cancelled"))
        assert self.lines(capsys) == [
            ["started", "0%", UUID[:8], "t"],
            ["cancelling", "0%", UUID[:8], "t"],
            ["ended", "0%", UUID[:8], "t", "cancelled"],
        ]

    def test_a_silence_and_its_end_are_news(self, view: LineView, capsys: pytest.CaptureFixture[str]) -> None:
        for stalled in (False, True, True, False):
            view.event(Kind.UPDATED, made(title="t", state="running", stalled=stalled))
        assert [line[0] for line in self.lines(capsys)] == ["running", "stalled", "running"]

    def test_small_steps_are_passed_over(self, view: LineView, capsys: pytest.CaptureFixture[str]) -> None:
        for percent in range(101):
            view.event(Kind.UPDATED, made(progress=percent))
        assert [line[1] for line in self.lines(capsys)] == [f"{step}%" for step in range(0, 101, 10)]

    def test_a_snapshot_tells_what_is_new(self, view: LineView, capsys: pytest.CaptureFixture[str]) -> None:
        view.snapshot([made()])
        view.snapshot([made(), made(OTHER)])
        assert [line[2] for line in self.lines(capsys)] == [UUID[:8], OTHER[:8]]

    def test_a_lost_connection_is_said_once_and_so_is_its_return(
        self, view: LineView, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for error in (None, GONE, GONE, None, None):
            view.connection(error)
        told = [line.partition("  ")[2] for line in capsys.readouterr().err.splitlines()]
        assert told == ["trying again: nobody there", "connected again"]


class TestJson:
    def test_one_event_a_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        view = JsonView()
        with view:
            view.connection(None)
            view.snapshot([made()])
            view.event(Kind.ENDED, made(state="failed"))
            view.connection(GONE)
        first, second = map(json.loads, capsys.readouterr().out.splitlines())
        assert (first["event"], [each["uuid"] for each in first["Activity"]]) == ("snapshot", [UUID])
        assert (second["event"], second["uuid"], second["Activity"]["state"]) == ("ended", UUID, "failed")


class TestBars:
    @staticmethod
    def shown(view: LiveView, on: Console) -> str:
        """What is drawn now, apart from what has been drawn before."""
        with on.capture() as capture:
            on.print(view._render())
        return capture.get()

    def test_it_says_that_it_connects_and_that_there_is_nothing(self) -> None:
        on = console(terminal=True)
        view = LiveView(on)
        assert "Connecting" in self.shown(view, on)
        view.connection(None)
        assert "Nothing is running" in self.shown(view, on)

    def test_a_bar_for_each_and_a_line_for_what_has_ended(self) -> None:
        on = console(terminal=True)
        with LiveView(on) as view:
            view.connection(None)
            view.snapshot([made(title="one", progress=50), made(OTHER, title="two")])
            view.event(Kind.ENDED, made(title="one", state="succeeded"))
        drawn = self.shown(view, on)
        assert ("one" in drawn, "two" in drawn, "1 running" in drawn) == (False, True, True)
        assert "✔ succeeded  one" in on.file.getvalue()  # type: ignore[attr-defined]

    def test_trouble_is_shown_with_the_last_state(self) -> None:
        on = console(terminal=True)
        view = LiveView(on)
        view.connection(None)
        view.snapshot([made(title="one")])
        view.connection(GONE)
        drawn = self.shown(view, on)
        assert ("one" in drawn, "1 running; trying again: nobody there" in drawn) == (True, True)

    def test_what_begins_later_stands_below_what_it_is_a_part_of(self) -> None:
        on = console(terminal=True)
        view = LiveView(on)
        view.snapshot([made(title="one"), made(OTHER, title="two")])
        view.event(Kind.STARTED, made(f"{0:08d}{UUID[8:]}", title="part", parentUUID=UUID))
        assert re.findall("one|two|└ part", self.shown(view, on)) == ["one", "└ part", "two"]

    def test_no_more_than_the_screen_holds(self) -> None:
        on = console(terminal=True, height=10)
        view = LiveView(on)
        view.connection(None)
        view.snapshot([made(f"{number:08d}{UUID[8:]}") for number in range(50)])
        drawn = self.shown(view, on)
        assert len(drawn.splitlines()) < 10
        assert "50 running, 44 more than there is room for" in drawn
