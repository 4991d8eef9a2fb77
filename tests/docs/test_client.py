"""The page about the client: what it shows is what a reader gets, from top to bottom, of real servers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import certifi
import pytest

from headway.client import Client, Retries
from headway.client.options import TIMEOUT
from headway.client.scanning import SETTLE
from headway.client.subscription import SILENCE
from tests.docs.pages import DOCS, Block, Program, blocks, broken_links, packed, pattern
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
            '"ca.pem"': repr(certifi.where()),
        }
        self.program = Program(here)
        resources.callback(self._stop)
        patch = resources.enter_context(pytest.MonkeyPatch.context())
        for name, value in self._environment.items():
            patch.setenv(name, value)

    def take(self, block: Block) -> str:
        """Do it; what is printed."""
        if block.language == "sh":
            self._run(block.text)
            return ""
        return self.program.run(block)

    def _run(self, script: str) -> None:
        """In a shell, which leaves behind what it has put into the background."""
        said = self._folder / "said"
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PIP_NO_INDEX": "1"}
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


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with ExitStack() as resources:
        yield Reader(tmp_path_factory.mktemp("reader"), resources)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.heading}: {block.first_line}"[:60])
def test_each_block_of_the_page_does_what_it_says(reader: Reader, block: Block) -> None:
    printed = reader.take(block)
    shown = reader.program.here(block.shown or "")
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


def test_its_links_lead_somewhere() -> None:
    assert broken_links(PAGE) == []
