"""`headway share`: a link that shows one activity to whoever has it, and nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from headway.core.policy import Role
from tests.cli.invoking import environment, invoke, program
from tests.client.scripted_server import Asked, Reply, ScriptedServer, listed, refused, row
from tests.server.running import Running, running_server, token_for

PATIENCE = 20.0
DAY = 86_400
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_server(tmp_path_factory.mktemp("share") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def uuid(server: Running) -> str:
    headers = {"X-Plex-Token": server.token}
    started = requests.post(f"{server.url}/activities", json={"type": "scan"}, headers=headers, timeout=PATIENCE)
    return started.headers["X-Plex-Activity"]


def test_whoever_has_the_link_sees_that_activity(server: Running, uuid: str) -> None:
    result = program(server.data, "share", uuid[:8])
    assert (result.returncode, result.stderr) == (0, "")
    page, _, named = result.stdout.strip().partition("#")
    assert page == f"{server.url}/web/"
    secret, shown = named.removeprefix("shared=").split("&uuid=")
    assert shown == uuid
    headers = {"X-Plex-Token": secret}
    seen = requests.get(f"{server.url}/activities/{uuid}", headers={**headers, **JSON}, timeout=PATIENCE)
    assert seen.json()["MediaContainer"]["Activity"][0]["type"] == "scan"
    assert requests.get(f"{server.url}/activities", headers=headers, timeout=PATIENCE).status_code == 403
    assert secret not in (server.data / "server.log").read_text()


@pytest.mark.parametrize(("given", "seconds"), [((), DAY), (("--for", "2h"), 7_200), (("--for", "30d"), 30 * DAY)])
def test_json_tells_until_when(server: Running, uuid: str, given: tuple[str, ...], seconds: float) -> None:
    told = json.loads(program(server.data, "share", uuid, "--json", *given).stdout)
    assert list(told) == ["url", "id", "uuid", "expiresAt"]
    assert told["uuid"] == uuid
    assert seconds - 60 < told["expiresAt"] - time.time() <= seconds


@pytest.mark.parametrize("given", ["31d", "forever", "0s", "-1d"])
def test_a_time_that_is_none_or_too_long_is_refused(server: Running, uuid: str, given: str) -> None:
    result = program(server.data, "share", uuid, f"--for={given}")
    assert result.returncode in (1, 2)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_what_is_not_there_is_not_shared(server: Running) -> None:
    result = program(server.data, "share", "00000000")
    assert (result.returncode, result.stderr) == (1, "Error: there is no activity 00000000\n")


def test_a_reader_shares_nothing(server: Running) -> None:
    token = token_for(server, "rita", Role.READER)
    env = environment(server.data, HEADWAY_TOKEN=token)
    own = requests.post(
        f"{server.url}/activities",
        json={"type": "scan", "userID": 2},
        headers={"X-Plex-Token": server.token},
        timeout=PATIENCE,
    )
    result = program(server.data, "share", own.headers["X-Plex-Activity"], env=env)
    assert (result.returncode, result.stdout) == (4, "")


def test_a_server_that_does_not_share_is_told_apart_from_an_activity_that_is_not_there(tmp_path: Path) -> None:
    def answering(asked: Asked) -> Reply:
        return listed(row()) if asked.method == "GET" else refused(404, "not_found", "Not Found")

    with ScriptedServer(answering) as server:
        result = invoke(tmp_path, "share", row()["uuid"], "--url", server.url)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: this server shares nothing")


def test_an_answer_that_is_no_share_is_none(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed(row())) as server:
        result = invoke(tmp_path, "share", row()["uuid"], "--url", server.url)
    assert (result.exit_code, result.stderr) == (3, "Error: the server's answer is no share\n")
