"""`headway wait`."""

import json
from pathlib import Path

import pytest

from tests.cli.invoking import invoke
from tests.client.scripted_server import OTHER, UUID, Asked, Reply, ScriptedServer, listed, refused, row


class Ending:
    """Activities that run when first asked about, and have ended when asked again."""

    def __init__(self, ends: dict[str, str]) -> None:
        self._ends = ends

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/activities":
            return listed(*map(row, self._ends))
        uuid = asked.path.rpartition("/")[2]
        return listed(row(uuid, state=self._ends[uuid] if "state" in asked.query else "running"))


def test_it_says_how_it_ended(tmp_path: Path) -> None:
    with ScriptedServer(Ending({UUID: "failed"})) as server:
        result = invoke(tmp_path, "wait", UUID, "--url", server.url)
    assert (result.exit_code, result.output) == (0, "✘ failed  Testing\n")


@pytest.mark.parametrize(("state", "code"), [("succeeded", 0), ("failed", 1), ("cancelled", 1), ("lost", 1)])
def test_the_exit_code_can_tell(tmp_path: Path, state: str, code: int) -> None:
    with ScriptedServer(Ending({UUID: state})) as server:
        assert invoke(tmp_path, "wait", UUID, "--exit-status", "--url", server.url).exit_code == code


def test_the_time_can_run_out(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed(row())) as server:
        result = invoke(tmp_path, "wait", UUID, "--timeout", "0.05", "--url", server.url)
    assert (result.exit_code, "running" in result.output) == (124, True)


def test_all_of_a_type(tmp_path: Path) -> None:
    with ScriptedServer(Ending({UUID: "succeeded", OTHER: "failed"})) as server:
        result = invoke(tmp_path, "wait", "--type", "command.test", "--json", "--url", server.url)
    assert server.asked[0].query == {"type": "command.test"}
    assert [each["state"] for each in json.loads(result.output)] == ["succeeded", "failed"]


def test_none_of_a_type_is_nothing_to_wait_for(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed()) as server:
        result = invoke(tmp_path, "wait", "--type", "a.b", "--exit-status", "--url", server.url)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing to wait for" in result.stderr


def test_what_nobody_knows_is_an_error(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: refused(404, "not_found")) as server:
        assert invoke(tmp_path, "wait", UUID, "--url", server.url).exit_code == 1


@pytest.mark.parametrize("arguments", [[], [UUID, "--type", "a.b"], [UUID, "--timeout", "-1"]])
def test_a_wrong_command_line(tmp_path: Path, arguments: list[str]) -> None:
    assert invoke(tmp_path, "wait", *arguments).exit_code == 2
