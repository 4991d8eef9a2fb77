"""What a job prints reaches the server, now and then and at its end, and harms nothing when it does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from headway.client import Reporting
from headway.client.address import Address
from headway.client.jobs import printing
from headway.client.jobs.job import Job
from headway.client.jobs.outbox import OnLoss
from headway.wire import fitting
from headway.wire.requests import MAX_OUTPUT
from tests.client.fake_headway import FakeHeadway
from tests.client.scripted_server import Asked, Drop, Hang, Reply, ScriptedServer, eventually, free_port, refused


@pytest.fixture
def headway() -> FakeHeadway:
    return FakeHeadway()


@pytest.fixture
def server(headway: FakeHeadway) -> Iterator[ScriptedServer]:
    with ScriptedServer(headway) as server:
        yield server


@pytest.fixture
def reporting(server: ScriptedServer) -> Iterator[Reporting]:
    with Reporting(Address(server.url)) as reporting:
        yield reporting


def started(reporting: Reporting, **options: object) -> Job:
    job = reporting.start("command.cp", **options)  # type: ignore[arg-type]
    eventually(lambda: job.uuid)
    return job


def printed(headway: FakeHeadway) -> list[str]:
    """All that was told of the one activity there is."""
    return headway.printed.get(str(headway.only["uuid"]), [])


def puts(server: ScriptedServer) -> list[Asked]:
    return server.asked_for("PUT")


def test_what_is_said_is_sent_as_a_whole(headway: FakeHeadway, server: ScriptedServer, reporting: Reporting) -> None:
    job = started(reporting)
    job.output("one\n")
    eventually(lambda: printed(headway) == ["one\n"])
    job.output("one\ntwö\n")
    eventually(lambda: printed(headway) == ["one\n", "one\ntwö\n"])
    assert {asked.headers["content-type"] for asked in puts(server)} == {"text/plain; charset=utf-8"}


def test_before_there_is_a_record_it_waits_for_it(headway: FakeHeadway, server: ScriptedServer) -> None:
    headway.trouble = refused(503, "unavailable")
    with Reporting(Address(server.url)) as reporting:
        job = reporting.start("command.cp")
        job.output("early\n")
        eventually(lambda: server.asked_for("POST"))
        assert puts(server) == []
        headway.trouble = None
        eventually(lambda: headway.rows and printed(headway) == ["early\n"])


def test_what_comes_fast_is_asked_for_now_and_then(headway: FakeHeadway, reporting: Reporting) -> None:
    job, asked, lines = started(reporting), [], [0]

    def text() -> str:
        asked.append(threading.current_thread().name)
        return f"{lines[0]}\n"

    for number in range(20_000):
        lines[0] = number
        job.output(text)
    eventually(lambda: printed(headway)[-1:] == ["19999\n"])
    assert len(asked) <= 4, "once a second, and at first"
    assert set(asked) == {"headway-reporting"}


def test_the_same_again_is_not_sent_again(headway: FakeHeadway, server: ScriptedServer) -> None:
    with Reporting(Address(server.url)) as reporting:
        job = started(reporting)
        job.output("same")
        eventually(lambda: printed(headway))
        job.output("same")
        job.finish()
    assert printed(headway) == ["same"]


def test_nothing_printed_is_nothing_sent(server: ScriptedServer) -> None:
    with Reporting(Address(server.url)) as reporting:
        job = started(reporting)
        job.output("")
        job.finish()
    assert puts(server) == []


def test_the_last_of_it_is_sent_at_the_end_without_a_wait(
    headway: FakeHeadway, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "OUTPUT_PACE", 3_600.0)
    with Reporting(Address(server.url)) as reporting:
        job = started(reporting)
        job.output("one")
        eventually(lambda: printed(headway))
        job.output("the end")
        job.finish()
        eventually(lambda: printed(headway)[-1] == "the end")
    assert headway.only["state"] == "succeeded"


def test_the_end_of_the_process_waits_for_it(headway: FakeHeadway, server: ScriptedServer) -> None:
    for number in range(5):
        with Reporting(Address(server.url)) as reporting, reporting.start("command.cp") as job:
            job.output(f"last {number}")
        (uuid,) = [uuid for uuid in headway.rows if uuid == job.uuid]
        assert headway.printed[uuid] == [f"last {number}"]


def test_only_the_end_of_much_is_sent_and_it_is_clean(headway: FakeHeadway, reporting: Reporting) -> None:
    job = started(reporting)
    job.output("begin\n" + "x" * MAX_OUTPUT + "\nend \x1b[1m\ud800\n")
    eventually(lambda: printed(headway))
    (text,) = printed(headway)
    assert len(text.encode()) <= MAX_OUTPUT
    assert text.endswith("\nend \ufffd[1m\ufffd\n")


@pytest.mark.parametrize("status", [404, 405, 403, 409, 413, 415, 301])
def test_a_server_that_takes_none_is_asked_once(headway: FakeHeadway, server: ScriptedServer, status: int) -> None:
    headway.trouble_with_outputs = refused(status, "not_found")
    with Reporting(Address(server.url)) as reporting:
        job = started(reporting)
        job.output("one")
        eventually(lambda: puts(server))
        for number in range(10):
            job.output(f"more {number}")
            job.report(progress=number)
        job.finish()
    assert len(puts(server)) == 1
    assert (headway.only["state"], headway.only["progress"]) == ("succeeded", 9)


@pytest.mark.parametrize(
    "trouble", [refused(503, "unavailable"), refused(429, "too_many"), refused(500, "internal"), Drop()]
)
def test_other_trouble_is_met_with_patience(
    headway: FakeHeadway, server: ScriptedServer, reporting: Reporting, trouble: Reply | Drop
) -> None:
    headway.trouble_with_outputs = trouble
    job = started(reporting)
    job.output("text")
    eventually(lambda: len(puts(server)) >= 3)
    headway.trouble_with_outputs = None
    eventually(lambda: printed(headway) == ["text"])


@pytest.mark.parametrize(
    "trouble", [Hang(), Drop(), refused(500, "internal")], ids=lambda trouble: type(trouble).__name__
)
def test_reports_and_ends_do_not_wait_for_it(
    headway: FakeHeadway, server: ScriptedServer, trouble: Reply | Drop | Hang
) -> None:
    headway.trouble_with_outputs = trouble
    reporting = Reporting(Address(server.url))
    jobs = [started(reporting) for _ in range(10)]
    for number, job in enumerate(jobs):
        job.output("text")
        job.report(completed=number)
    eventually(lambda: [row.get("completed") for row in headway.rows.values()] == list(range(10)))
    for job in jobs:
        job.finish()
    eventually(lambda: {row["state"] for row in headway.rows.values()} == {"succeeded"})
    reporting.close(60.0)


def test_a_server_that_is_away_is_not_waited_for() -> None:
    reporting = Reporting(Address(f"http://127.0.0.1:{free_port()}"))
    job = reporting.start("command.cp")
    job.output("text")
    job.finish()
    reporting.close()
    assert job.over and job.uuid is None


def test_under_a_new_record_all_of_it_is_there_again(headway: FakeHeadway, reporting: Reporting) -> None:
    job = started(reporting, on_loss=OnLoss.CONTINUE)
    job.output("text")
    eventually(lambda: printed(headway) == ["text"])
    first = str(job.uuid)
    headway.change(headway.rows[first], state="lost", error="lease_expired")
    job.report(progress=1)
    eventually(lambda: job.uuid not in (first, None))
    eventually(lambda: headway.printed.get(str(job.uuid)) == ["text"])


def test_of_many_that_have_ended_unheard_only_some_is_kept(
    headway: FakeHeadway, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printing, "MAX_ENDED", 3)
    headway.trouble_with_outputs = refused(503, "unavailable")
    with Reporting(Address(server.url)) as reporting:
        jobs = [started(reporting) for _ in range(6)]
        for job in jobs:
            job.output("text")
            job.finish()
        eventually(lambda: sum(job._delivery.printed is not None for job in jobs) == 3)
        headway.trouble_with_outputs = None
        eventually(lambda: len(headway.printed) == 3)
        eventually(lambda: all(job._delivery.printed is None for job in jobs))


def test_a_source_that_fails_is_given_up_and_nothing_else(
    headway: FakeHeadway, reporting: Reporting, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> str:
        raise ValueError("a fault")

    job, other = started(reporting), started(reporting)
    job.output(broken)
    eventually(lambda: "cannot be shown" in caplog.text)
    job.report(progress=50)
    other.output("text")
    eventually(lambda: headway.rows[str(job.uuid)]["progress"] == 50)
    eventually(lambda: headway.printed == {other.uuid: ["text"]})
    job.output("mended")
    eventually(lambda: headway.printed.get(str(job.uuid)) == ["mended"])
