"""What the machine lets us do, and what a process has used of it."""

import os
import subprocess
import sys
import time

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


def test_more_connections_than_files_are_refused_in_so_many_words() -> None:
    assert machine.too_many(10) is None
    assert "ulimit" in str(machine.too_many(10**9))
