"""What a list of activities costs: against as many static bytes, and against the smallest answer of the same server.

Headway runs as ``headway serve`` does, with so many activities. The static bytes come from the same server with an
application that only sends what it was given: the very answers of Headway, head and body. All are asked in turn, over a
few connections that are kept alive; the one who asks has a processor of its own, and how busy that was is shown too.
``unchanged`` asks with ``If-None-Match`` and is answered 304, ``changing`` asks while activities change 20 times a
second, ``own`` asks as a user who sees a tenth of all, ``unknown`` never asks in the same words twice, so that nothing
that the server remembers of requests helps it, and ``smallest`` is ``GET /health``.
"""

from __future__ import annotations

import argparse
import http.client
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from bench import listing_table
from bench.asking import COUNTER
from bench.listing_table import CHANGING, LIST, OWN, SMALLEST, STATIC, UNCHANGED, UNKNOWN
from bench.machine import busy_seconds, cpu_seconds
from bench.peers.static import Answer
from bench.record import write
from bench.rounds import Round
from bench.servers import python
from bench.talk import Failed, heard, say, started

SIZES = [10, 1_000, 10_000]
QUICK_SIZES = [10, 200]
FORMATS = {"json": "application/json", "xml": "text/xml"}
SHARE = 10
"""One in so many activities is the user's own."""
RATE = 20.0
"""Changes per second, where there are any."""
CONNECTIONS = 8
ADMIN = 1

Process = subprocess.Popen[bytes]


class Case(NamedTuple):
    """Something that is asked for."""

    name: str
    format: str
    server: Literal["ours", "static"]
    port: int
    path: str
    headers: dict[str, str]
    status: int = 200

    @property
    def request(self) -> bytes:
        lines = (f"{name}: {value}" for name, value in self.headers.items())
        return "\r\n".join([f"GET {self.path} HTTP/1.1", "host: localhost", *lines, "", ""]).encode()


class Asked(NamedTuple):
    """A server, and who asks it."""

    server: Process
    asker: Process


class Plan(NamedTuple):
    """What to measure."""

    sizes: Sequence[int]
    formats: Sequence[str]
    rounds: int
    seconds: float
    connections: int = CONNECTIONS


def run(plan: Plan) -> list[Round]:
    """All rounds; each is told of on stderr as it is done."""
    done = []
    for size in plan.sizes:
        with _serving(size, plan) as (servers, cases):
            for number in range(plan.rounds):
                shift = number % len(cases)
                for case in cases[shift:] + cases[:shift]:
                    done.append(_round(servers[case.server], case, size, number, plan.seconds))
    return done


def _round(asked: Asked, case: Case, size: int, number: int, seconds: float) -> Round:
    """A case that fails has that on its record."""
    try:
        values, error = _measured(asked, case, seconds), None
    except (Failed, OSError) as failure:
        values, error = {}, str(failure)
    rate = f"{values['rate']:,.0f}/s" if values else ""
    print(f"list {size} {case.format} {number + 1} {case.name}: {rate} {error or ''}", file=sys.stderr)
    return Round(case.name, case.format, size, number, values, error)


def _measured(asked: Asked, case: Case, seconds: float) -> dict[str, float]:
    if case.name == CHANGING:
        _tell(asked.server, f"change {RATE}")
    elif case.name == UNCHANGED:
        case = case._replace(headers={**case.headers, "if-none-match": _tag(case)})
    pids = asked.server.pid, asked.asker.pid
    before = [busy_seconds(), *map(cpu_seconds, pids)]
    told = _tell(asked.asker, f"{seconds} {case.request.hex()}", seconds)
    after = [busy_seconds(), *map(cpu_seconds, pids)]
    if case.name == CHANGING:
        _tell(asked.server, "change 0")
    if told["statuses"] != [case.status]:
        raise Failed(f"answered {told['statuses']}")
    busy, cpu, asker = (later - earlier for earlier, later in zip(before, after, strict=True))
    return {
        "rate": told["answers"] / told["seconds"],
        "bytes": told["bytes"] / told["answers"],
        "cpu": cpu / told["answers"],
        "asker": asker / told["seconds"],
        "others": max(0.0, busy - cpu - asker) / told["seconds"],
        "p50": told["p50"],
        "p99": told["p99"],
    }


@contextmanager
def _serving(size: int, plan: Plan) -> Iterator[tuple[dict[str, Asked], list[Case]]]:
    """Both servers, and what can be asked of them."""
    with tempfile.TemporaryDirectory(prefix="headway-bench-") as folder, ExitStack() as stack:
        data, answers = Path(folder, "data"), Path(folder, "answers.json")
        ours = stack.enter_context(started(python("holding", b"fast", str(data).encode()), "server"))
        about = heard(ours)
        _tell(ours, f"hold {size // SHARE} {about['user']}")
        _tell(ours, f"hold {size - size // SHARE} {ADMIN}")
        cases = list(_cases(about, plan.formats))
        answers.write_bytes(msgspec.json.encode([_answer(case) for case in cases]))
        static = stack.enter_context(started(python("static", str(answers).encode()), "server"))
        port = heard(static)["port"]
        servers = {
            "ours": Asked(ours, stack.enter_context(_asker(about["port"], plan))),
            "static": Asked(static, stack.enter_context(_asker(port, plan))),
        }
        yield servers, [*cases, *(_as_static(case, port) for case in cases if _has_static(case))]


def _cases(about: dict[str, Any], formats: Sequence[str]) -> Iterator[Case]:
    """What is asked of Headway."""
    yield Case(SMALLEST, formats[0], "ours", about["port"], "/health", {})
    for format in formats:
        headers = {"x-plex-token": about["token"], "accept": FORMATS[format]}
        listed = Case(LIST, format, "ours", about["port"], "/activities", headers)
        yield listed
        yield listed._replace(name=CHANGING)
        yield listed._replace(name=UNKNOWN, path=f"/activities?X-Plex-Any={COUNTER.decode()}")
        yield listed._replace(name=UNCHANGED, headers={**headers, "if-none-match": _tag(listed)}, status=304)
        yield listed._replace(name=OWN, headers={**headers, "x-plex-token": about["user_token"]})


def _has_static(case: Case) -> bool:
    return case.name not in (CHANGING, UNKNOWN, SMALLEST)


def _as_static(case: Case, port: int) -> Case:
    return case._replace(name=STATIC + case.name, server="static", port=port, path=_path(case))


def _path(case: Case) -> str:
    return f"/{case.format}/{case.name}"


def _tag(case: Case) -> str:
    """Of the list as it stands: changes may have come meanwhile."""
    return dict(_answer(case).headers)["etag"]


def _answer(case: Case) -> Answer:
    """What is answered to it; the date is the server's."""
    connection = http.client.HTTPConnection("127.0.0.1", case.port, timeout=30)
    try:
        connection.request("GET", case.path, headers=case.headers)
        response = connection.getresponse()
        headers = [(name.lower(), value) for name, value in response.getheaders() if name.lower() != "date"]
        return Answer(_path(case), response.status, headers, response.read())
    finally:
        connection.close()


@contextmanager
def _asker(port: int, plan: Plan) -> Iterator[Process]:
    command = [sys.executable, "-m", "bench.asking", str(port), str(plan.connections)]
    with started(command, "reader") as process:
        heard(process)
        yield process


def _tell(process: Process, line: str, seconds: float = 0.0) -> dict[str, Any]:
    say(process, line)
    return heard(process, seconds)


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    plan = Plan(
        options.activities or (QUICK_SIZES if options.quick else SIZES),
        options.format or list(FORMATS),
        options.rounds or (1 if options.quick else 5),
        options.seconds or (0.2 if options.quick else 1.0),
        options.connections,
    )
    rounds = run(plan)
    print(listing_table.printed(rounds))
    if options.json:
        write(options.json, "list", arguments, rounds, [], listing_table.summary(rounds))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench list", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one short round with few activities, to see that it works"
    )
    parser.add_argument("--activities", type=int, nargs="+", metavar="N", help=f"how many are live ({SIZES})")
    parser.add_argument("--format", nargs="+", choices=FORMATS, help="only this one")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, metavar="N", help=f"at once ({CONNECTIONS})")
    parser.add_argument("--rounds", type=int, help="of each, for the median (5)")
    parser.add_argument("--seconds", type=float, help="that a round asks (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    return parser
