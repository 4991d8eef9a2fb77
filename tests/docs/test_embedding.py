"""The page about embedding: a reader who types what it shows gets what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, Block, blocks, broken_links, packed, pattern
from tests.examples.site import ROOT, Site, running

PAGE = (DOCS / "embedding.md").read_text()
STEPS = list(blocks(PAGE, "python", "sh"))
ADDRESS = "http://localhost:8000"
PATIENCE = 120.0


class Reader:
    """Somebody with a folder, a server that runs in it, and a shell."""

    def __init__(self, folder: Path, resources: ExitStack) -> None:
        self.folder = folder
        self._resources = resources
        self._app = "main:app"
        self._site: Site | None = None

    def take(self, step: Block) -> str | None:
        """Do it; what is printed, if anything is."""
        first, _, rest = step.text.partition("\n")
        if step.language == "python":
            self._write(step.text)
        elif first.startswith("pip install"):
            self._require(first)
        elif first.startswith("uvicorn"):
            self._app = first.split()[1]
            self._stop()
            return self._run(rest) if rest else None
        else:
            return self._run(step.text)
        return None

    def _write(self, text: str) -> None:
        first, _, rest = text.partition("\n")
        name, _, continued = first.removeprefix("# ").partition(", ")
        if name.startswith("examples/"):
            assert rest in (ROOT / name).read_text(), f"{name} does not say\n{rest}"
            return
        assert continued in ("", "continued")
        with (self.folder / name).open("a" if continued else "w") as file:
            file.write(f"\n\n{rest}" if continued else rest)
        self._stop()

    def _require(self, command: str) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert {f"'headway[{extra}]'" for extra in project["optional-dependencies"]} & set(command.split())

    def _run(self, script: str) -> str:
        if self._site is None or self._site.process.poll() is not None:
            self._stop()
            path = {"PYTHONPATH": str(self.folder)}
            self._site = self._resources.enter_context(running(self._app, self.folder, environment=path))
        completed = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._here(script)],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        said = completed.stdout + completed.stderr
        assert completed.returncode == 0, f"{script}\n{said}\n{self._site.log.read_text()}"
        return completed.stdout

    def _here(self, text: str) -> str:
        assert self._site is not None
        for file in self.folder.glob("*.py"):
            file.write_text(file.read_text().replace(ADDRESS, self._site.url))
        return text.replace(ADDRESS, self._site.url)

    def _stop(self) -> None:
        if self._site is not None and self._site.process.poll() is None:
            self._site.stop()
        self._site = None


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with ExitStack() as resources:
        yield Reader(tmp_path_factory.mktemp("reader"), resources)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.text.splitlines()[0][:50])
def test_each_step_of_the_page_does_what_it_says(reader: Reader, step: Block) -> None:
    printed = reader.take(step)
    if step.shown is not None:
        assert printed is not None
        assert pattern(step.shown).fullmatch(packed(printed)), f"{printed}\nis not\n{step.shown}"


def test_every_block_is_a_step_or_what_one_prints() -> None:
    fences = re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)
    assert len(fences) == len(STEPS) + sum(step.shown is not None for step in STEPS)
    assert len(STEPS) > 30


def test_its_links_lead_somewhere() -> None:
    assert broken_links(PAGE) == []
