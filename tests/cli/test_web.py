"""`headway web`: from a token here to a browser that is signed in, and nobody else is."""

from __future__ import annotations

import json
import re
import stat
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import requests

from headway.core.policy import Role
from tests.cli.invoking import environment, invoke, program
from tests.client.scripted_server import ScriptedServer, listed, refused, row
from tests.server.running import Running, running_server, token_for

PATIENCE = 20.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_server(tmp_path_factory.mktemp("web") / "data") as running:
        yield running


def follow(server: Running, url: str) -> requests.Response:
    """What the page does with the link; the session is in the answer's cookies."""
    page, _, code = url.partition("#link=")
    assert requests.get(page, timeout=PATIENCE).status_code == 200
    return requests.post(f"{page}session", json={"link": code}, timeout=PATIENCE)


def test_the_link_signs_a_browser_in_once(server: Running) -> None:
    result = program(server.data, "web")
    assert (result.returncode, result.stderr) == (0, "")
    url = result.stdout.removesuffix("\n")
    assert url.startswith(f"{server.url}/web/#link=hwl_")
    answer = follow(server, url)
    assert (answer.status_code, answer.json()["name"]) == (200, "admin")
    opened = requests.get(f"{server.url}/activities", cookies=answer.cookies, timeout=PATIENCE)
    assert opened.status_code == 200
    assert follow(server, url).status_code == 401


def test_it_is_for_the_user_of_the_token(server: Running) -> None:
    token = token_for(server, "rita", Role.READER)
    result = program(server.data, "web", env=environment(server.data, HEADWAY_TOKEN=token))
    assert follow(server, result.stdout.strip()).json()["role"] == "reader"


def test_neither_link_nor_token_stands_in_the_server_s_log(server: Running) -> None:
    url = program(server.data, "web").stdout.strip()
    follow(server, url)
    log = (server.data / "server.log").read_text()
    assert url.rpartition("_")[2] not in log
    assert server.token not in log


def test_json_tells_until_when(server: Running) -> None:
    told = json.loads(program(server.data, "web", "--json").stdout)
    assert list(told) == ["url", "expiresAt"]
    assert 0 < told["expiresAt"] - time.time() <= 300


def test_a_browser_is_given_a_file_of_ours_and_not_the_link(server: Running, tmp_path: Path) -> None:
    called = tmp_path / "called"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$*" > {called}\n')
    browser.chmod(0o700)
    env = environment(server.data, BROWSER=f"{browser} %s", XDG_RUNTIME_DIR=str(tmp_path))
    result = program(server.data, "web", "--open", env=env)
    assert result.returncode == 0, result.stderr
    url = result.stdout.strip()
    assert "hwl_" not in called.read_text()
    file = Path(unquote(urlsplit(called.read_text()).path))
    assert (file.parent, stat.S_IMODE(file.stat().st_mode)) == (tmp_path, 0o600)
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', file.read_text())
    assert found is not None
    assert unescape(found[1]) == url
    assert follow(server, url).status_code == 200


def test_without_a_browser_the_link_is_there_all_the_same(server: Running, tmp_path: Path) -> None:
    env = environment(server.data, BROWSER=f"{tmp_path / 'nothing'} %s", PATH="", TMPDIR=str(tmp_path))
    env.pop("XDG_RUNTIME_DIR", None)
    env.pop("DISPLAY", None)
    env.pop("WAYLAND_DISPLAY", None)
    result = program(server.data, "web", "--open", env=env)
    assert (result.returncode, result.stderr.startswith("Error: no browser")) == (1, True)
    assert follow(server, result.stdout.strip()).status_code == 200


def test_a_server_without_a_login_says_so(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: refused(404, "not_found", "Not Found")) as server:
        result = invoke(tmp_path, "web", "--url", server.url)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: this server signs nobody in")


def test_an_answer_that_is_no_link_is_none(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed(row())) as server:
        result = invoke(tmp_path, "web", "--url", server.url)
    assert (result.exit_code, result.stderr) == (3, "Error: the server's answer is no link\n")


def test_a_bad_token_is_told_as_everywhere(server: Running) -> None:
    result = program(server.data, "web", env=environment(server.data, HEADWAY_TOKEN="wrong"))
    assert (result.returncode, result.stdout) == (4, "")
