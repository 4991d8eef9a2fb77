"""The media server's README, done as it says: its server as a program, its curl commands, its Python."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.harness import DEADLINE

ROOT = Path(__file__).parents[3]
README = (ROOT / "examples/mediaserver/README.md").read_text()
RUN, _, CURL = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
(PYTHON,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def url(folder: Path, tmp_path: Path) -> Iterator[str]:
    """``python -m examples.mediaserver`` with the tokens of the README, on a port of its own."""
    (exported,) = re.findall(r"^export (.*?) *#", RUN, re.MULTILINE)
    tokens = dict(one.split("=") for one in exported.split())
    options = [str(folder), "--data", str(tmp_path / "data"), "--port", "0"]
    command = [sys.executable, "-m", "examples.mediaserver", *options]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **tokens}, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1]
        assert "owner (owner), guest (guest)" in server.stdout.readline()
        server.send_signal(signal.SIGTERM)
        assert server.wait(DEADLINE) == 0


def test_the_commands_of_curl(url: str) -> None:
    told = output(["bash", "-euc", CURL], {"URL": url, "TOKEN": "owner"})
    assert '<Directory key="2" type="artist" title="Music"' in told
    assert "event: ping" in told
    (uuid,) = re.findall(r"^x-plex-activity: (\S+)", told, re.MULTILINE | re.IGNORECASE)
    assert f'"event":"ended","uuid":"{uuid}"' in told
    assert f'"uuid":"{uuid}","type":"library.update.section"' in told.partition('{"MediaContainer"')[2]


def test_the_program(url: str) -> None:
    told = output([sys.executable, "-c", PYTHON.replace("http://127.0.0.1:32400", url)], {})
    assert "'type': 'library.update.section'" in told
    assert re.search(r"^The Sines Waves One \d+$", told, re.MULTILINE)


def output(command: list[str], environment: dict[str, str]) -> str:
    ran = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    return ran.stdout
