"""`headway history`."""

import json
from pathlib import Path

from tests.cli.invoking import invoke
from tests.client.scripted_server import Asked, Reply, ScriptedServer, listed, row

ROWS = [row(f"{number:08d}-0000-4000-8000-000000000000", state="succeeded") for number in range(1_200)]


def pages(asked: Asked) -> Reply:
    """History in pages, as the server gives it."""
    begin, limit = int(asked.query.get("before", 0)), int(asked.query["limit"])
    page = ROWS[begin : begin + limit]
    return listed(*page, X_Headway_Cursor=str(begin + limit)) if len(page) == limit else listed(*page)


def test_newest_first_with_errors(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed(row(state="failed", error="exit status 3"))) as server:
        result = invoke(tmp_path, "history", "--url", server.url)
    assert result.exit_code == 0
    assert "failed" in result.output
    assert "exit status 3" in result.output


def test_pages_are_put_together_up_to_the_limit(tmp_path: Path) -> None:
    for limit, count, requests in ((20, 20, 1), (501, 501, 2), (5_000, 1_200, 3)):
        with ScriptedServer(pages) as server:
            result = invoke(tmp_path, "history", "--json", "--limit", str(limit), "--url", server.url)
        assert [each["uuid"] for each in json.loads(result.output)] == [each["uuid"] for each in ROWS[:count]]
        assert len(server.asked) == requests


def test_it_can_be_narrowed(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed()) as server:
        invoke(tmp_path, "history", "--type", "a.b", "--state", "lost", "--limit", "7", "--url", server.url)
        invoke(
            tmp_path,
            "history",
            "--text",
            "x y",
            "--owner",
            "2",
            "--about",
            "a=1=2",
            "--about",
            "b=",
            "--url",
            server.url,
        )
    assert server.asked[0].query == {"type": "a.b", "state": "lost", "limit": "7"}
    assert server.asked[1].query == {"q": "x y", "userID": "2", "Context.a": "1=2", "Context.b": "", "limit": "20"}


def test_what_it_is_about_has_a_name_and_a_value(tmp_path: Path) -> None:
    for wrong in ("a", "=1", ""):
        result = invoke(tmp_path, "history", "--about", wrong)
        assert result.exit_code == 2
        assert "KEY=VALUE" in result.output


def test_only_ends_are_states_here(tmp_path: Path) -> None:
    assert invoke(tmp_path, "history", "--state", "running").exit_code == 2
    assert invoke(tmp_path, "history", "--limit", "0").exit_code == 2
