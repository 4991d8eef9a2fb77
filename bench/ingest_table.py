"""The outcome of ``ingest`` as tables, with the targets it is held against."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from bench.peers import valkey
from bench.record import heading
from bench.rounds import Round, judged, medians, ratio, uncounted

MICRO = 1e6


class Reporter(NamedTuple):
    """One way of saying how far the work is."""

    name: str
    what: str
    place: Literal["process", "network"]
    server: Literal["headway", "valkey"] | None
    """What it reports to."""
    compared: str
    """With whom it is."""
    missing: Callable[[], str | None]
    """Why it cannot be measured here."""


class Target(NamedTuple):
    """Ours is to take at most ``factor`` times what theirs takes."""

    ours: str
    theirs: str
    value: Literal["call", "cpu"]
    what: str
    factor: float = 1.0


PAIRS = (("report", "tqdm"), ("thread", "tqdm"), ("report-text", "tqdm-text"), ("thread-text", "tqdm-text"))
TARGETS = [
    *(Target(ours, theirs, "call", "time in the call") for ours, theirs in PAIRS),
    *(Target(ours, theirs, "cpu", "CPU of the process") for ours, theirs in PAIRS),
]


def printed(rounds: Sequence[Round], skipped: Sequence[str]) -> str:
    """The tables, the targets, and what is not in them."""
    lines = [heading("ingest")]
    for part in (_processes(rounds), _networks(rounds), _verdicts(rounds)):
        lines += ["", *part] if part else []
    return "\n".join([*lines, *uncounted(rounds, skipped), ""])


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """The same for the record."""
    return {
        "medians": [
            {"reporter": name, "place": place, **values} for (name, place, _), values in medians(rounds).items()
        ],
        "ratios": [
            {**target._asdict(), "ratio": found, "met": found <= target.factor} for target, found in _against(rounds)
        ],
    }


def _processes(rounds: Sequence[Round]) -> list[str]:
    found = _found(rounds, "process")
    lines = [
        f"  {'in process; for a call':<68}{'µs in it':>10}{'× tqdm':>8}{'CPU µs':>9}{'× tqdm':>8}{'server µs':>11}"
    ]
    for reporter, values in found:
        cells = [f"{values['call'] * MICRO:>10.3f}", _times(rounds, reporter, "call")]
        cells += [f"{values['cpu'] * MICRO:>9.3f}", _times(rounds, reporter, "cpu")]
        cells.append(f"{values['server_cpu'] * MICRO:>11.1f}" if reporter.server else f"{'–':>11}")
        lines.append(f"  {reporter.name:<14}{reporter.what:<54}" + "".join(cells))
    return lines if found else []


def _networks(rounds: Sequence[Round]) -> list[str]:
    found = _found(rounds, "network")
    lines = [
        f"  {'over the network; each':<68}{'per second':>12}{'× its like':>12}"
        f"{'server CPU µs':>15}{'sender CPU µs':>15}",
    ]
    for reporter, values in found:
        cells = [f"{values['rate']:>12,.0f}", f"{_times(rounds, reporter, 'rate'):>12}"]
        cells += [f"{values['server_cpu'] * MICRO:>15.2f}", f"{values['cpu'] * MICRO:>15.2f}"]
        lines.append(f"  {reporter.name:<14}{reporter.what:<54}" + "".join(cells))
    return [*lines, "  its like: GET /health of the same server, asked for in the same way"] if found else []


def _found(rounds: Sequence[Round], place: str) -> list[tuple[Reporter, dict[str, float]]]:
    found = medians(rounds)
    return [(one, found[one.name, place, 0]) for one in REPORTERS.values() if (one.name, place, 0) in found]


def _times(rounds: Sequence[Round], reporter: Reporter, value: str) -> str:
    if not reporter.compared:
        return f"{'':>8}"
    found = ratio(rounds, (reporter.name, reporter.place, 0), (reporter.compared, reporter.place, 0), value)
    return f"{'–':>8}" if found is None else f"{found:>8.2f}"


def _verdicts(rounds: Sequence[Round]) -> list[str]:
    return [
        judged(
            found <= target.factor,
            f"{target.ours} ≤ {target.factor:g} × {target.theirs}: {found:.2f} × ({target.what})",
        )
        for target, found in _against(rounds)
    ]


def _against(rounds: Sequence[Round]) -> list[tuple[Target, float]]:
    found = []
    for target in TARGETS:
        times = ratio(rounds, (target.ours, "process", 0), (target.theirs, "process", 0), target.value)
        if times is not None:
            found.append((target, times))
    return found


def _needs(*modules: str) -> Callable[[], str | None]:
    def missing() -> str | None:
        absent = [name for name in modules if not importlib.util.find_spec(name)]
        return f"{' and '.join(absent)} not installed (make bench installs them)" if absent else None

    return missing


def _celery_missing() -> str | None:
    return _needs("celery")() or valkey.missing()


def _job(name: str, what: str, *needs: str) -> Reporter:
    return Reporter(name, what, "process", None, "tqdm", _needs(*needs))


def _over_http(name: str, what: str, compared: str = "") -> Reporter:
    return Reporter(name, what, "network", "headway", compared, _needs())


def _to_valkey(name: str, what: str) -> Reporter:
    return Reporter(name, what, "network", "valkey", "", valkey.missing)


REPORTERS = {
    reporter.name: reporter
    for reporter in (
        _job("tqdm", "tqdm.update()", "tqdm"),
        _job("tqdm-text", "the same with set_postfix_str(…, refresh=False)", "tqdm"),
        _job("rich", "rich's Progress.update(task, completed=n)", "rich"),
        _job("rich-advance", "rich's Progress.advance(task)", "rich"),
        Reporter("celery", "Celery's update_state, on Valkey", "process", "valkey", "tqdm", _celery_missing),
        _job("report", "activity.report(completed=n), on the loop"),
        _job("report-text", "the same with subtitle="),
        _job("thread", "activity.report(completed=n), in a thread"),
        _job("thread-text", "the same with subtitle="),
        _over_http("http", "PATCH, one by one", "health"),
        _over_http("http-ten", "PATCH, one by one on each of 10 connections", "health-ten"),
        _over_http("http-batch", "PATCH, 32 in one write", "health-batch"),
        _over_http("client", "our client's job.report(completed=n), conflated"),
        _over_http("health", "GET /health, one by one"),
        _over_http("health-ten", "GET /health, one by one on each of 10 connections"),
        _over_http("health-batch", "GET /health, 32 in one write"),
        _to_valkey("set", "SET from redis-py, one by one"),
        _to_valkey("set-batch", "SET from redis-py, 32 in a pipeline"),
        _to_valkey("xadd", "XADD from redis-py, one by one"),
        _to_valkey("xadd-batch", "XADD from redis-py, 32 in a pipeline"),
    )
}
"""By name, in the order of the tables."""
