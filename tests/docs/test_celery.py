"""The page about Celery: a reader who types what it shows gets what it says."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.invoking import environment
from tests.docs.pages import DOCS, PATH, Block, blocks, broken_links, packed, pattern, printed_by, told_of
from tests.e2e.serving import Serving
from tests.stores.redis_servers import RedisServer, redis_server

PAGE = (DOCS / "celery.md").read_text()
BLOCKS = list(blocks(PAGE, "python", "sh"))
BROKER, PORT = "redis://localhost:6379", "8000"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("server") / "data") as serving:
        yield serving


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("broker") / "data") as running:
        yield running


@pytest.mark.parametrize(("number", "shown"), list(enumerate(each for each in BLOCKS if each.shown is not None)))
def test_what_it_shows_runs(number: int, shown: Block, server: Serving, broker: RedisServer, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = str(listener.getsockname()[1])

    def here(text: str) -> str:
        return text.replace(BROKER, f"{broker.url}/{number}").replace(PORT, port)

    for block in BLOCKS:
        if block.language == "python":
            (tmp_path / block.first_line.removeprefix("# ")).write_text(here(block.text))
    told = {"PATH": PATH, "PYTHONPATH": str(tmp_path)}
    # What runs beside writes to a file of its own, for the page shows what the others print.
    text = here(shown.text).replace(" &\n", " >> beside.log 2>&1 &\n")
    where = told_of(server.url, server.data, BLOCKS)
    _, printed = printed_by([where, text], tmp_path, {**os.environ, **environment(server.data), **told})
    assert pattern(shown.shown or "").search(packed(printed)), f"{printed}\n{(tmp_path / 'beside.log').read_text()}"


def test_every_other_block_is_a_file_that_can_be_imported(tmp_path: Path) -> None:
    for block in BLOCKS:
        if block.language == "python":
            compile(block.text, block.first_line, "exec")
    rest = [block.text for block in BLOCKS if block.language == "sh" and block.shown is None]
    assert [text.split()[0] for text in rest] == ["pip", "export"]


def test_the_functions_for_tasks_run_outside_of_them() -> None:
    (block,) = [block for block in BLOCKS if block.first_line == "# photos.py"]
    known: dict[str, object] = {}
    exec(compile(block.text, "photos.py", "exec"), known)
    shrink = known["shrink"]
    assert callable(shrink) and shrink(["a", "b"]) is None


def test_no_link_leads_nowhere() -> None:
    assert broken_links(PAGE) == []
