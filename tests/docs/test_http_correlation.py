"""The page about replies: its application runs, its commands answer what it shows, its limits are the code's."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from headway.server.respond_async import RespondAsyncLimits
from tests.docs.pages import DOCS, printed_by

PAGE = (DOCS / "http-correlation.md").read_text()
PROGRAM = "".join(re.findall(r"^```python\n(.*?)^```\n", PAGE, re.MULTILINE | re.DOTALL))
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:```(?:text|json)\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
COMMANDS = [(match[1], match[2] or "") for match in BLOCK.finditer(PAGE)]
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the application of the page runs, in a server as its readers would run it."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "main.py").write_text(PROGRAM)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port, fd = listening.getsockname()[1], os.dup(listening.fileno())
    os.set_inheritable(fd, True)
    command = [sys.executable, "-m", "uvicorn", "main:app", "--fd", str(fd)]
    output = folder / "output"
    with (
        output.open("wb") as file,
        subprocess.Popen(command, cwd=folder, stdout=file, stderr=file, pass_fds=[fd]) as server,
    ):
        try:
            # It listens already: whoever asks before it is ready waits.
            yield f"http://127.0.0.1:{port}"
            assert server.poll() is None, output.read_text()
        finally:
            os.close(fd)
            server.kill()


@pytest.fixture(scope="module")
def answers(url: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block prints: all run in one shell, from the top of the page to its end."""
    environment = {**os.environ, "URL": url}
    return printed_by([command for command, _ in COMMANDS], tmp_path_factory.mktemp("shell"), environment)


def shown(text: str) -> list[str]:
    """Its lines; which uuid it is differs from run to run."""
    return [UUID.sub("UUID", line) for line in text.strip().splitlines()]


@pytest.mark.parametrize("index", range(len(COMMANDS)), ids=lambda index: COMMANDS[index][0].splitlines()[0][:60])
def test_each_command_answers_what_is_shown(answers: list[str], index: int) -> None:
    assert sorted(shown(answers[index])) == sorted(shown(COMMANDS[index][1]))


def test_every_block_of_the_page_is_run() -> None:
    fences = re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)
    assert fences.count("sh") == len(COMMANDS) > 5
    assert fences.count("python") == 3
    answered = sum(bool(answer) for _, answer in COMMANDS)
    assert len(fences) == len(COMMANDS) + 3 + answered


def test_the_limits_are_those_there_are() -> None:
    table = PAGE.split("\n## Limits\n")[1]
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", table, re.MULTILINE)
    limits = RespondAsyncLimits()
    assert {name: float(number.replace(",", "")) for name, number in rows} == {
        name: getattr(limits, name) for name in limits.__struct_fields__
    }
