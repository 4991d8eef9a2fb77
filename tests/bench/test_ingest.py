"""The ingest bench: jobs that report for a moment, in process and over the network."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server, socket
from threading import Thread

import pytest

from bench import ingest, ingest_table
from bench.ingest import Plan, measured
from bench.ingest_table import REPORTERS
from bench.peers.sending import Connection
from bench.rounds import Round

BRIEF = 0.02
"""Seconds."""


@pytest.mark.parametrize("name", ["tqdm-text", "rich", "celery", "thread", "http-ten", "http-batch", "client", "xadd"])
def test_each_way_to_report_is_measured(name: str) -> None:
    reporter = REPORTERS[name]
    if reason := reporter.missing():
        pytest.skip(reason)
    one = measured(reporter, 0, BRIEF)
    assert one.error is None
    assert one.values["rate"] > 0 and one.values["call"] > 0 and one.values["cpu"] > 0
    # In a moment our client asks nothing: it conflates.
    assert (one.values["server_cpu"] > 0) == (reporter.server is not None) or name == "client"


def test_it_compares_a_report_with_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ingest.json"
    few = ["--peers", "tqdm", "report", "--rounds", "1", "--seconds", str(BRIEF)]
    ingest.main([*few, "--json", str(file)])
    told = json.loads(file.read_bytes())
    assert [one["error"] for one in told["rounds"]] == [None, None]
    assert [(one["ours"], one["theirs"], one["value"]) for one in told["ratios"]] == [
        ("report", "tqdm", "call"),
        ("report", "tqdm", "cpu"),
    ]
    assert told["command"].startswith("python -m bench ingest --peers tqdm report")
    assert "activity.report(completed=n)" in capsys.readouterr().out


def test_who_is_not_here_is_left_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(REPORTERS, "tqdm", REPORTERS["tqdm"]._replace(missing=lambda: "not here"))
    ingest.main(["--peers", "tqdm"])
    assert "left out: tqdm: not here" in capsys.readouterr().out


def test_who_fails_has_it_on_its_record() -> None:
    assert measured(REPORTERS["tqdm"]._replace(name="nothing"), 0, BRIEF).error == "ended with 1"


def test_targets_are_told_met_and_missed() -> None:
    def table(ours: float) -> str:
        return ingest_table.printed(
            [Round(name, "process", 0, 0, _values(value)) for name, value in (("report", ours), ("tqdm", 1e-7))], []
        )

    assert "met     report ≤ 1 × tqdm: 0.80 × (time in the call)" in table(0.8e-7)
    assert "missed  report ≤ 1 × tqdm: 1.20 × (CPU of the process)" in table(1.2e-7)


def _values(seconds: float) -> dict[str, float]:
    return {"rate": 1 / seconds, "call": seconds, "cpu": seconds, "server_cpu": 0.0}


def test_the_rounds_of_all_take_turns() -> None:
    plan = Plan([REPORTERS["tqdm"], REPORTERS["report"]], 2, BRIEF)
    assert [(number, one.name) for number, one in plan.steps()] == [
        (0, "tqdm"),
        (0, "report"),
        (1, "report"),
        (1, "tqdm"),
    ]


@contextmanager
def answering(*pieces: bytes) -> Iterator[Connection]:
    """A connection to a server that says these pieces, each on its own, whatever it is asked."""

    def serve(listening: socket) -> None:
        accepted, _ = listening.accept()
        with accepted:
            for piece in pieces:
                accepted.recv(1024)
                accepted.sendall(piece)

    with create_server(("127.0.0.1", 0)) as listening:
        server = Thread(target=serve, args=[listening])
        server.start()
        connection = Connection(listening.getsockname()[1])
        with connection.socket:
            yield connection
        server.join()


def test_answers_are_counted_however_they_are_cut() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    with answering(answer * 2 + answer[:20], answer[20:]) as connection:
        connection.send(b"ask", 3)
        connection.receive()
        assert connection.missing == 1
        connection.socket.sendall(b"go on")
        assert connection.receive() == b"{}"
        assert connection.missing == 0


def test_a_refusal_is_no_answer() -> None:
    refusal = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n"
    with answering(refusal) as connection, pytest.raises(ConnectionError, match="429"):
        connection.ask(b"ask")
