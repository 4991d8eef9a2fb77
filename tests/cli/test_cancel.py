"""`headway cancel`: it says what really happened."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.invoking import invoke
from tests.client.scripted_server import OTHER, UUID, Asked, Reply, ScriptedServer, listed, refused, row


class Headway:
    """Activities that end in a given way once they are asked to stop."""

    def __init__(self, **ends: Any) -> None:
        self.rows: dict[str, dict[str, Any]] = {UUID: row()}
        self.ends = ends

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/activities":
            return listed(*self.rows.values())
        activity = self.rows[asked.path.rpartition("/")[2]]
        if asked.method == "DELETE":
            if not activity["cancellable"]:
                return refused(400, "not_cancellable")
            if activity["state"] != "running":
                return refused(404, "not_found")
            activity.update({"state": "cancelling", "cancelRequested": True, **self.ends})
            return Reply(200, b"", {"X-Headway-State": activity["state"]})
        return listed(activity)


@pytest.mark.parametrize(
    ("ends", "says", "outcome"),
    [
        ({"state": "cancelled"}, "stopped", "stopped"),
        ({"state": "succeeded"}, "was asked to stop, but finished its work", "finished"),
        ({"state": "failed", "error": "oops"}, "was asked to stop, but failed by itself: oops", "failed"),
        ({"state": "lost"}, "given up; whether it still runs, nobody knows", "lost"),
        ({}, "has been asked to stop, and has not done so yet", "stopping"),
        ({"overdue": True}, "was asked to stop, its time to do so is over, and it still runs", "overdue"),
    ],
)
def test_what_became_of_it(tmp_path: Path, ends: dict[str, Any], says: str, outcome: str) -> None:
    with ScriptedServer(Headway(**ends)) as server:
        arguments = ("cancel", UUID, "--wait", "0", "--url", server.url)
        result = invoke(tmp_path, *arguments)
        assert result.output.rstrip().endswith(f"Testing: {says}")
    with ScriptedServer(Headway(**ends)) as server:
        arguments = ("cancel", UUID, "--wait", "0", "--url", server.url)
        (told,) = json.loads(invoke(tmp_path, *arguments, "--json").output)
        assert (told["uuid"], told["outcome"], told["Activity"]["uuid"]) == (UUID, outcome, UUID)
    assert result.exit_code == (124 if outcome in ("stopping", "overdue") else 0)


def test_what_cannot_be_cancelled_is_said_and_fails(tmp_path: Path) -> None:
    headway = Headway()
    headway.rows[UUID]["cancellable"] = False
    with ScriptedServer(headway) as server:
        result = invoke(tmp_path, "cancel", UUID, "--url", server.url)
    assert (result.exit_code, "cannot be cancelled" in result.output) == (1, True)


def test_what_had_ended_before_is_said_and_fails(tmp_path: Path) -> None:
    headway = Headway()
    headway.rows[UUID]["state"] = "succeeded"
    with ScriptedServer(headway) as server:
        result = invoke(tmp_path, "cancel", UUID, "--url", server.url)
    assert (result.exit_code, "had already ended (succeeded)" in result.output) == (1, True)


def test_all_that_can_be_cancelled(tmp_path: Path) -> None:
    headway = Headway(state="cancelled")
    headway.rows[OTHER] = row(OTHER, cancellable=False)
    with ScriptedServer(headway) as server:
        result = invoke(tmp_path, "cancel", "--all", "--type", "command.test", "--url", server.url)
    assert result.exit_code == 0
    assert server.asked[0].query == {"type": "command.test"}
    assert [asked.path for asked in server.asked_for("DELETE")] == [f"/activities/{UUID}"]


def test_all_of_nothing_is_fine(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed()) as server:
        result = invoke(tmp_path, "cancel", "--all", "--url", server.url)
    assert (result.exit_code, result.stdout) == (0, "")


def test_several_are_all_asked_before_any_is_waited_for(tmp_path: Path) -> None:
    headway = Headway(state="cancelled")
    headway.rows[OTHER] = row(OTHER)
    with ScriptedServer(headway) as server:
        assert invoke(tmp_path, "cancel", UUID[:4], OTHER[:4], "--url", server.url).exit_code == 0
    methods = [asked.method for asked in server.asked if asked.path != "/activities"]
    assert methods == ["DELETE", "DELETE", "GET", "GET"]


def test_force_is_passed_on(tmp_path: Path) -> None:
    with ScriptedServer(Headway(state="lost")) as server:
        invoke(tmp_path, "cancel", UUID, "--force", "--url", server.url)
    assert server.asked_for("DELETE")[0].query == {"force": "1"}


@pytest.mark.parametrize("arguments", [[], ["--all", UUID], [UUID, "--type", "a.b"], ["--type", "a.b"]])
def test_a_wrong_command_line(tmp_path: Path, arguments: list[str]) -> None:
    assert invoke(tmp_path, "cancel", *arguments).exit_code == 2
