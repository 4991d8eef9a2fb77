"""How long it takes until a program has imported Headway, and until a started server answers.

Each is a process of its own, timed from outside, from before it is started until it has ended or has answered
``GET /health``. Rounds take turns. Beside them: Python alone, and what one would build a server with instead.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench import start_table
from bench.machine import apart
from bench.record import write
from bench.rounds import Round
from bench.start_table import EMPTY, FULL, HEADWAY, HELLO, HELP, LIBRARIES, NOTHING, PROGRAM
from bench.talk import ROOT, Failed
from headway import Activities, Limits, State
from headway.server.data import admin_token

ENDED, LIVE = 10_000, 1_000
QUICK_ENDED, QUICK_LIVE = 100, 20
AT_ONCE = 500
PATIENCE = 60.0
POLL = 0.001
"""Seconds between two tries to connect."""
WIDE = 1_000_000
LEASE = 24 * 3600.0

SCRIPTS = {
    NOTHING: "pass",
    HEADWAY: "import headway",
    PROGRAM: "from headway import Activities",
    LIBRARIES: "import starlette.applications, uvicorn",
}


class Plan(NamedTuple):
    """What to measure."""

    rounds: int
    ended: int
    live: int


def run(plan: Plan) -> list[Round]:
    """All rounds; each is told of on stderr as it is done."""
    done = []
    with tempfile.TemporaryDirectory(prefix="headway-bench-") as name:
        folder = Path(name)
        for kind in (EMPTY, FULL):
            (folder / kind).mkdir()
        asyncio.run(_fill(folder / FULL, plan))
        subjects = list(_subjects(folder, plan).items())
        _warm(subjects)
        for number in range(plan.rounds):
            shift = number % len(subjects)
            done += [_round(name, measure, number) for name, measure in subjects[shift:] + subjects[:shift]]
            print(f"start {number + 1}/{plan.rounds}", file=sys.stderr)
    return done


Measure = Callable[[], float]


def _subjects(folder: Path, plan: Plan) -> dict[str, Measure]:
    """How each is measured."""
    found: dict[str, Measure] = {name: _running([sys.executable, "-c", script]) for name, script in SCRIPTS.items()}
    found[HELP] = _running([*_program(), "--help"])
    found[HELLO] = partial(answered, _hello)
    for name, live in ((EMPTY, 0), (FULL, plan.live)):
        found[name] = partial(_served, folder / name, folder / "data", live)
    return found


def _round(name: str, measure: Measure, number: int) -> Round:
    try:
        return Round(name, "", 0, number, {"seconds": measure()})
    except (Failed, OSError) as error:
        return Round(name, "", 0, number, error=str(error))


def _warm(subjects: Sequence[tuple[str, Measure]]) -> None:
    """What is compiled and read from disk the first time only."""
    for _, measure in subjects:
        with suppress(Failed, OSError):
            measure()


def _running(command: Sequence[str]) -> Measure:
    def measure() -> float:
        begun = time.perf_counter()
        # Without a timeout: with one, Python looks for the end ever more rarely, and only its looks would be timed.
        code = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode
        seconds = time.perf_counter() - begun
        if code:
            raise Failed(f"ended with {code}")
        return seconds

    return measure


def _program() -> list[str]:
    script = Path(sys.executable).parent / "headway"
    return [str(script)] if script.exists() else [sys.executable, "-m", "headway"]


def _hello(port: int) -> list[str]:
    return [sys.executable, "-m", "uvicorn", "bench.peers.hello:app", "--port", str(port), "--log-level", "critical"]


def _served(source: Path, data: Path, live: int) -> float:
    """Our server with a copy of a data folder; it must have taken up what was live."""
    shutil.copytree(source, data)
    os.sync()  # or the server's own would take the copy along

    def check(port: int) -> None:
        listed = _ask(port, "/activities", {"accept": "application/json", "x-plex-token": admin_token(data) or ""})
        size = msgspec.json.decode(listed)["MediaContainer"]["size"]
        if size != live:
            raise Failed(f"{size} of {live} activities are live")

    try:
        return answered(lambda port: [*_program(), "serve", "--port", str(port), "--data", str(data)], check)
    finally:
        shutil.rmtree(data)


def answered(command: Callable[[int], list[str]], check: Callable[[int], None] = lambda port: None) -> float:
    """Seconds from before a server is started until its first answer. Raises ``Failed``."""
    port = _free_port()
    with apart("server"):
        begun = time.perf_counter()
        process = subprocess.Popen(command(port), cwd=ROOT, stderr=subprocess.DEVNULL)
    with process:
        try:
            while True:
                with suppress(ConnectionError):
                    _ask(port, "/health")
                    seconds = time.perf_counter() - begun
                    check(port)
                    return seconds
                if process.poll() is not None or time.perf_counter() > begun + PATIENCE:
                    raise Failed(f"no answer; ended with {process.poll()}")
                time.sleep(POLL)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE / 2)
            except subprocess.TimeoutExpired:
                process.kill()


def _ask(port: int, path: str, headers: dict[str, str] | None = None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        if response.status != 200:
            raise Failed(f"answered {response.status}")
        return response.read()
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as picked:
        picked.bind(("127.0.0.1", 0))
        port: int = picked.getsockname()[1]
        return port


async def _fill(folder: Path, plan: Plan) -> None:
    """A data folder of a server that has done much, and has been left by workers elsewhere that will come back."""
    async with Activities(f"sqlite:{folder}", limits=Limits(live_per_owner=WIDE, live=WIDE)) as activities:

        async def one(number: int) -> None:
            activity, _ = await activities.create("library.scan", 1, cancellable=True, lease=LEASE)
            if number < plan.ended:
                await activities.finish(activity.uuid, State.SUCCEEDED)

        for first in range(0, plan.ended + plan.live, AT_ONCE):
            await asyncio.gather(*map(one, range(first, min(first + AT_ONCE, plan.ended + plan.live))))


def slowest(script: str, count: int) -> list[str]:
    """The modules that take longest by themselves, as ``python -X importtime`` tells, each with its milliseconds."""
    command = [sys.executable, "-X", "importtime", "-c", script]
    told = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=True).stderr
    found = re.findall(r"import time: +(\d+) \| +(\d+) \| +(\S+)", told)
    ranked = sorted(((int(own), name) for own, _, name in found), reverse=True)
    return [f"{own / 1e3:8.1f} ms  {name}" for own, name in ranked[:count]]


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    plan = Plan(
        options.rounds or (1 if options.quick else 15),
        QUICK_ENDED if options.quick else ENDED,
        QUICK_LIVE if options.quick else LIVE,
    )
    rounds = run(plan)
    print(start_table.printed(rounds, plan.ended, plan.live))
    for script in (SCRIPTS[PROGRAM], "import headway.server.standalone") if options.modules else ():
        print("\n".join([script, *slowest(script, options.modules), ""]))
    if options.json:
        load = {"ended": plan.ended, "live": plan.live}
        write(options.json, "start", arguments, rounds, [], {**load, **start_table.summary(rounds)})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench start", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round with a small folder, to see that it works")
    parser.add_argument("--rounds", type=int, help="of each, for the median (15)")
    parser.add_argument("--modules", type=int, metavar="N", help="list the N modules that take longest to import")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    return parser
