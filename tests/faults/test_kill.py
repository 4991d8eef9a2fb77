"""Killed at a random moment, again and again: nothing acknowledged is lost, nothing told twice or taken back.

``HEADWAY_KILL_ROUNDS`` sets how many lives there are; ``HEADWAY_KILL_SEED`` repeats the choices of a run.
"""

import fcntl
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.faults.ledger import SCOPES, Ledger
from tests.faults.life import Line, Order
from tests.faults.sabotage import SABOTAGES

ROUNDS = int(os.environ.get("HEADWAY_KILL_ROUNDS", "100"))
SEED = int(os.environ.get("HEADWAY_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
LIVES_OF_A_FOLDER = 50
LONGEST_LIFE = 0.12
"""Seconds."""
ENOUGH = 400
"""Lives after which sabotage must have been noticed."""
ROOT = Path(__file__).parents[2]


class Nursery:
    """Where the lives come from."""

    def __init__(self, errors: Path) -> None:
        self._errors = errors
        self._output, output = os.pipe()
        os.set_blocking(self._output, False)
        fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, 1024 * 1024)  # a life does not wait for somebody to listen
        with errors.open("w") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.nursery", str(output)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                pass_fds=[output],
            )
        os.close(output)

    def close(self) -> None:
        """No more lives."""
        self._process.communicate()
        os.close(self._output)

    def run(self, order: Order) -> list[Line]:
        """One life; what it said."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline() or "1")
        if status not in (0, -signal.SIGKILL, -signal.SIGTERM):
            raise RuntimeError(f"it died by itself ({status}): {self._errors.read_text()[-3000:]}")
        said = bytearray()
        while chunk := self._read():
            said += chunk
        return [msgspec.json.decode(line, type=Line) for line in said.splitlines()]

    def _read(self) -> bytes:
        try:
            return os.read(self._output, 1024 * 1024)
        except BlockingIOError:
            return b""


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    nursery = Nursery(tmp_path / "errors")
    yield nursery
    nursery.close()


def lives(nursery: Nursery, folder: Path, count: int, chance: random.Random, sabotage: str | None = None) -> Ledger:
    """So many lives of one data folder, longer ones by and by; raises at the first broken law."""
    ledger = Ledger()
    for number in range(count):
        watching = chance.sample(SCOPES, chance.randint(1, 3))  # who does not watch now resumes from further back
        order = Order(
            folder=str(folder),
            seed=chance.randrange(2**32),
            seconds=chance.random() * LONGEST_LIFE * (1 + number // LIVES_OF_A_FOLDER),
            warned=chance.random() * 2 * LONGEST_LIFE if chance.random() < 0.15 else None,
            cursors=[(scope, ledger.replicas[scope].cursor) for scope in watching],
            keys=list(ledger.keys)[-3:],
            sabotage=sabotage,
        )
        try:
            for line in nursery.run(order):
                ledger.take(line)
        except AssertionError as error:
            raise AssertionError(f"life {number} of seed {SEED}: {error}") from error
        ledger.end_of_life()
    return ledger


def test_no_kill_loses_what_was_acknowledged(nursery: Nursery, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    ledgers = []
    for first in range(0, ROUNDS, LIVES_OF_A_FOLDER):
        count = min(LIVES_OF_A_FOLDER, ROUNDS - first)
        ledgers.append(lives(nursery, tmp_path / str(first), count, chance))
    # That there was something to lose:
    assert sum(ledger.boots for ledger in ledgers) > ROUNDS / 4
    for what in (
        [len(ledger.facts) for ledger in ledgers],
        [ledger.told for ledger in ledgers],
        [sum(fact.state.ended for fact in ledger.facts.values()) for ledger in ledgers],
        [sum(fact.asked for fact in ledger.facts.values()) for ledger in ledgers],
    ):
        assert sum(what) > ROUNDS / 10


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_a_broken_promise_is_noticed(nursery: Nursery, tmp_path: Path, sabotage: str) -> None:
    with pytest.raises(AssertionError, match="life"):
        lives(nursery, tmp_path / "data", ENOUGH, random.Random(SEED), sabotage)
