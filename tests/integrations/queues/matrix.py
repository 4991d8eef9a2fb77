"""The table of docs/queues.md: what the conformance suite has found. ``python -m tests.integrations.queues.matrix``
makes it anew; a test fails when page and suite disagree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.examples.site import ROOT
from tests.integrations.queues.conformance import CAPABILITIES, Outcome, outcomes
from tests.integrations.queues.shops import COMMANDS

PAGE = ROOT / "docs" / "queues.md"
NAMES = {"celery": "Celery", "taskiq": "taskiq", "dramatiq": "dramatiq", "rq": "RQ", "arq": "arq"}
BEGIN, END = "<!-- made by tests.integrations.queues.matrix -->\n", "<!-- end -->\n"
ROW = re.compile(r"^\| (?P<name>[^|]+?) \|(?P<cells>.+)\|$", re.MULTILINE)


def table(found: Mapping[tuple[str, str], Outcome]) -> str:
    """As Markdown. Raises what a check has raised."""
    lines = [_line("a task …", [NAMES[library] for library in COMMANDS]), "|---|" + "---|" * len(COMMANDS)]
    for name in CAPABILITIES:
        cells = []
        for library in COMMANDS:
            outcome = found[library, name]
            if isinstance(outcome, Exception):
                raise outcome
            cells.append(outcome)
        lines.append(_line(name, cells))
    return "\n".join(lines) + "\n"


def told() -> dict[tuple[str, str], str]:
    """What the page says."""
    page = PAGE.read_text()
    part = page[page.index(BEGIN) : page.index(END)]
    rows = {row["name"]: [cell.strip() for cell in row["cells"].split("|")] for row in ROW.finditer(part)}
    return {
        (library, name): rows[name][column]
        for name in CAPABILITIES
        if name in rows
        for column, library in enumerate(COMMANDS)
    }


def write() -> None:
    """Run the suite, and put the table into the page."""
    with TemporaryDirectory() as folder:
        made = table(outcomes(Path(folder)))
    page = PAGE.read_text()
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    PAGE.write_text(page[:begin] + made + page[end:])


def _line(name: str, cells: list[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    write()
