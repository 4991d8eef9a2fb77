"""The memory bench with a handful of watchers."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bench import memory, memory_table
from bench.memory_table import ACTIVITIES, HELD, IDLE, KIB, SNAPSHOT, SNAPSHOTS, STALLED
from bench.rounds import Round


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "FILL", 0.1)
    monkeypatch.setattr(memory, "FILLS", 2)
    monkeypatch.setattr(memory, "STEP", 0.05)
    monkeypatch.setattr(memory, "QUICK_IDLES", [2, 10])
    monkeypatch.setattr(memory, "QUICK_HOLD", 10)
    monkeypatch.setattr(memory, "QUICK_STALLS", [1, 4])


def test_everything_is_measured_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "memory.json"
    memory.main(["--quick", "--peers", "fast", "--protocol", "sse", "--json", str(file)])
    told = json.loads(file.read_bytes())
    assert [one["error"] for one in told["rounds"]] == [None] * len(told["rounds"])
    values = {one["what"]: one for one in told["medians"]}
    assert set(values) == {IDLE, STALLED, SNAPSHOT, SNAPSHOTS, ACTIVITIES, HELD}
    if shutil.which("ss"):
        # What was sent to those who do not read waits for them.
        assert values[STALLED]["kernel"] > values[IDLE]["kernel"] >= 0
    printed = capsys.readouterr().out
    assert "held    10 watchers (sse, Headway as `headway serve` runs it): each got" in printed
    assert "a live activity" in printed


def test_targets_are_told_met_and_missed() -> None:
    def printed(idle: float, stalled: float) -> str:
        rounds = [
            Round("fast idle", "sse", 0, 0, {"process": idle * KIB, "kernel": 0.0}),
            Round("queues idle", "sse", 0, 0, {"process": 40 * KIB}),
            Round("fast stalled", "websocket", 0, 0, {"process": stalled * KIB, "kernel": 100.0 * KIB}),
            Round("portable stalled", "sse", 0, 0, {"process": 10 * KIB, "kernel": 1000.0 * KIB}),
            Round("nchan idle", "sse", 0, 0, error="ended with 1"),
        ]
        return memory_table.printed(rounds, 10, ["10 connections need more"])

    good, bad = printed(10, 150), printed(20, 160)
    assert "met     a watcher that idles (fast, sse): 10.0 KiB in the process, at most 16" in good
    assert "met     a watcher that has stopped reading (fast, websocket): 250.0 KiB in process and kernel" in good
    assert "0.25" in good and "0.50" in bad
    assert bad.count("missed") == 2 and good.count("missed") == 0
    assert "left out: 10 connections need more" in good
    assert "does not count: nchan idle, sse, round 1: ended with 1" in good


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed")
def test_what_waits_in_the_sockets_of_a_server_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with socket.socket() as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, memory.LITTLE)
            reader.connect(("127.0.0.1", port))
            server = listening.accept()[0]
            assert memory._in_sockets(port) < 10 * KIB
            server.setblocking(False)
            sent = server.send(bytes(8 * 1024 * KIB))
            assert memory._in_sockets(port) > sent / 2
            server.close()


def test_memory_is_read_once_it_is_at_rest() -> None:
    program = "import time; print('there', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None and process.stdout.readline()
            assert memory.at_rest(process.pid) >= KIB * KIB
        finally:
            process.kill()
    assert memory.at_rest(os.getpid()) >= KIB * KIB


def test_more_than_the_machine_holds_is_left_out_and_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "too_many", lambda count: f"{count} connections need more" if count > 5 else None)
    monkeypatch.setattr(memory, "run", lambda plan: [Round(str((list(plan.idle), plan.hold)), "sse", 0, 0, error="-")])
    memory.main(["--quick", "--peers", "fast"])
    printed = capsys.readouterr().out
    assert "([2], 0)" in printed and "left out: 10 connections need more" in printed
