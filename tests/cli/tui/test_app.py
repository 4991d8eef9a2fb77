"""The full-screen view as a person uses it: keys, mouse, sizes, and what they see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from textual.pilot import Pilot

from headway.cli.tui import cells
from headway.cli.tui.app import IDLE, WatchApp, refusal
from headway.cli.tui.dialogs import Question
from headway.cli.tui.model import LINGER, STALE, Line
from headway.cli.tui.widgets import RowList
from headway.client.calls import Page
from headway.client.errors import Unreachable
from headway.core.errors import InvalidInput, NotAuthenticated, NotCancellable, NotFound
from headway.testing.clock import FakeClock
from headway.wire.row import Row
from tests.cli.tui.fake_feed import FakeFeed, Link, ended, made, snapshot, started, updated
from tests.cli.tui.test_cells import HOSTILE

pytestmark = pytest.mark.anyio
FAMILY = (
    made("a", title="Backup", progress=40, startedAt=940),
    made("a1", title="Films", parentUUID="a"),
    made("a2", title="Music", parentUUID="a"),
    made("b", title="Scan", cancellable=False),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Person:
    """Somebody who sits before the view."""

    feed: FakeFeed
    clock: FakeClock
    app: WatchApp
    pilot: Pilot[None]

    async def told(self, *told: Any) -> None:
        """The server tells something, and it is drawn."""
        self.feed.tell(*told)
        await self.feed.taken()
        self.app.tick()
        await self.pilot.pause()

    async def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.app.tick()
        await self.pilot.pause()

    async def types(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()

    @property
    def lines(self) -> list[str]:
        """What the screen shows."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def titles(self) -> list[str]:
        """The words of the list, below its heads."""
        return [line.split()[2].strip("▾▸") or line.split()[3] for line in self.lines[3:-2] if line.strip(" ▁▂▃▄▅▆▇█")]

    def under_cursor(self) -> str | None:
        return self.app.screen_stack[0].query_one("#live", RowList).selected


@asynccontextmanager
async def watching(*rows: Row, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Person]:
    feed, clock = FakeFeed(snapshot(*rows)), FakeClock(now=1_000.0)
    app = WatchApp(feed, clock, server="http://127.0.0.1:4590", frame=None)
    async with app.run_test(size=size) as pilot:
        person = Person(feed, clock, app, pilot)
        await pilot.pause()
        await person.told()
        yield person


class TestList:
    async def test_the_tree_with_all_that_is_known_of_each(self) -> None:
        async with watching(*FAMILY) as person:
            assert person.titles == ["Backup", "Films", "Music", "Scan"]
            assert "● running    ▾ Backup" in person.text
            assert "━━━─────  40%" in person.text
            assert "1m00s" in person.lines[3]
            assert "● live" in person.lines[0]
            assert "4 running" in person.lines[1]

    async def test_what_has_ended_stays_a_while_and_nothing_jumps(self) -> None:
        async with watching(*FAMILY) as person:
            await person.types("end")
            await person.told(ended("a1", "failed", title="Films", parentUUID="a"), started("c", title="New"))
            assert person.titles == ["Backup", "Films", "Music", "Scan", "New"]
            assert "✘ failed" in person.lines[4]
            assert person.under_cursor() == "b"
            await person.later(LINGER)
            assert person.titles == ["Backup", "Music", "Scan", "New"]
            assert person.under_cursor() == "b"

    async def test_the_row_under_the_cursor_keeps_its_place_on_the_screen(self) -> None:
        rows = [made(f"r{number}") for number in range(100)]
        async with watching(*rows, size=(80, 20)) as person:
            await person.types(*["pagedown"] * 4)
            chosen = person.under_cursor()
            height = next(y for y, line in enumerate(person.lines) if f" {chosen} " in f"{line} ")
            await person.told(*(ended(f"r{number}") for number in range(10)))
            await person.later(LINGER)
            assert person.under_cursor() == chosen
            assert f" {chosen} " in f"{person.lines[height]} "

    async def test_only_what_is_in_sight_is_drawn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with watching(*(made(f"r{number}") for number in range(5_000))) as person:
            drawn: list[str] = []
            draw = cells.segments

            def noting(line: Line, *others: Any) -> Any:
                drawn.append(line.row.uuid)
                return draw(line, *others)

            monkeypatch.setattr(cells, "segments", noting)
            await person.told(*(updated(f"r{number}", progress=50) for number in range(5_000)))
            assert set(drawn) <= {f"r{number}" for number in range(24)}
            assert drawn
            assert "50%" in person.lines[3]

    async def test_it_is_drawn_for_what_is_told_and_for_times_that_go_on(self) -> None:
        async with watching(*FAMILY) as person:
            drawn = [person.app._drawn_at]
            for seconds, told in ((IDLE / 2, []), (0, [updated("a", progress=50)]), (IDLE, [])):
                person.clock.advance(seconds)
                person.feed.tell(*told)
                await person.feed.taken()
                person.app._frame_over()
                drawn.append(person.app._drawn_at)
            assert drawn == [0, 0, IDLE / 2, 3 * IDLE / 2]

    async def test_parts_are_folded_by_key_and_by_mouse(self) -> None:
        async with watching(*FAMILY) as person:
            await person.types("left")
            assert person.titles == ["Backup", "Scan"]
            assert "▸ Backup (+2)" in person.lines[3]
            await person.types("right", "down", "left")
            assert person.under_cursor() == "a"
            await person.types("minus")
            assert person.titles == ["Backup", "Scan"]
            await person.types("plus")
            assert len(person.titles) == 4
            await person.pilot.click("#live", offset=(13, 0))
            await person.pilot.pause()
            assert person.titles == ["Backup", "Scan"]

    async def test_whose_it_is_shows_where_that_is_a_question(self) -> None:
        async with watching(made("a"), made("b", userID=7), size=(100, 24)) as person:
            assert "USER" in person.lines[2]

    @pytest.mark.parametrize("size", [(40, 15), (80, 24), (139, 30), (300, 60)])
    async def test_hostile_titles_break_nothing_at_any_size(self, size: tuple[int, int]) -> None:
        rows = [
            made(f"h{number}", title=title, subtitle=title, error=title, Context={title[:99]: title[:999]})
            for number, title in enumerate(HOSTILE)
        ]
        async with watching(*rows, size=size) as person:
            await person.types("enter", "end", "c", "escape")
            assert all(line.isprintable() for line in person.lines)
            assert len(person.lines) == size[1]
            assert "[bold]x[/]" in person.text or size[0] < 80

    async def test_a_resize_draws_all_anew(self) -> None:
        async with watching(*FAMILY) as person:
            await person.pilot.resize_terminal(40, 15)
            await person.pilot.pause()
            assert max(map(len, person.lines)) <= 40
            await person.pilot.resize_terminal(200, 50)
            await person.pilot.pause()
            assert "ID" in person.lines[2]
            assert person.titles == ["Backup", "Films", "Music", "Scan"]

    async def test_details_stand_beside_the_list_where_there_is_room(self) -> None:
        async with watching(*FAMILY) as person:
            await person.types("enter")
            tops = [next(y for y, line in enumerate(person.lines) if "progress" in line)]
            await person.pilot.resize_terminal(200, 24)
            await person.pilot.pause()
            tops.append(next(y for y, line in enumerate(person.lines) if "progress" in line))
            assert tops[0] > 10 > tops[1]


class TestConnection:
    async def test_a_lost_one_is_always_in_sight(self) -> None:
        async with watching(*FAMILY, size=(40, 15)) as person:
            await person.told(Link(Unreachable("nobody there")))
            assert "reconnecting" in person.lines[0]
            await person.later(STALE)
            assert "stale since" in person.lines[0]
            assert person.titles == ["Backup", "Films", "Music", "Scan"]
            await person.told(Link())
            assert "● live" in person.lines[0]

    async def test_what_trying_again_cannot_mend_ends_it(self) -> None:
        async with watching() as person:
            assert "Nothing is running" in person.text
            person.feed.tell(error := NotAuthenticated())
            await person.feed.taken()
            await person.pilot.pause()
            assert person.app.failure is error


class TestFilter:
    async def test_it_is_typed_kept_and_left(self) -> None:
        async with watching(*FAMILY) as person:
            await person.types("slash", "f", "i", "l", "m")
            assert person.titles[:2] == ["Backup", "Films"]
            await person.types("enter")
            assert "/film 2 shown" in person.lines[1]
            await person.types("escape")
            assert person.titles == ["Backup", "Films", "Music", "Scan"]

    async def test_what_is_typed_does_nothing_else(self) -> None:
        async with watching(*FAMILY) as person:
            await person.types("slash", "q", "c", "question_mark", "slash")
            assert person.app.is_running
            assert len(person.app.screen_stack) == 1
            assert "/qc?/ 0 shown" in person.lines[1]


class TestDetails:
    async def test_they_follow_the_cursor_and_close(self) -> None:
        known = made(
            "a",
            title="[red]Backup[/red]",
            state="cancelling",
            startedAt=900,
            cancelRequested=True,
            cancelRequestedAt=950,
            cancelledBy=7,
            error="disk [b]full[/b]",
            Context={"host": "nas"},
            Response={"bytes": 12},
        )
        async with watching(known, made("b", title="Scan"), size=(160, 50)) as person:
            await person.types("enter")
            for words in (
                "[red]Backup[/red]",
                "disk [b]full[/b]",
                "Timeline",
                "by user 7",
                "Context",
                "nas",
                "Response",
            ):
                assert words in person.text
            await person.types("down")
            assert "Timeline" not in person.text
            await person.types("escape")
            assert "cancellable" not in person.text


class TestCancel:
    async def test_after_a_question_that_says_what_will_happen(self) -> None:
        async with watching(*FAMILY) as person:
            await person.types("c")
            assert "Ask Backup to stop?" in person.text
            assert "The 2 that run below it are asked, too." in person.text
            person.feed.answering.clear()
            await person.types("y")
            assert person.feed.cancelled == [("a", False)]
            assert "Backup: is being asked to stop" in person.text
            person.feed.answering.set()
            await person.pilot.pause()
            assert "Backup: has been asked to stop" in person.text
            asked = {"title": "Backup", "cancelRequested": True, "cancelRequestedAt": 999}
            await person.told(updated("a", state="cancelling", **asked))
            assert "Backup: is stopping, since 1s" in person.text
            await person.told(ended("a", "failed", **asked, error="exit status 3"))
            assert "Backup: was asked to stop, but failed by itself: exit status 3" in person.text

    @pytest.mark.parametrize("keys", [["n"], ["escape"], ["enter"]])
    async def test_nothing_is_stopped_by_any_other_answer(self, keys: list[str]) -> None:
        async with watching(*FAMILY) as person:
            await person.types("c", *keys)
            assert len(person.app.screen_stack) == 1
            assert person.feed.cancelled == []

    async def test_by_mouse(self) -> None:
        async with watching(*FAMILY) as person:
            await person.types("c")
            await person.pilot.click("#yes")
            await person.pilot.pause()
            assert person.feed.cancelled == [("a", False)]

    async def test_what_cannot_be_cancelled_is_not_asked(self) -> None:
        async with watching(*FAMILY) as person:
            await person.types("end", "c")
            assert "Scan: cannot be cancelled" in person.text
            assert len(person.app.screen_stack) == 1

    async def test_what_is_overdue_can_be_given_up(self) -> None:
        async with watching(made("a", state="cancelling", overdue=True, cancelRequested=True)) as person:
            await person.types("c")
            assert "Give up a?" in person.text
            await person.types("y")
            assert person.feed.cancelled == [("a", True)]

    async def test_a_refusal_is_told_in_words(self) -> None:
        async with watching(*FAMILY) as person:
            person.feed.refusal = NotFound()
            await person.types("c", "y")
            assert "Backup: is not there any more" in person.text
            assert "4 running" in person.lines[1]

    def test_whatever_the_server_says(self) -> None:
        assert (
            refusal(NotCancellable())
            == refusal(InvalidInput("400 Bad Request"))
            == ("cannot be cancelled: the server refuses")
        )
        assert refusal(Unreachable("nobody there")) == "could not be cancelled: nobody there"

    async def test_on_an_empty_list_there_is_nothing_to_cancel(self) -> None:
        async with watching() as person:
            await person.types("c", "enter", "left", "down", "end")
            assert person.feed.cancelled == []
            assert not isinstance(person.app.screen, Question)


class TestHistory:
    async def test_it_is_read_page_by_page_as_far_as_somebody_looks(self) -> None:
        async with watching(*FAMILY) as person:
            pages = {None: range(50), "1": range(50, 100), "2": range(100, 120)}
            for number, (before, range_) in enumerate(pages.items(), 1):
                rows = [made(f"e{each}", state="failed", error="x", endedAt=990) for each in range_]
                person.feed.pages[before] = Page(rows, str(number) if number < 3 else None)
            await person.types("tab")
            assert person.feed.read == [None]
            assert "e0 · x" in person.lines[3]
            await person.types("end")
            await person.types("end")
            await person.types("end")
            assert person.feed.read == [None, "1", "2"]
            assert "e119" in person.text
            assert "that is all of it" in person.text
            await person.types("1")
            assert person.titles == ["Backup", "Films", "Music", "Scan"]

    async def test_a_server_without_one_shows_what_ended_while_somebody_looked(self) -> None:
        async with watching(*FAMILY) as person:
            person.feed.pages[None] = NotFound()
            await person.told(ended("b", None, title="Scan"))
            await person.pilot.click("#header", offset=(9, 0))
            await person.pilot.pause()
            assert "This server keeps no history" in person.text
            assert "□ ended" in person.lines[3]


class TestKeys:
    async def test_help_names_them_and_closes(self) -> None:
        async with watching(*FAMILY) as person:
            await person.types("question_mark")
            assert "ask the activity to stop" in person.text
            await person.types("q")
            assert person.titles == ["Backup", "Films", "Music", "Scan"]

    @pytest.mark.parametrize("key", ["q", "ctrl+c"])
    async def test_leaving(self, key: str) -> None:
        async with watching(*FAMILY) as person:
            await person.types(key)
            assert not person.app.is_running
            assert person.app.failure is None

    async def test_ctrl_c_leaves_from_anywhere(self) -> None:
        async with watching(*FAMILY) as person:
            await person.types("c", "ctrl+c")
            assert not person.app.is_running


async def test_without_colours_all_is_told_by_shape_and_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with watching(*FAMILY) as person:
        assert "● running" in person.text
        colours = {
            segment.style.color.name
            for strip in person.app.screen._compositor.render_strips()
            for segment in strip
            if segment.style is not None and segment.style.color is not None
        }
        assert colours <= {"default"}
