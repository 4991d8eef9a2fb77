"""The page about the client: what it shows is what a reader gets, from top to bottom, of real servers."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path

import pytest

from headway.client import (
    ActivityNotification,
    Client,
    Kind,
    NotFound,
    Retries,
    SnapshotNotification,
    State,
)
from headway.client.live.scanning import SETTLE
from headway.client.live.subscription import SILENCE
from headway.client.options import TIMEOUT
from tests.certificates import self_signed
from tests.client.scripted_server import Asked, Reply, ScriptedServer
from tests.docs.pages import DOCS, PATH, Block, InOrder, Program, blocks, broken_links, named, packed, pattern
from tests.plex_media_server import PlexMediaServer
from tests.server.running import running_server

PAGE = (DOCS / "client.md").read_text()
BLOCKS = list(blocks(PAGE, "python", "sh"))
PATIENCE = 60.0


class Reader:
    """Somebody with a server, a shell, and a program that grows line by line."""

    def __init__(self, folder: Path, resources: ExitStack) -> None:
        server = resources.enter_context(running_server(folder / "data"))
        plex = resources.enter_context(PlexMediaServer(tick=0.02))
        self._folder = folder
        self._shells: list[subprocess.Popen[bytes]] = []
        self._environment = {"HEADWAY_URL": server.url, "HEADWAY_DATA": str(server.data), "HEADWAY_TOKEN": server.token}
        here = {
            "http://127.0.0.1:4590": server.url,
            "http://plex.example:32400": plex.url,
            '"PLEX-TOKEN"': repr(plex.token),
            '"TOKEN"': repr(server.token),
            "https://headway.example": _secured(resources, folder).url.replace("http:", "https:"),
            "http://proxy.example:3128": resources.enter_context(ScriptedServer(_identity)).url,
            '"ca.pem"': repr(str(folder / "cert.pem")),
        }
        self.program = Program(here)
        self.page = InOrder(BLOCKS, self._done)
        resources.callback(self._stop)
        patch = resources.enter_context(pytest.MonkeyPatch.context())
        for name, value in self._environment.items():
            patch.setenv(name, value)

    def _done(self, block: Block) -> str:
        if block.language == "sh":
            self._run(block.text)
            return ""
        return self.program.run(block)

    def _run(self, script: str) -> None:
        """In a shell, which leaves behind what it has put into the background."""
        said = self._folder / "said"
        environment = {**os.environ, "PATH": PATH, "PIP_NO_INDEX": "1"}
        lines = [line for line in script.splitlines() if not line.startswith("pip install")]
        with said.open("wb") as output:
            shell = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
                env=environment,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        self._shells.append(shell)
        assert shell.wait(PATIENCE) == 0, said.read_text()
        deadline = time.monotonic() + PATIENCE
        with Client() as client:
            while not client.activities.list().rows:  # who types by hand is never faster than what was started
                assert time.monotonic() < deadline, said.read_text()
                time.sleep(0.05)

    def _stop(self) -> None:
        for shell in self._shells:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)


def _identity(asked: Asked) -> Reply:
    """What a server says of itself; a proxy is asked for the whole address."""
    assert asked.path.endswith("/identity")
    members = {"size": 0, "claimed": True, "machineIdentifier": "0" * 40, "version": "1.0"}
    return Reply(200, json.dumps({"MediaContainer": members}).encode(), {"Content-Type": "application/json"})


def _secured(resources: ExitStack, folder: Path) -> ScriptedServer:
    """A server that speaks TLS, with a certificate that only its readers know."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(folder, "127.0.0.1"))
    server = ScriptedServer(_identity)
    server._http.socket = context.wrap_socket(server._http.socket, server_side=True)
    return resources.enter_context(server)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with ExitStack() as resources:
        yield Reader(tmp_path_factory.mktemp("reader"), resources)


@pytest.mark.parametrize("number", range(len(BLOCKS)), ids=[named(block) for block in BLOCKS])
def test_each_block_of_the_page_does_what_it_says(reader: Reader, number: int) -> None:
    printed = reader.page.take(number)
    shown = reader.program.here(BLOCKS[number].shown or "")
    assert pattern(shown).fullmatch(packed(printed)), f"{printed}\nis not\n{shown}"


def test_every_block_is_run_or_what_one_prints() -> None:
    fences = re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)
    assert len(fences) == len(BLOCKS) + sum(block.shown is not None for block in BLOCKS)
    assert len(BLOCKS) > 20


def test_the_numbers_are_those_that_hold() -> None:
    retries, page = Retries(), " ".join(PAGE.split())
    assert f"is for the whole answer, {TIMEOUT:g} seconds unless you say" in page
    first, *more = sorted(retries.status_codes)
    assert f"Tried again are {first}, {', '.join(map(str, more[:-1]))} and {more[-1]}" in page
    assert f"for up to {retries.max_elapsed_time:g} seconds" in page
    assert f"dead after {SILENCE:g} seconds" in page
    assert f"`settle` seconds ({SETTLE:g})" in page


def test_a_plex_server_has_what_the_table_says_and_no_more() -> None:
    with PlexMediaServer() as server, Client(server.url, server.token) as client:
        uuid = server.start("a.b", cancellable=True)
        activities = client.activities
        assert [row.uuid for row in activities.list(type="a.b").rows] == [uuid]
        assert len(server.activities) > 1
        missing: list[Callable[[], object]] = [
            lambda: activities.get(uuid),
            lambda: activities.history(),
            lambda: activities.create("a.b"),
            lambda: activities.report(uuid),
            lambda: activities.finish(uuid, State.FAILED),
        ]
        for call in missing:
            with pytest.raises(NotFound):
                call()
        with activities.watch(type="a.b", since="cursor") as watch:
            assert [told.rows[0].uuid for told in islice(watch, 1) if isinstance(told, SnapshotNotification)] == [uuid]
            assert activities.cancel(uuid, wait=1, force=True).state is None
            ended = next(watch)
            assert isinstance(ended, ActivityNotification) and (ended.kind, ended.row.state) == (Kind.ENDED, None)
        with pytest.raises(NotFound):
            activities.wait(uuid)
        assert [told for told in activities.follow(uuid) if isinstance(told, ActivityNotification)] == []


def test_its_links_lead_somewhere() -> None:
    assert broken_links(PAGE) == []
