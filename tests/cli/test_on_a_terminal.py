"""Commands on a terminal, as a person sees them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest

from headway.core.view import Kind
from tests.cli.invoking import PROGRAM, environment
from tests.cli.test_watch import STREAM, event, snapshot
from tests.client.fake_headway import FakeHeadway
from tests.client.scripted_server import (
    UUID,
    Asked,
    Drop,
    Hang,
    Reply,
    ScriptedServer,
    as_json,
    eventually,
    free_port,
    listed,
    refused,
    row,
)
from tests.operations.process.screen import Screen, login

ROWS, COLUMNS = 24, 100


@pytest.fixture
def screen() -> Iterator[Screen]:
    screen = Screen(ROWS, COLUMNS)
    yield screen
    screen.close()


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path, TERM="xterm-256color", LANG="C.UTF-8")


def lines(screen: Screen) -> list[str]:
    """What the person sees, without empty lines."""
    shown = pyte.Screen(COLUMNS, ROWS)
    pyte.ByteStream(shown).feed(screen.output)
    return [line.rstrip() for line in shown.display if line.strip()]


def shows(screen: Screen, text: str) -> None:
    eventually(lambda: any(text in line for line in lines(screen)))


def run(url: str, *arguments: str) -> list[str]:
    return [*PROGRAM, "--url", url, "run", *arguments]


class TestRun:
    def test_the_command_has_a_terminal_of_the_same_size(
        self, screen: Screen, server: ScriptedServer, env: dict[str, str]
    ) -> None:
        script = "import os, sys; print([os.isatty(n) for n in (0, 1, 2)], *os.get_terminal_size(), input('? '))"
        with login(screen, run(server.url, "--", sys.executable, "-c", script), env) as started:
            shows(screen, "?")
            screen.type("yes\n")
            assert started.wait(60) == 0
        assert lines(screen) == ["? yes", f"[True, True, True] {COLUMNS} {ROWS} yes"]
        assert screen.modes() == screen.modes_before

    def test_progress_is_read_off_a_bar_that_is_redrawn(
        self, screen: Screen, headway: FakeHeadway, server: ScriptedServer, env: dict[str, str]
    ) -> None:
        script = "import tqdm\nwith tqdm.tqdm(total=10, mininterval=0) as bar:\n bar.update(3); input()"
        with login(screen, run(server.url, "--", sys.executable, "-c", script), env) as started:
            eventually(lambda: headway.rows and headway.only["progress"] == 30)
            screen.type("\n")
            assert started.wait(60) == 0
        assert "3/10" in lines(screen)[0]

    def test_ctrl_c_is_the_command_s(
        self, screen: Screen, headway: FakeHeadway, server: ScriptedServer, env: dict[str, str]
    ) -> None:
        with login(screen, run(server.url, "--", "sh", "-c", "echo ready; sleep 600"), env) as started:
            shows(screen, "ready")
            eventually(lambda: headway.rows)
            screen.type("\x03")
            assert started.wait(60) == 130
        assert (headway.only["state"], headway.only["error"]) == ("failed", "killed by SIGINT")

    def test_without_a_server_there_is_one_dim_line_at_the_end(self, screen: Screen, env: dict[str, str]) -> None:
        url = f"http://127.0.0.1:{free_port()}"
        with login(screen, run(url, "--", "echo", "hello"), env) as started:
            assert started.wait(60) == 0
        assert lines(screen) == ["hello", f"headway: not recorded: cannot reach {url}: connection refused"]
        assert b"\x1b[2mheadway" in screen.output

    @pytest.mark.parametrize(("options", "more"), [(["--quiet"], {}), ([], {"NO_COLOR": "1"})])
    def test_which_can_be_turned_off_or_plain(
        self, screen: Screen, env: dict[str, str], options: list[str], more: dict[str, str]
    ) -> None:
        url = f"http://127.0.0.1:{free_port()}"
        with login(screen, run(url, *options, "--", "echo", "hello"), {**env, **more}) as started:
            assert started.wait(60) == 0
        assert len(lines(screen)) == (1 if options else 2)
        assert b"\x1b" not in screen.output

    def test_a_server_that_hangs_holds_nothing_up_and_is_given_up(
        self, screen: Screen, headway: FakeHeadway, server: ScriptedServer, env: dict[str, str]
    ) -> None:
        headway.trouble = Hang()
        with login(screen, run(server.url, "--", "echo", "hello"), env) as started:
            shows(screen, "hello")
            assert started.wait(60) == 0
        assert lines(screen)[1:] == ["headway: not recorded: the server did not answer in time"]


class TestWatch:
    class Headway:
        """A stream that waits to be told to go on, and is lost for a moment."""

        def __init__(self) -> None:
            self.server: ScriptedServer | None = None
            self.streams = 0

        def __call__(self, asked: Asked) -> Reply | Drop:
            if asked.path == "/identity":
                return as_json({"MediaContainer": {"size": 0, "machineIdentifier": "x", "version": "1"}})
            if asked.path.startswith("/activities"):
                return listed(row(title="Copying [bold]films[/bold]", progress=40, fraction=0.4))
            self.streams += 1
            if self.streams == 2:
                return refused(503, "unavailable", Retry_After="1")  # long enough for that to be drawn
            return Reply(200, self._frames(self.streams), STREAM)

        def _frames(self, number: int) -> Iterator[bytes]:
            if number == 1:
                yield snapshot(row(title="Copying [bold]films[/bold]", progress=40, fraction=0.4))
                return
            yield event(Kind.ENDED, title="Copying [bold]films[/bold]", state="succeeded")
            assert self.server is not None
            self.server.stopping.wait()

    def test_all_fill_the_screen_survive_a_lost_connection_and_leave_no_trace(
        self, screen: Screen, env: dict[str, str]
    ) -> None:
        script = self.Headway()
        with ScriptedServer(script) as script.server:
            watching = [*PROGRAM, "--url", script.server.url, "watch"]
            with login(screen, watching, env) as started:
                shows(screen, "40%")
                shows(screen, "✔ succeeded")
                shows(screen, "● live")
                screen.type("?")
                shows(screen, "ask the activity to stop")
                screen.type("\x03")
                assert started.wait(60) == 0
        assert "Copying [bold]films[/bold]" in screen.output.decode()
        assert "reconnecting since" in screen.output.decode()
        for on, off in (
            (b"\x1b[?1049h", b"\x1b[?1049l"),
            (b"\x1b[?25l", b"\x1b[?25h"),
            (b"\x1b[?1000h", b"\x1b[?1000l"),
        ):
            assert screen.output.rfind(off) > screen.output.rfind(on) >= 0
        assert screen.modes() == screen.modes_before

    def test_a_signal_leaves_no_trace_either(self, screen: Screen, env: dict[str, str]) -> None:
        script = self.Headway()
        with (
            ScriptedServer(script) as script.server,
            login(screen, [*PROGRAM, "--url", script.server.url, "watch"], env) as started,
        ):
            shows(screen, "● live")
            started.terminate()
            assert started.wait(60) == 0
        assert screen.output.rfind(b"\x1b[?1049l") > screen.output.rfind(b"\x1b[?1049h") >= 0
        assert screen.modes() == screen.modes_before

    def test_one_is_a_bar_that_ends_as_a_line(self, screen: Screen, env: dict[str, str]) -> None:
        script = self.Headway()
        with ScriptedServer(script) as script.server:
            watching = [*PROGRAM, "--url", script.server.url, "watch", UUID]
            with login(screen, watching, env) as started:
                shows(screen, "40%")
                assert started.wait(60) == 0
        assert lines(screen)[-1].startswith("✔ succeeded  Copying [bold]films[/bold]")
        assert "trying again" in screen.output.decode()

    @pytest.mark.parametrize(("options", "more"), [(["--plain"], {}), ([], {"TERM": "dumb"})], ids=["asked", "dumb"])
    def test_lines_where_they_are_asked_for_or_all_there_is(
        self, screen: Screen, env: dict[str, str], options: list[str], more: dict[str, str]
    ) -> None:
        script = self.Headway()
        with ScriptedServer(script) as script.server:
            watching = [*PROGRAM, "--url", script.server.url, "watch", *options]
            with login(screen, watching, {**env, **more}) as started:
                shows(screen, "succeeded")
                screen.type("\x03")
                assert started.wait(60) == 0
        assert b"\x1b[" not in screen.output

    def test_a_server_that_is_not_there_is_one_line(self, screen: Screen, env: dict[str, str]) -> None:
        url = f"http://127.0.0.1:{free_port()}"
        with login(screen, [*PROGRAM, "--url", url, "watch"], env) as started:
            assert started.wait(60) == 3
        assert lines(screen)[0].startswith(f"Error: cannot reach {url}")
        assert b"\x1b[?1049h" not in screen.output

    def test_a_token_that_opens_nothing_is_one_line_too(self, screen: Screen, env: dict[str, str]) -> None:
        def refusing(asked: Asked) -> Reply:
            if asked.path == "/identity":
                return as_json({"MediaContainer": {"size": 0, "machineIdentifier": "x", "version": "1"}})
            return refused(401, "not_authenticated", "User could not be authenticated")

        with (
            ScriptedServer(refusing) as server,
            login(screen, [*PROGRAM, "--url", server.url, "watch"], env) as started,
        ):
            assert started.wait(60) == 4
        assert "Error: User could not be authenticated" in lines(screen)[0]
        assert screen.modes() == screen.modes_before


@pytest.mark.parametrize("more", [{}, {"NO_COLOR": "1"}], ids=["coloured", "plain"])
def test_a_list_fits_and_is_coloured_unless_told_otherwise(
    screen: Screen, env: dict[str, str], more: dict[str, str]
) -> None:
    with ScriptedServer(lambda asked: listed(row(title="x" * 500, progress=40))) as server:
        listing = [*PROGRAM, "--url", server.url, "ls"]
        with login(screen, listing, {**env, **more}) as started:
            assert started.wait(60) == 0
    head, line = lines(screen)
    assert (head.split()[0], line.split()[:2], line.endswith(UUID[:8])) == ("STATE", ["●", "running"], True)
    assert (b"\x1b[36m" in screen.output) is (more == {})
