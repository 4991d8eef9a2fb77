"""The page beside the generated SDKs: both sides of each pair do what it says, against either kind of server."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from headway.client import Client, Report, Request
from headway.client.options import Settings, make_options
from tests.client.scripted_server import Asked, Reply, ScriptedServer
from tests.docs.pages import DOCS, Block, InOrder, Program, blocks, broken_links, named, packed, pattern
from tests.plex_media_server import PlexMediaServer
from tests.server.running import running_server

PAGE = (DOCS / "sdk-parity.md").read_text()
BLOCKS = list(blocks(PAGE, "python"))
SIDES = ("# plex-api-client", "# headway")
TYPE, TITLE = "photos.resize", "Resizing"
EMPTY = Reply(200, b'{"MediaContainer": {"size": 0}}', {"Content-Type": "application/json"})


class Server(NamedTuple):
    """A server that the page is tried on."""

    program: Program
    page: InOrder


def headway(resources: ExitStack, folder: pytest.TempPathFactory) -> tuple[str, str, Callable[[], str]]:
    server = resources.enter_context(running_server(folder.mktemp("headway") / "data"))
    client = resources.enter_context(Client(server.url, server.token))
    return (
        server.url,
        server.token,
        lambda: client.activities.create(TYPE, report=Report(title=TITLE), cancellable=True).uuid,
    )


def plex(resources: ExitStack, folder: pytest.TempPathFactory) -> tuple[str, str, Callable[[], str]]:
    server = resources.enter_context(PlexMediaServer())
    return server.url, server.token, lambda: server.start(TYPE, title=TITLE, cancellable=True)


def opened_by_any_token(asked: Asked) -> Reply:
    return EMPTY if "x-plex-token" in asked.headers else Reply(401)


def every_other_time() -> Callable[[Asked], Reply]:
    seen: list[Asked] = []

    def script(asked: Asked) -> Reply:
        seen.append(asked)
        return EMPTY if len(seen) % 2 == 0 else Reply(429, b"", {"Retry-After": "1"})

    return script


@pytest.fixture(scope="module", params=[headway, plex])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with ExitStack() as resources:
        url, token, start = request.param(resources, tmp_path_factory)
        other = resources.enter_context(ScriptedServer(opened_by_any_token))
        busy = resources.enter_context(ScriptedServer(every_other_time()))
        there = other.url.replace("127.0.0.1", "localhost")
        redirecting = ScriptedServer(lambda asked: Reply(302, b"", {"Location": f"{there}{asked.path}"}))
        resources.enter_context(redirecting)
        here = {
            "http://other.example:4590": other.url,
            "http://redirecting.example:4590": redirecting.url,
            "http://busy.example:4590": busy.url,
            "http://127.0.0.1:4590": url,
            "4590": url.rpartition(":")[2],
            '"TOKEN"': repr(token),
        }
        program = Program(here)

        def do(block: Block) -> str:
            program.known["uuid"] = start()
            return program.run(block)

        yield Server(program, InOrder(BLOCKS, do))
        if "client" in program.known:
            program.known["client"].close()


@pytest.mark.parametrize("number", range(len(BLOCKS)), ids=[named(block) for block in BLOCKS])
def test_each_block_of_the_page_does_what_it_says(server: Server, number: int) -> None:
    printed = server.page.take(number)
    shown = server.program.here(BLOCKS[number].shown or "")
    assert pattern(shown).fullmatch(packed(printed)), f"{printed}\nis not\n{shown}"


def test_every_block_says_whose_it_is() -> None:
    _, *pairs = BLOCKS
    assert {block.first_line for block in pairs} == set(SIDES)
    alone = {block.heading for block in pairs if block.first_line == SIDES[1]} - {
        block.heading for block in pairs if block.first_line == SIDES[0]
    }
    assert alone == {"Results"}  # which the page says the other side has none of


def test_it_is_about_the_release_that_it_is_tried_on() -> None:
    assert re.findall(r"plex-api-client (\d[\d.]*\d)", PAGE) == [importlib.metadata.version("plex-api-client")]


def test_the_headers_are_those_that_the_parameters_become() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `(X-Plex-[\w-]+)` \|$", PAGE, re.MULTILINE))
    options = make_options("http://localhost", None, Settings(**{name: f"our {name}" for name in rows}))  # type: ignore[typeddict-item]
    headers = options.sendable(Request(path="/")).headers
    assert {name: headers[header] for name, header in rows.items()} == {name: f"our {name}" for name in rows}
    assert len(rows) + len({"accepts"}) == 11


def test_its_links_lead_somewhere() -> None:
    assert broken_links(PAGE) == []
