"""The commands against a Plex server, which has a list, a stream and a cancel, and nothing else."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from plexapi.config import PlexConfig

from tests.cli.invoking import PROGRAM, environment, invoke
from tests.client.scripted_server import eventually
from tests.plex_media_server import EVENTS, PlexMediaServer

SCAN = "library.update.section"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def plex() -> Iterator[PlexMediaServer]:
    with PlexMediaServer() as plex:
        yield plex


@pytest.fixture
def call(plex: PlexMediaServer, tmp_path: Path) -> Callable[..., Result]:
    """Calls a command with what names the server."""
    return lambda *arguments, **more: invoke(
        tmp_path, "--plex", *arguments, PLEX_URL=plex.url, PLEX_TOKEN=plex.token, **more
    )


@pytest.fixture
def scan(plex: PlexMediaServer) -> str:
    """A scan that runs."""
    return plex.start(SCAN, title="Scanning Films", cancellable=True, progress=30)


def titles(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [row["title"] for row in json.loads(result.stdout)]


@pytest.mark.usefixtures("scan")
def test_ls_narrows_by_itself_what_plex_does_not(call: Callable[..., Result]) -> None:
    assert len(titles(call("ls", "--json"))) > 1
    assert titles(call("ls", "--type", SCAN, "--json")) == ["Scanning Films"]
    assert titles(call("ls", "--text", "fILMs", "--json")) == ["Scanning Films"]


def test_show_finds_it_in_the_list(call: Callable[..., Result], scan: str) -> None:
    for given in (scan, scan.upper(), scan[:10]):
        shown = json.loads(call("show", given, "--json").stdout)
        assert (shown["uuid"], shown["title"]) == (scan, "Scanning Films")


@pytest.mark.parametrize("command", ["show", "wait", "cancel", "watch"])
@pytest.mark.parametrize("given", [UNKNOWN, "0000000"])
def test_what_has_ended_is_not_found_and_it_is_said_why(call: Callable[..., Result], command: str, given: str) -> None:
    result = call(command, given)
    assert (result.exit_code, result.stdout) == (1, "")
    says = f"Error: no activity {given} is running, and a Plex server does not remember what has ended\n"
    assert result.stderr == says


def test_there_is_no_history_and_it_is_said_why(call: Callable[..., Result]) -> None:
    result = call("history")
    assert (result.exit_code, result.stderr) == (1, "Error: this server keeps no history: it is a Plex Media Server\n")


@pytest.mark.parametrize(("progress", "code"), [(100, 0), (40, 1)])
def test_wait_until_it_has_left_the_list(
    call: Callable[..., Result], plex: PlexMediaServer, scan: str, progress: int, code: int
) -> None:
    def listed_since_the_stream() -> bool:
        asked = [each.path for each in list(plex.asked)]
        return EVENTS in asked and "/activities" in asked[asked.index(EVENTS) :]

    def end() -> None:
        eventually(listed_since_the_stream)
        plex.end(scan, progress)

    ending = threading.Thread(target=end)
    ending.start()
    result = call("wait", scan, "--exit-status", "--json")
    ending.join()
    (row,) = json.loads(result.stdout)
    assert (result.exit_code, row["uuid"]) == (code, scan)


def test_wait_no_longer_than_asked(call: Callable[..., Result], scan: str) -> None:
    assert call("wait", scan, "--timeout", "0.2").exit_code == 124


def test_cancel_and_hear_that_it_has_gone(call: Callable[..., Result], plex: PlexMediaServer, scan: str) -> None:
    result = call("cancel", scan[:10], "--json")
    (outcome,) = json.loads(result.stdout)
    assert (result.exit_code, outcome["uuid"]) == (0, scan)
    assert (outcome["outcome"], outcome["says"]) == ("gone", "has ended; the server does not say how")
    assert SCAN not in [row["type"] for row in plex.activities]


def test_cancel_all_of_a_type_and_no_other(call: Callable[..., Result], plex: PlexMediaServer, scan: str) -> None:
    other = plex.start("media.download", title="Downloading", cancellable=True)
    assert call("cancel", "--all", "--type", SCAN).exit_code == 0
    assert [asked.path for asked in plex.asked_for("DELETE")] == [f"/activities/{scan}"]
    assert other in [row["uuid"] for row in plex.activities]


def test_a_cancel_that_is_refused(call: Callable[..., Result], plex: PlexMediaServer) -> None:
    fixed = plex.start(SCAN, title="Scanning", cancellable=False)
    result = call("cancel", fixed, "--json")
    (outcome,) = json.loads(result.stdout)
    assert (result.exit_code, outcome["outcome"]) == (1, "refused")


def test_a_cancel_that_takes_its_time_is_not_taken_for_its_end(
    call: Callable[..., Result], plex: PlexMediaServer, scan: str
) -> None:
    plex.cancel_ends = False
    result = call("cancel", scan, "--wait", "0", "--json")
    (outcome,) = json.loads(result.stdout)
    assert (result.exit_code, outcome["outcome"]) == (124, "stopping")


def test_watch_tells_of_its_end(plex: PlexMediaServer, tmp_path: Path, scan: str) -> None:
    env = environment(tmp_path, PLEX_URL=plex.url, PLEX_TOKEN=plex.token)
    watching = [*PROGRAM, "--plex", "watch", "--json", scan]
    with subprocess.Popen(watching, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "snapshot"
        plex.end(scan)
        output, _ = process.communicate(timeout=60)
    assert [json.loads(line)["event"] for line in output.splitlines()] == ["ended"]
    assert process.returncode == 0


def test_a_wrong_token_comes_with_how_to_get_one(plex: PlexMediaServer, tmp_path: Path) -> None:
    result = invoke(tmp_path, "--plex", "ls", PLEX_URL=plex.url, PLEX_TOKEN="wrong")
    assert (result.exit_code, "View XML" in result.stderr) == (4, True)


def test_doctor_finds_nothing_wrong(call: Callable[..., Result]) -> None:
    result = call("doctor", "--json")
    assert (result.exit_code, {each["level"] for each in json.loads(result.stdout)}) == (0, {"ok"})


def test_python_plexapi_and_we_find_the_same_server(plex: PlexMediaServer, tmp_path: Path) -> None:
    theirs: Any = PlexConfig
    config = tmp_path / "config.ini"
    config.write_text(f"[auth]\nserver_baseurl = {plex.url}\nserver_token = {plex.token}\n")
    assert theirs(str(config)).get("auth.server_baseurl") == plex.url
    assert invoke(tmp_path, "--plex", "ls", PLEXAPI_CONFIG_PATH=str(config)).exit_code == 0
