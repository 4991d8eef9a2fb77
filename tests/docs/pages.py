"""Pages of documentation as something to run: their blocks in order, and what each says is printed."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any, NamedTuple

DOCS = Path(__file__).parents[2] / "docs"
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
"""Where a shell finds the commands of Headway."""
_MARK = "--- end of block ---"
_PATIENCE = 120.0
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_SHOWN = ("\n```json\n", "\n```text\n", "```json\n", "```text\n")


class Block(NamedTuple):
    """Something that the reader types."""

    heading: str
    """The heading it stands below."""
    language: str
    text: str
    shown: str | None
    """What the page says is printed."""

    @property
    def first_line(self) -> str:
        return self.text.partition("\n")[0]


def blocks(page: str, *languages: str) -> Iterator[Block]:
    """The blocks in these languages, in order; what follows one at once, as json or text, is what it prints."""
    found, headings = list(_BLOCK.finditer(page)), list(_HEADING.finditer(_prose(page)))
    for place, match in enumerate(found):
        if match[1] in languages:
            heading = [each[1] for each in headings if each.start() < match.start()][-1]
            follows = page[match.end() :].startswith(_SHOWN)
            yield Block(heading, match[1], match[2], found[place + 1][2] if follows else None)


def named(block: Block) -> str:
    """What its test is called."""
    return f"{block.heading}: {block.first_line}"[:60]


class InOrder:
    """The blocks of a page, each done after all before it: tests of them may be spread over processes."""

    def __init__(self, page: Sequence[Block], do: Callable[[Block], str]) -> None:
        """``do``: does one; what it prints."""
        self._page, self._do = page, do
        self._printed: list[str] = []

    def take(self, number: int) -> str:
        """What that block prints."""
        for block in self._page[len(self._printed) : number + 1]:
            self._printed.append(self._do(block))
        return self._printed[number]


class Program:
    """The Python blocks of a page, run one after the other in one program."""

    def __init__(self, here: Mapping[str, str]) -> None:
        """``here``: what stands for something of the reader's, and what it is here."""
        self.known: dict[str, Any] = {"__name__": "page"}
        self._here = here

    def here(self, text: str) -> str:
        """The same with what is the reader's own replaced."""
        for there, here in self._here.items():
            text = text.replace(there, here)
        return text

    def run(self, block: Block) -> str:
        """Do it; what is printed."""
        with redirect_stdout(io.StringIO()) as printed:
            exec(compile(self.here(block.text), block.first_line, "exec"), self.known)
        return printed.getvalue()


def told_of(url: str, data: Path, page: Sequence[Block]) -> str:
    """The block that says where the server is, for one that is elsewhere."""
    (block,) = [each for each in page if each.shown is None and each.text.startswith("export HEADWAY_URL=")]
    return block.text.replace("http://localhost:4590", url).replace("~/.local/share/headway", str(data))


def printed_by(scripts: Sequence[str], folder: Path, environment: Mapping[str, str]) -> list[str]:
    """What each prints, output and errors together: all run in one shell, in this folder, one after the other."""
    script = "set -euo pipefail\n" + "".join(f"{each}\necho '{_MARK}'\n" for each in scripts)
    printed = _bash(script, folder, environment).split(f"{_MARK}\n")
    assert len(printed) == len(scripts) + 1, f"{scripts[len(printed) - 1]}\nsaid {printed[-1]}"
    return printed[:-1]


def _bash(script: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Bash, and what it leaves in the background, which ends with it."""
    output = folder / "printed"
    # Into a file, not a pipe: what still reads a stream in the background would keep that open.
    with (
        output.open("wb") as file,
        subprocess.Popen(
            ["bash", "-c", script], env=environment, cwd=folder, stdout=file, stderr=file, process_group=0
        ) as shell,
    ):
        try:
            shell.wait(_PATIENCE)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    return output.read_text()


def pattern(shown: str) -> re.Pattern[str]:
    """What the page shows as a pattern, in which white space does not count, an ellipsis is anything and ids differ."""
    parts = re.split(f"({UUID}|…)", packed(shown))
    return re.compile(
        "".join(".*" if part == "…" else UUID if re.fullmatch(UUID, part) else re.escape(part) for part in parts),
        re.DOTALL,
    )


def packed(text: str) -> str:
    """Without white space."""
    return "".join(text.split())


def broken_links(page: str, folder: Path = DOCS) -> list[str]:
    """Links that lead nowhere: to headings of the page, or to files beside it (and their headings)."""
    return [target for target in re.findall(r"\]\(([^)]+)\)", page) if not _leads(target, page, folder)]


def _leads(target: str, page: str, folder: Path) -> bool:
    if "://" in target:
        return True
    path, _, anchor = target.partition("#")
    if path and not (folder / path).exists():
        return False
    text = (folder / path).read_text() if path else page
    return not anchor or anchor in map(_anchor, _HEADING.findall(_prose(text)))


def _prose(page: str) -> str:
    """A page with blanks for its blocks."""
    return _BLOCK.sub(lambda match: " " * len(match[0]), page)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
