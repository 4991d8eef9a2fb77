"""The outcome of ``start`` as a table, with the targets it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

from bench.record import heading
from bench.rounds import Round, judged, medians, ratio, uncounted

NOTHING, HEADWAY, PROGRAM, LIBRARIES, HELP = "nothing", "headway", "program", "libraries", "help"
HELLO, EMPTY, FULL = "hello", "empty", "full"

_PROCESSES = {
    NOTHING: "python -c pass",
    HEADWAY: "import headway",
    PROGRAM: "from headway import Activities",
    LIBRARIES: "import starlette.applications, uvicorn",
    HELP: "headway --help",
}
_SERVERS = {
    HELLO: "uvicorn with an application of two lines",
    EMPTY: "headway serve, an empty folder",
    FULL: "headway serve, {ended:,} ended activities and {live:,} live",
}


class Verdict(NamedTuple):
    """One target in seconds, and what was found; ``times`` as long as what stands beside it."""

    what: str
    found: float
    limit: float
    times: float | None
    beside: str

    @property
    def met(self) -> bool:
        return self.found <= self.limit


IMPORT, ANSWER = 0.06, 0.7
"""Seconds: beyond Python itself, and from the start of the process."""


def printed(rounds: Sequence[Round], ended: int, live: int) -> str:
    """Two tables: processes that end, and servers that answer."""
    found = {key[0]: values["seconds"] for key, values in medians(rounds).items()}
    lines = [heading("start"), "", f"  {'until it has ended':<60}{'ms':>10}{'− python':>10}"]
    for name, what in _PROCESSES.items():
        if name in found:
            extra = _beyond(rounds, name)
            lines.append(f"  {what:<60}{found[name] * 1e3:>10.1f}{'–' if extra is None else f'{extra * 1e3:.1f}':>10}")
    lines += ["", f"  {'until it has answered':<60}{'ms':>10}{'× hello':>10}"]
    for name, what in _SERVERS.items():
        if name in found:
            times = _times(rounds, name, HELLO)
            what = what.format(ended=ended, live=live)
            lines.append(f"  {what:<60}{found[name] * 1e3:>10.1f}{'–' if times is None else f'{times:.2f}':>10}")
    lines += ["", *map(_told, verdicts(rounds))]
    return "\n".join([*lines, *uncounted(rounds, []), ""])


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """The same for the record."""
    return {
        "medians": {key[0]: values["seconds"] for key, values in medians(rounds).items()},
        "targets": [{**verdict._asdict(), "met": verdict.met} for verdict in verdicts(rounds)],
    }


def verdicts(rounds: Sequence[Round]) -> list[Verdict]:
    """Ours against the targets, which are absolute: beside them, what the machine takes for the libraries alone."""
    found = []
    libraries = _beyond(rounds, LIBRARIES)
    for name in (HEADWAY, PROGRAM):
        extra = _beyond(rounds, name)
        if extra is not None:
            times = extra / libraries if libraries else None
            found.append(Verdict(_PROCESSES[name], extra, IMPORT, times, "starlette and uvicorn"))
    for name in (EMPTY, FULL):
        if (name, "", 0) in medians(rounds):
            seconds = medians(rounds)[name, "", 0]["seconds"]
            what = f"headway serve, {name} folder"
            found.append(Verdict(what, seconds, ANSWER, _times(rounds, name, HELLO), "bare uvicorn"))
    return found


def _beyond(rounds: Sequence[Round], name: str) -> float | None:
    """The median of what it takes longer than Python alone in the same round."""
    seconds = {(one.server, one.number): one.values["seconds"] for one in rounds if one.values}
    extra = [
        taken - seconds[NOTHING, number]
        for (server, number), taken in seconds.items()
        if server == name and (NOTHING, number) in seconds
    ]
    return median(extra) if extra else None


def _times(rounds: Sequence[Round], name: str, other: str) -> float | None:
    return ratio(rounds, (name, "", 0), (other, "", 0), "seconds")


def _told(verdict: Verdict) -> str:
    beside = "" if verdict.times is None else f", {verdict.times:.2f} × {verdict.beside}"
    return judged(
        verdict.met, f"{verdict.what}: {verdict.found * 1e3:.1f} ms, at most {verdict.limit * 1e3:.0f}{beside}"
    )
