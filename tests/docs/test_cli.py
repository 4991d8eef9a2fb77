"""The page about the command line: its blocks say what it shows, its table of exit codes is the code's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from headway.cli import EXIT_CODES
from headway.cli.commands import INTERRUPTED
from tests.docs.pages import DOCS, PATH, Block, blocks, broken_links, packed, pattern, printed_by
from tests.plex_media_server import PlexMediaServer
from tests.server.running import running_server

PAGE = (DOCS / "cli.md").read_text()
BLOCKS = list(blocks(PAGE, "sh"))


class Said:
    """What the blocks print, all run in one shell, from the top of the page to its end."""

    def __init__(self, folder: Path) -> None:
        with running_server(folder / "data") as server, PlexMediaServer() as plex:
            plex.start("media.download", title="Downloading", cancellable=True, progress=40)
            self._here = {
                "http://office.example:4590": server.url,
                "http://127.0.0.1:4590": server.url,
                "http://plex.example:32400": plex.url,
                "PLEX-TOKEN": plex.token,
            }
            home = folder / "home"
            home.mkdir()
            # As somebody has it who has set nothing.
            environment = {"PATH": PATH, "HOME": str(home), "LANG": "C.UTF-8", "HEADWAY_DATA": str(server.data)}
            printed = printed_by([self.here(block.text) for block in BLOCKS], home, environment)
        self._printed = dict(zip(BLOCKS, printed, strict=True))

    def here(self, text: str) -> str:
        """The same with what stands for the reader's own servers replaced."""
        for there, here in self._here.items():
            text = text.replace(there, here)
        return text

    def of(self, block: Block) -> str:
        return self._printed[block]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Said]:
    yield Said(tmp_path_factory.mktemp("page"))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.heading}: {block.first_line}"[:60])
def test_each_block_says_what_is_shown(said: Said, block: Block) -> None:
    shown = said.here(block.shown or "")
    assert pattern(shown).fullmatch(packed(said.of(block))), f"{said.of(block)}\nis not\n{shown}"


def test_every_block_is_run_or_is_what_one_says() -> None:
    fences = re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)
    assert len(fences) - len(BLOCKS) == sum(block.shown is not None for block in BLOCKS)


def test_the_exit_codes_are_those_of_the_help() -> None:
    listed = set(re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE))
    assert listed == {*re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE), str(INTERRUPTED)}


def test_no_link_leads_nowhere() -> None:
    assert broken_links(PAGE) == []
