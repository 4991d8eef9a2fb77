"""The page about task queues: a reader who types what it shows gets what it says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.invoking import environment
from tests.docs.pages import DOCS, PATH, Block, blocks, broken_links, packed, pattern, printed_by, told_of
from tests.e2e.serving import Serving
from tests.integrations.queues.conformance import CAPABILITIES
from tests.integrations.queues.matrix import told
from tests.integrations.queues.shops import COMMANDS, LIBRARIES
from tests.stores.redis_servers import RedisServer, redis_server

PAGE = (DOCS / "queues.md").read_text()
BLOCKS = list(blocks(PAGE, "python", "sh"))
THERE = "redis://localhost:6379"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("server") / "data") as serving:
        yield serving


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("broker") / "data") as running:
        yield running


def of(library: str) -> list[Block]:
    return [block for block in BLOCKS if block.heading.lower() == library]


@pytest.mark.parametrize("library", ["taskiq", "dramatiq", "rq", "arq"])
def test_what_it_shows_runs(library: str, server: Serving, broker: RedisServer, tmp_path: Path) -> None:
    if library not in LIBRARIES:
        pytest.skip(f"{library} is not installed")
    place = f"{broker.url}/{list(COMMANDS).index(library)}"
    for block in of(library):
        if block.language == "python":
            (tmp_path / block.first_line.removeprefix("# ")).write_text(block.text.replace(THERE, place))
    (script,) = [block for block in of(library) if block.shown is not None]
    here = {"PATH": PATH, "PYTHONPATH": str(tmp_path)}
    where = told_of(server.url, server.data, BLOCKS)
    checks = [f"python -c 'import {each.stem}'" for each in tmp_path.glob("*.py") if each.stem != "publish"]
    # The worker writes to a file of its own, for the page shows what the others print.
    text = script.text.replace(THERE, place).replace(" &\n", " > worker.log 2>&1 &\n")
    *_, printed = printed_by([where, *checks, text], tmp_path, {**os.environ, **environment(server.data), **here})
    assert pattern(script.shown or "").search(packed(printed)), f"{printed}\n{(tmp_path / 'worker.log').read_text()}"


def test_every_block_is_run_or_installs_something() -> None:
    rest = [block for block in BLOCKS if block.language == "sh" and block.shown is None]
    assert [block.text.split()[0] for block in rest] == ["export", *["pip"] * 4]
    assert sum(block.shown is not None for block in BLOCKS) == 4


def test_its_table_has_all_that_is_tried() -> None:
    assert set(told()) == {(library, name) for library in COMMANDS for name in CAPABILITIES}


def test_no_link_leads_nowhere() -> None:
    assert broken_links(PAGE) == []
