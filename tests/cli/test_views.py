"""What `watch` shows."""

import io
import json
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

    def test_lines_on_a_terminal_too_where_they_are_asked_for(self) -> None:
        assert isinstance(view_for(console(terminal=True), as_json=False, plain=True), LineView)

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

    def test_it_says_that_it_connects(self) -> None:
        on = console(terminal=True)
        view = LiveView(on)
        assert "Connecting" in self.shown(view, on)
        view.connection(None)
        assert self.shown(view, on).strip() == ""

    def test_a_bar_while_it_runs_and_a_line_when_it_has_ended(self) -> None:
        on = console(terminal=True)
        with LiveView(on) as view:
            view.connection(None)
            view.snapshot([made(title="one", progress=50)])
            assert "50%" in self.shown(view, on)
            view.event(Kind.ENDED, made(title="one", state="succeeded"))
        assert "one" not in self.shown(view, on)
        assert "✔ succeeded  one" in on.file.getvalue()  # type: ignore[attr-defined]

    def test_trouble_is_shown_with_the_last_state(self) -> None:
        on = console(terminal=True)
        view = LiveView(on)
        view.connection(None)
        view.snapshot([made(title="one")])
        view.connection(GONE)
        drawn = self.shown(view, on)
        assert ("one" in drawn, "trying again: nobody there" in drawn) == (True, True)
