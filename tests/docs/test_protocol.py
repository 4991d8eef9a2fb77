"""The page about the protocol: its commands answer what it shows, its tables are the code's."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from headway.admission import Limits
from headway.core.view import TOMBSTONE_AGE, TOMBSTONES
from headway.outputs import AFTERWARDS
from headway.server.answers import MAX_KEY
from headway.server.guard import BODY_LIMIT
from headway.server.resources import DEFAULT_LEASE
from headway.server.service import StreamLimits
from headway.wire import bags, json, prefer, requests, rules
from headway.wire.errors import CODES, Unreadable
from tests.docs.pages import DOCS, PATH, printed_by
from tests.server.running import Running, running_server

PAGE = (DOCS / "protocol.md").read_text()
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:```\w+\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
COMMANDS = [(match[1], match[2]) for match in BLOCK.finditer(PAGE)]
HOUR = 3600

# What differs from run to run, as it stands on the page.
VARYING = re.compile(
    r"(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})|(?P<cursor>mT0qkQeZ1nB5c9vWJ2xYfA)|(?P<time>\b17\d{8}\.\d+)|…"
)
PATTERNS = {"uuid": r"[0-9a-f-]{36}", "cursor": r"[\w-]{22}", "time": r"\d+(?:\.\d+)?", None: ".*"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def answers(server: Running, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block prints: all run in one shell, from the top of the page to its end."""
    environment = {"PATH": PATH, "HEADWAY_URL": server.url, "HEADWAY_DATA": str(server.data)}
    return printed_by([command for command, _ in COMMANDS], tmp_path_factory.mktemp("shell"), environment)


def pattern(shown: str) -> re.Pattern[str]:
    """An answer on the page as a pattern, in which white space does not count."""
    parts, end = [], 0
    for match in VARYING.finditer(shown):
        parts += [re.escape(packed(shown[end : match.start()])), PATTERNS[match.lastgroup]]
        end = match.end()
    return re.compile("".join(parts) + re.escape(packed(shown[end:])), re.DOTALL)


def packed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("index", range(len(COMMANDS)), ids=lambda index: COMMANDS[index][0].splitlines()[0][:60])
def test_each_command_answers_what_is_shown(answers: list[str], index: int) -> None:
    shown = COMMANDS[index][1] or ""
    assert pattern(shown).fullmatch(packed(answers[index])), f"{answers[index]}\nis not\n{shown}"


def test_every_command_of_the_page_is_run() -> None:
    fences = re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)
    assert fences.count("sh") == len(COMMANDS) > 10
    # What is not a command is the answer of one.
    assert len(fences) - len(COMMANDS) == sum(shown is not None for _, shown in COMMANDS)


def rows(heading: str) -> list[list[str]]:
    """The table below a heading, without its head."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table[2:]]


def test_the_errors_are_those_there_are() -> None:
    ours = {(str(kind.status), str(code), kind.code) for kind, code in CODES.items() if kind is not Unreadable}
    assert {(status, code, reason) for status, code, reason, _ in rows("Errors")} == ours


def test_the_limits_are_those_that_hold() -> None:
    limits = {
        "body": (BODY_LIMIT, json.MAX_DEPTH),
        "type": (128,),
        "title": (requests.MAX_TITLE,),
        "subtitle": (requests.MAX_SUBTITLE,),
        "unit": (requests.MAX_UNIT,),
        "error": (requests.MAX_ERROR,),
        "Context": (bags.CONTEXT.keys, bags.CONTEXT.size),
        "Response": (bags.RESPONSE.size,),
        "lease": (requests.MIN_LEASE, requests.MAX_LEASE),
        "grace": (0, requests.MAX_GRACE),
        "wait": (prefer.MAX_WAIT,),
        "output": (requests.MAX_OUTPUT, AFTERWARDS),
        "activities told of at once": (requests.MAX_BATCH,),
        "Idempotency-Key": (MAX_KEY,),
        "live activities": (Limits().live_per_owner, Limits().live),
        "streams": (StreamLimits().per_user, StreamLimits().total),
        "resuming": (TOMBSTONE_AGE / HOUR, TOMBSTONES),
        "history": (Limits().retention / 24 / HOUR, Limits().history),
    }
    assert {name: numbers(limit) for name, limit in rows("Limits")} == limits
    assert rules.TYPE.fullmatch("x" * 128) and not rules.TYPE.fullmatch("x" * 129)


def numbers(text: str) -> tuple[float, ...]:
    return tuple(float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text.replace(", ", " ")))


def test_the_default_lease_is_told() -> None:
    assert f"for `lease` seconds ({DEFAULT_LEASE:g};" in PAGE
