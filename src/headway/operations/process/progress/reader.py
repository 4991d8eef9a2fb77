"""Bytes in, progress out: the reader that is fed with what a command writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from headway.operations.process.progress.auto import Auto
from headway.operations.process.progress.count import Count
from headway.operations.process.progress.curl import Curl
from headway.operations.process.progress.dd import Dd
from headway.operations.process.progress.ffmpeg import Ffmpeg
from headway.operations.process.progress.percent import Percent
from headway.operations.process.progress.pip import Pip
from headway.operations.process.progress.pv import NumericPv, Pv
from headway.operations.process.progress.reading import Reading, Rule
from headway.operations.process.progress.rsync import Rsync
from headway.operations.process.progress.terminal import Line, LineSplitter
from headway.operations.process.progress.tqdm import Tqdm
from headway.operations.process.progress.wget import Wget


class Nothing:
    """Reads nothing."""

    hints: tuple[bytes, ...] = ()

    def read(self, line: Line) -> Reading | None:
        """Nothing."""
        return None


def _auto() -> Auto:
    tools = (Tqdm(), Rsync(), Ffmpeg(), Curl(), Wget(), Pip(), Dd(), Pv())
    return Auto(tools, (Percent(), Count()))


RULES: dict[str, Callable[[], Rule]] = {
    "auto": _auto,
    "percent": Percent,
    "count": Count,
    "tqdm": Tqdm,
    "rsync": Rsync,
    "ffmpeg": Ffmpeg,
    "curl": Curl,
    "wget": Wget,
    "pip": Pip,
    "dd": Dd,
    "pv": NumericPv,
    "none": Nothing,
}
"""Every rule by the name that `headway run --progress` and `spawn_process(progress=…)` take.

Each call makes one that has read nothing yet.
"""


class ProgressReader:
    """Reads progress from the output of one command.

    Give it everything the command writes, in chunks cut anywhere: how they are cut makes no difference. It raises
    nothing, whatever the bytes, keeps a few KiB however long a line, and looks closer only at lines that hold a hint
    of progress. Where output and errors come apart, give each stream a reader of its own and both the same rule:
    a tool may tell its total on the one and its progress on the other.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._hints = rule.hints
        self._lines = LineSplitter()

    def __repr__(self) -> str:
        return f"ProgressReader({self._rule!r}, {self._lines!r})"

    def feed(self, data: bytes) -> Reading | None:
        """The newest reading of the lines that `data` finishes, or `None` if they tell nothing."""
        return self._newest(self._lines.split(data, self._hints))

    def flush(self) -> Reading | None:
        """The reading of the line begun but not finished: for when the output ends, or has been quiet for a moment.

        Many tools draw a status line and leave it unfinished until the next one; without this its last is never read.
        """
        return self._newest(self._lines.unfinished(self._hints))

    def _newest(self, lines: Iterable[Line]) -> Reading | None:
        newest = None
        for line in lines:
            newest = self._rule.read(line) or newest
        return newest


def reader(name: str) -> ProgressReader:
    """A reader by the rule of that name, one of `RULES`. Raises `ValueError` for any other name."""
    if name not in RULES:
        raise ValueError(f"no progress rule {name!r}; there are {', '.join(RULES)}")
    return ProgressReader(RULES[name]())
