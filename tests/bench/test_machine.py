"""What the machine lets us do, and what a process has used of it."""

import os
import subprocess
import sys
import time
from typing import Literal

from bench import machine

BURN = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass\nprint(flush=True); input()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}])"


def test_processor_time_of_children_counts() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        used = machine.cpu_seconds(process.pid)
        assert machine.resident_bytes(process.pid) > 1_000_000
        process.communicate(b"\n")
    assert 0.2 <= used < 5


def test_our_own_time_grows() -> None:
    before = machine.cpu_seconds(os.getpid())
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    assert machine.cpu_seconds(os.getpid()) - before > 0.04


def test_the_whole_machine_is_busier_than_we_are() -> None:
    before = machine.busy_seconds()
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert machine.busy_seconds() - before > 0.05


def test_reader_and_server_do_not_share_a_processor() -> None:
    allowed = os.sched_getaffinity(0)
    roles: tuple[Literal["server", "reader"], ...] = ("server", "reader")
    seen = []
    for role in roles:
        with machine.apart(role):
            seen.append(os.sched_getaffinity(0))
    assert os.sched_getaffinity(0) == allowed
    assert len(allowed) == 1 or not seen[0] & seen[1]


def test_more_connections_than_files_are_refused_in_so_many_words() -> None:
    assert machine.too_many(10) is None
    assert "ulimit" in str(machine.too_many(10**9))
