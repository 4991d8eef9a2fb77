"""How wrong an estimate of the time left is: by the rate, by the history of the type, and by both.

Real commands were recorded under varied load (``bench/runs``, one file a type, in the order of the runs). Each run is
replayed against the history of those before it, and asked at 10, 25, 50 and 75 % of its true time what is left.
"""

import argparse
import gzip
import hashlib
import itertools
import json
import os
import random
import sqlite3
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec

from headway.core.estimate import Estimate, expectation, remaining
from headway.core.progress import Progress, advanced, begun

RUNS = Path(__file__).parent / "runs"
COUNT = 16
"""Runs recorded of each type."""
REPORTS = 60
"""Reports kept of a run: its rate is sampled once a second."""
MOMENTS = (0.10, 0.25, 0.50, 0.75)


class Run(msgspec.Struct, frozen=True):
    """One run as a watcher saw it."""

    seconds: float
    """How long it took."""
    reports: list[tuple[float, float | None]]
    """When (seconds since the start), and which fraction was done then."""


# --- Recording: real work. The first step of each says that it is prepared, the others how much of it is done.

Steps = Iterator[float | None]


def spread(chance: random.Random, middle: float) -> float:
    """A size as sizes are: many small, a few big."""
    return middle * chance.lognormvariate(0.0, 0.5)


def grown(middle: float, number: int) -> float:
    """The size of something that is added to: 2 % between two runs."""
    return middle * 1.02**number


@cache
def files() -> list[Path]:
    """Real ones: of this Python and of what is installed into it."""
    roots = {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")}
    found = {path for root in roots for path in Path(root).rglob("*") if path.is_file() and not path.is_symlink()}
    return sorted(path for path in found if 0 < path.stat().st_size < 3_000_000 and path.suffix != ".pyc")


def chosen(chance: random.Random, size: float) -> list[Path]:
    """Files of about ``size`` bytes together."""
    pool = chance.sample(files(), len(files()))
    sums = itertools.accumulate(path.stat().st_size for path in pool)
    return [path for path, reached in zip(pool, sums, strict=True) if reached <= size]


def lines(*command: str | Path) -> Iterator[str]:
    """What a command prints, while it does; a carriage return ends a line, too."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield from process.stdout
    assert process.returncode == 0, command


def clip(path: Path, seconds: float) -> Path:
    source = f"testsrc2=s=480x270:d={seconds:.2f},noise=alls=12:allf=t"
    list(lines("ffmpeg", "-y", "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "mpeg4", "-q:v", "5", path))
    return path


def transcode(chance: random.Random, folder: Path, number: int) -> Steps:
    seconds = spread(chance, 14)
    source = clip(folder / "source.mkv", seconds)
    yield 0.0
    quietly = ("ffmpeg", "-y", "-v", "error", "-stats_period", "0.1", "-progress", "-")
    target = folder / "target.mp4"
    for line in lines(*quietly, "-i", source, "-c:v", "libx264", "-preset", "faster", "-threads", "1", target):
        name, _, value = line.strip().partition("=")
        if name == "out_time_us" and value.isdigit():
            yield min(1.0, int(value) / 1e6 / seconds)


def copy(chance: random.Random, folder: Path, number: int) -> Steps:
    """Over a link that is sometimes slow. What rsync says is a percentage of the files that it has found so far."""
    listed = folder / "listed"
    listed.write_text("\n".join(map(str, chosen(chance, spread(chance, 30e6)))))
    limit = f"--bwlimit={chance.choice([5_000, 8_000, 10_000])}"
    with tempfile.TemporaryDirectory(dir=folder) as target:
        yield 0.0
        rsync = ("rsync", "-a", "--outbuf=L", "--info=progress2", limit, f"--files-from={listed}", "/", target)
        for line in lines(*rsync):
            if "%" in line:
                yield float(line.split("%")[0].split()[-1]) / 100


def checksum(chance: random.Random, folder: Path, number: int) -> Steps:
    """Of all files of one tree, counted: some are a thousand times larger than others."""
    tree = chosen(random.Random(1), grown(350e6, number))
    yield 0.0
    for done, path in enumerate(tree, 1):
        with path.open("rb") as file:
            for name in ("sha256", "blake2b", "sha3_256"):
                file.seek(0)
                hashlib.file_digest(file, name)
        yield done / len(tree)


def compress(chance: random.Random, folder: Path, number: int) -> Steps:
    data = b"".join(path.read_bytes() for path in chosen(chance, spread(chance, 120e6)))
    yield 0.0
    with gzip.open(folder / "packed.gz", "wb", compresslevel=6) as packed:
        for begin in range(0, len(data), 1 << 18):
            packed.write(data[begin : begin + (1 << 18)])
            yield min(1.0, (begin + (1 << 18)) / len(data))


def extract(chance: random.Random, folder: Path, number: int) -> Steps:
    """Members counted as tar prints them."""
    members = chosen(chance, spread(chance, 50e6))
    with tarfile.open(folder / "packed.tar.xz", "w:xz", preset=0) as packed:
        for member in members:
            packed.add(member)
    with tempfile.TemporaryDirectory(dir=folder) as target:
        yield 0.0
        unpack = ("stdbuf", "-oL", "tar", "-xvJf", folder / "packed.tar.xz", "-C", target)
        for done, _ in enumerate(lines(*unpack), 1):
            yield done / len(members)


def build(chance: random.Random, folder: Path, number: int) -> Steps:
    """The same sources each time, as in a nightly build."""
    sources = folder / "sources"
    if not sources.exists():
        sources.mkdir()
        modules = [path for path in files() if path.suffix == ".py"]
        for place, module in enumerate(random.Random(2).sample(modules, 2_000)):
            with suppress(SyntaxError, ValueError):  # some are there to test just that
                compile(module.read_bytes(), module, "exec", dont_inherit=True)
                (sources / f"{place}.py").write_bytes(module.read_bytes())
    total = len(list(sources.glob("*.py")))
    yield 0.0
    compiled = lines(sys.executable, "-u", "-m", "compileall", "-f", sources)
    for done, _ in enumerate((line for line in compiled if line.startswith("Compiling")), 1):
        yield done / total


def analyse(chance: random.Random, folder: Path, number: int) -> Steps:
    """Each film of a library that grows, in whole percent."""
    films = [folder / f"{place}.mkv" for place in range(int(grown(45, number)))]
    for film in films:
        if not film.exists():
            clip(film, spread(chance, 1.5))
    yield 0.0
    for done, film in enumerate(films, 1):
        list(lines("ffprobe", "-v", "error", "-count_packets", "-show_streams", film))
        yield done * 100 // len(films) / 100


def refresh(chance: random.Random, folder: Path, number: int) -> Steps:
    """Three steps of unlike length that count as a third each: 0, 33, 66 % and nothing in between."""
    film = clip(folder / "film.mkv", spread(chance, 14))
    yield 0.0
    for path in chosen(chance, 40e6):
        hashlib.sha256(path.read_bytes())
    yield 0.33
    list(lines("ffmpeg", "-y", "-v", "error", "-i", film, "-vf", "fps=2,scale=160:-1", folder / "%d.jpg"))
    yield 0.66
    list(lines("ffmpeg", "-v", "error", "-i", film, "-threads", "1", "-vf", "signalstats", "-f", "null", "-"))
    yield 1.0


def optimize(chance: random.Random, folder: Path, number: int) -> Steps:
    """A database that grows is checked, rebuilt and indexed anew: nobody knows how far it is."""
    with closing(sqlite3.connect(folder / "data.db")) as database:
        database.execute("CREATE TABLE IF NOT EXISTS film (title TEXT, data BLOB)")
        database.execute("CREATE INDEX IF NOT EXISTS by_title ON film (title, data)")
        rows = 12_000 if number else 500_000
        films = ((chance.randbytes(9).hex(), chance.randbytes(90)) for _ in range(rows))
        database.executemany("INSERT INTO film VALUES (?, ?)", films)
        database.commit()
        yield None
        for statement in ("PRAGMA integrity_check", "VACUUM", "REINDEX", "ANALYZE"):
            database.execute(statement).fetchall()
            yield None


JOBS: dict[str, Callable[[random.Random, Path, int], Steps]] = {
    "media.transcode": transcode,
    "media.analyse": analyse,
    "library.refresh": refresh,
    "files.copy": copy,
    "files.checksum": checksum,
    "archive.compress": compress,
    "archive.extract": extract,
    "packages.build": build,
    "database.optimize": optimize,
}
BURSTS = """
import random, time
while True:
    end = time.monotonic() + random.uniform(0.2, 3)
    while time.monotonic() < end:
        pass
    time.sleep(random.uniform(0.2, 3))
"""


@contextmanager
def load(chance: random.Random) -> Iterator[None]:
    """Up to two programs that want the same processor, now and then."""
    others = [subprocess.Popen([sys.executable, "-c", BURSTS]) for _ in range(chance.choice([0, 0, 1, 2]))]
    try:
        yield
    finally:
        for other in others:
            other.terminate()
            other.wait()


def recorded(kind: str, number: int, folder: Path) -> Run:
    chance = random.Random(f"{kind} {number}")
    steps = JOBS[kind](chance, folder, number)
    next(steps)
    with load(chance):
        start = time.monotonic()
        reports = [(time.monotonic() - start, fraction) for fraction in steps]
        seconds = time.monotonic() - start
    due, kept = 0.0, []
    for at, fraction in reports:
        if at >= due:
            kept.append((round(at, 3), None if fraction is None else round(fraction, 4)))
            due = at + seconds / REPORTS
    return Run(round(seconds, 3), kept)


def record(kinds: list[str], count: int, runs: Path) -> None:
    """Anew, one run after the other on one processor, behind everything else that the machine does."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.nice(10)
    runs.mkdir(exist_ok=True)
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder, (runs / f"{kind}.jsonl").open("wb") as file:
            for number in range(count):
                run = recorded(kind, number, Path(folder))
                file.write(msgspec.json.encode(run) + b"\n")
                print(f"{kind} {number}: {run.seconds:.1f} s, {len(run.reports)} reports", flush=True)


# --- Replaying


class Asked(NamedTuple):
    """What was said at one moment of a run, and what was true."""

    share: float
    """Which share of its time had passed."""
    left: float
    rate: float | None
    history: Estimate | None
    both: Estimate | None

    def error(self, said: Estimate | float | None) -> float | None:
        """Of what was said, relative to what was left."""
        seconds = said.left if isinstance(said, Estimate) else said
        return None if seconds is None else abs(seconds - self.left) / self.left


def seen(run: Run, at: float) -> tuple[float | None, float | None]:
    """The fraction and the seconds left by the rate that a watcher has ``at`` seconds after the start."""
    progress, last = begun(Progress(), 0.0), 0.0
    for last, fraction in itertools.takewhile(lambda report: report[0] <= at, run.reports):
        progress = advanced(progress, last, percent=-1 if fraction is None else fraction * 100)
    eta = progress.eta
    return progress.fraction, None if eta is None else max(0.0, eta - (at - last))


def replayed(runs: list[Run]) -> Iterator[Asked]:
    """All runs with enough before them to expect something, each at each moment."""
    for place, run in enumerate(runs):
        expected = expectation([before.seconds for before in runs[:place]])
        for share in MOMENTS if expected else ():
            elapsed = share * run.seconds
            fraction, rate = seen(run, elapsed)
            history, both = (
                remaining(elapsed, known, eta, expected) for known, eta in ((None, None), (fraction, rate))
            )
            yield Asked(share, run.seconds - elapsed, rate, history, both)


Errors = tuple[float | None, float | None, float | None]
"""Median errors of rate, history and both, each where it says anything; None where it never does."""


class Summary(NamedTuple):
    """What the replay of a type came to."""

    kind: str
    runs: int
    at: dict[float, Errors]
    rate_answers: float
    """Share of the moments at which the rate said anything."""
    ratio: float | None
    """The error of both over that of the rate, where the rate said anything."""
    covered: float | None
    """Share of the ranges that held the truth."""


def middle(errors: Iterator[float | None]) -> float | None:
    known = [error for error in errors if error is not None]
    return median(known) if known else None


def errors(asked: list[Asked]) -> Errors:
    return (
        middle(one.error(one.rate) for one in asked),
        middle(one.error(one.history) for one in asked),
        middle(one.error(one.both) for one in asked),
    )


def summary(kind: str, runs: int, asked: list[Asked]) -> Summary:
    with_rate = [one for one in asked if one.rate is not None]
    rate, _, both = errors(with_rate)
    ranges = [one.both.low <= one.left <= one.both.high for one in asked if one.both is not None]
    return Summary(
        kind,
        runs,
        {share: errors([one for one in asked if one.share == share]) for share in MOMENTS},
        len(with_rate) / max(1, len(asked)),
        both / rate if both is not None and rate else None,
        sum(ranges) / len(ranges) if ranges else None,
    )


def measured(folder: Path) -> list[Summary]:
    """A summary for each type, and one for all of them."""
    found, everything, total = [], [], 0
    for path in sorted(folder.glob("*.jsonl")):
        runs = [msgspec.json.decode(line, type=Run) for line in path.read_bytes().splitlines()]
        asked = list(replayed(runs))
        found.append(summary(path.stem, len(runs), asked))
        everything += asked
        total += len(runs)
    return [*found, summary("all", total, everything)]


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def table(summaries: list[Summary]) -> str:
    moments = "".join(f"{f'after {share:.0%} of the time':>25}" for share in MOMENTS)
    names = f"{'rate':>11}{'hist':>7}{'both':>7}" * len(MOMENTS)
    rows = ["Median error of the time left, relative to the true one, where there is an answer", f"{'':<22}{moments}"]
    rows.append(f"{'type':<18}{'runs':>4}{names}{'rate says':>12}{'both/rate':>11}{'in range':>10}")
    for one in summaries:
        at = "".join(f"{percent(e[0]):>11}{percent(e[1]):>7}{percent(e[2]):>7}" for e in one.at.values())
        ratio = "–" if one.ratio is None else f"{one.ratio:.2f}"
        row = f"{one.kind:<18}{one.runs:>4}{at}{percent(one.rate_answers):>12}{ratio:>11}{percent(one.covered):>10}"
        rows.append(row)
    return "\n".join(rows) + "\n"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench eta", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print a JSON line instead of a table")
    parser.add_argument("--record", action="store_true", help="record the runs anew first (takes half an hour)")
    parser.add_argument("--type", action="append", choices=JOBS, help="record only this one", dest="kinds")
    parser.add_argument("--count", type=int, default=COUNT, help="runs to record of each type (%(default)s)")
    parser.add_argument("--runs", type=Path, default=RUNS, metavar="DIR", help="where the recorded runs are")
    options = parser.parse_args(arguments)
    if options.record:
        record(options.kinds or list(JOBS), options.count, options.runs)
    summaries = measured(options.runs)
    as_json = json.dumps({"bench": "eta", "results": [one._asdict() for one in summaries]})
    print(as_json if options.json else table(summaries))
