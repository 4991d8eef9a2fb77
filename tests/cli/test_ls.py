"""`headway ls`."""

import json
from pathlib import Path

from tests.cli.invoking import invoke
from tests.client.scripted_server import OTHER, UUID, ScriptedServer, html, listed, row


def test_what_is_running_in_lines(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed(row(title="one", progress=40), row(OTHER, title="two"))) as server:
        result = invoke(tmp_path, "ls", "--url", server.url)
    assert result.exit_code == 0
    words = [line.split() for line in result.output.splitlines()[1:]]
    assert [(line[2], line[-1]) for line in words] == [("40%", "one"), ("0%", "two")]


def test_what_is_stalled_is_told_from_what_runs(tmp_path: Path) -> None:
    with ScriptedServer(
        lambda asked: listed(row(state="running"), row(OTHER, state="running", stalled=True))
    ) as server:
        result = invoke(tmp_path, "ls", "--url", server.url)
    assert [line.split()[:2] for line in result.output.splitlines()[1:]] == [["●", "running"], ["◍", "stalled"]]


def test_json_is_the_rows(tmp_path: Path) -> None:
    shown = row(title="ünï", Context={"k": "v"}, eta=3)
    with ScriptedServer(lambda asked: listed(shown)) as server:
        result = invoke(tmp_path, "ls", "--json", "--url", server.url)
    assert json.loads(result.output) == [shown]


def test_nothing_is_an_empty_list(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed()) as server:
        assert json.loads(invoke(tmp_path, "ls", "--json", "--url", server.url).output) == []


def test_it_can_be_narrowed(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed()) as server:
        invoke(tmp_path, "ls", "--type", "a.b", "--text", "films", "--url", server.url)
    assert server.asked[0].query == {"type": "a.b", "q": "films"}


def test_a_page_in_place_of_the_list_is_said_plainly(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: html(200)) as server:
        result = invoke(tmp_path, "ls", "--url", server.url)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "text/html" in result.stderr


def test_rows_that_nobody_could_foresee(tmp_path: Path) -> None:
    strange: dict[str, object] = {
        "uuid": UUID,
        "progress": "much",
        "title": None,
        "state": ["x"],
        "cancellable": "maybe",
        "new": {},
    }
    with ScriptedServer(lambda asked: listed(strange, row(OTHER, title="x" * 10_000_000))) as server:
        result = invoke(tmp_path, "ls", "--url", server.url)
    assert result.exit_code == 0
    assert UUID[:8] in result.output
