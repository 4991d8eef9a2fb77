"""One sender for many jobs: few requests, and none of the jobs waits for another."""

from __future__ import annotations

import gc
import logging
import threading
from collections import Counter
from typing import Any

import pytest

from headway.client import Reporting
from headway.client.address import Address
from headway.client.jobs import outbox
from headway.client.jobs.job import Job
from headway.client.jobs.sender import CONCURRENT
from headway.core.activity import State
from tests.client.fake_headway import FakeHeadway
from tests.client.scripted_server import Asked, Drop, Hang, Reply, ScriptedServer, eventually, free_port, refused


def batched(server: ScriptedServer) -> list[Asked]:
    """The requests so far that told of many."""
    return [asked for asked in server.asked_for("PATCH") if asked.path == "/activities" and "wait" not in asked.query]


def held(server: ScriptedServer) -> list[Asked]:
    """Those that waited for cancels."""
    return [asked for asked in server.asked_for("PATCH") if asked.path == "/activities" and "wait" in asked.query]


def named(asked: Asked) -> set[str]:
    return {item["uuid"] for item in asked.json["Activity"]}


def started(sender: Reporting, count: int, **options: Any) -> list[Job]:
    jobs = [sender.start("command.cp", title=str(number), **options) for number in range(count)]
    eventually(lambda: all(job.uuid for job in jobs))
    return jobs


def test_what_many_have_to_say_is_one_request() -> None:
    headway = FakeHeadway()
    with ScriptedServer(headway) as server, Reporting(Address(server.url)) as sender:
        jobs = started(sender, 200)
        before = len(batched(server))
        for number, job in enumerate(jobs):
            job.report(completed=number)
        eventually(lambda: all(row.get("completed") == int(row["title"]) for row in headway.rows.values()))
        assert len(batched(server)) - before <= 5
        for job in jobs:
            job.finish()
    assert {row["state"] for row in headway.rows.values()} == {"succeeded"}
    assert len(batched(server)) - before <= 15
    assert server.asked_for("PATCH", "/activities/") == []


def test_jobs_that_report_at_their_own_moments_fall_into_step() -> None:
    headway = FakeHeadway()
    with ScriptedServer(headway) as server, Reporting(Address(server.url)) as sender:
        jobs = started(sender, 40)
        stop, before = threading.Event(), len(batched(server))

        def work(job: Job) -> None:
            while not stop.wait(0.01):
                job.report(subtitle="at it")

        workers = [threading.Thread(target=work, args=(job,)) for job in jobs]
        for worker in workers:
            worker.start()
            stop.wait(0.01)
        eventually(lambda: len(batched(server)) >= before + 12)
        stop.set()
        for worker in workers:
            worker.join()
    late = batched(server)[before + 8 : before + 12]
    assert sum(len(named(asked)) for asked in late) >= 40  # of 160; 4 by those who do not wait for each other


def test_one_request_is_held_for_all_and_newcomers_join_it() -> None:
    headway = FakeHeadway()
    with ScriptedServer(headway) as server, Reporting(Address(server.url)) as sender:
        jobs = started(sender, 20)
        everyone = {str(job.uuid) for job in jobs}
        eventually(lambda: set().union(*map(named, held(server))) == everyone)
        late = sender.start("command.late")
        eventually(lambda: any(late.uuid in named(asked) for asked in held(server)))
        headway.change(headway.rows[str(late.uuid)], state="cancelling", cancelRequested=True)
        assert late.cancelled.wait(30)
        long = [asked for asked in held(server) if float(asked.query["wait"]) > 1]
        assert len(long) == 1
        headway.change(headway.rows[str(jobs[0].uuid)], state="cancelling", cancelRequested=True)
        headway.change(headway.rows[next(iter(named(long[0])))], state="cancelling", cancelRequested=True)
        merged = everyone - {uuid for uuid, row in headway.rows.items() if row["state"] == "cancelling"}
        eventually(lambda: [a for a in held(server) if named(a) == merged and float(a.query["wait"]) > 1])


def test_each_hears_of_its_own_cancel_only() -> None:
    headway = FakeHeadway()
    with ScriptedServer(headway) as server, Reporting(Address(server.url)) as sender:
        jobs = started(sender, 30)
        for job in jobs[::3]:
            headway.change(headway.rows[str(job.uuid)], state="cancelling", cancelRequested=True)
        eventually(lambda: all(job.cancel_requested for job in jobs[::3]))
        assert sum(job.cancel_requested for job in jobs) == 10


def test_a_part_that_begins_while_its_whole_is_being_recorded_is_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "HEARTBEAT", 1000.0)  # nothing else comes to its help
    headway, recorded = FakeHeadway(), threading.Event()

    def slow(asked: Asked) -> Any:
        recorded.wait(10.0)
        return headway(asked)

    with ScriptedServer(slow) as server, Reporting(Address(server.url)) as sender:
        whole = sender.start("photos.all")
        eventually(lambda: len(server.asked_for("POST")) == 1)
        part = sender.start("photos.one", parent=whole)
        eventually(lambda: not sender._sender or not sender._sender._spoken)
        recorded.set()
        eventually(lambda: part.uuid is not None)
        part.finish()
        whole.finish()


def test_a_failure_of_one_harms_no_other() -> None:
    headway = FakeHeadway()
    with ScriptedServer(headway) as server, Reporting(Address(server.url)) as sender:
        jobs = started(sender, 10)
        headway.rows[str(jobs[3].uuid)].update(state="failed", error="by somebody else")
        for job in jobs:
            job.report(50)
        eventually(lambda: jobs[3].problem and sum(row["progress"] == 50 for row in headway.rows.values()) == 9)
        assert all(job.problem is None for job in jobs if job is not jobs[3])
        for job in jobs:
            job.finish()
    assert Counter(row["state"] for row in headway.rows.values()) == {"succeeded": 9, "failed": 1}


def test_a_server_that_knows_no_such_request_is_told_one_by_one() -> None:
    headway = FakeHeadway(batches=False)
    with ScriptedServer(headway) as server, Reporting(Address(server.url)) as sender:
        jobs = started(sender, 20)
        for job in jobs:
            job.report(50)
        eventually(lambda: all(row["progress"] == 50 for row in headway.rows.values()))
        eventually(lambda: {asked.path for asked in server.asked_for("GET")} >= {f"/activities/{j.uuid}" for j in jobs})
        headway.change(headway.rows[str(jobs[7].uuid)], state="cancelling", cancelRequested=True)
        assert jobs[7].cancelled.wait(30)
        jobs[7].finish(State.CANCELLED)
        for job in jobs:
            job.finish()
    assert Counter(row["state"] for row in headway.rows.values()) == {"succeeded": 19, "cancelled": 1}
    assert len([asked for asked in server.asked_for("PATCH") if asked.path == "/activities"]) <= 2


def test_a_change_that_the_server_refuses_does_not_silence_the_others() -> None:
    headway = FakeHeadway()

    def picky(asked: Asked) -> Reply | Drop | Hang:
        if asked.method == "PATCH" and b'"poison"' in asked.body:
            return refused(400, "invalid_input", "Activity[0].subtitle: no")
        return headway(asked)

    with ScriptedServer(picky) as server, Reporting(Address(server.url)) as sender:
        jobs = started(sender, 10)
        for number, job in enumerate(jobs):
            job.report(50, subtitle="poison" if number == 4 else "fine")
        eventually(lambda: sum(row["progress"] == 50 for row in headway.rows.values()) == 9)
        for job in jobs:
            job.finish()
        eventually(lambda: all(row["state"] == "succeeded" or row["title"] == "4" for row in headway.rows.values()))


def test_while_nobody_is_there_one_tries_for_all() -> None:
    headway, port, tries = FakeHeadway(), free_port(), list[Asked]()
    with Reporting(Address(f"http://127.0.0.1:{port}")) as sender:
        jobs = [sender.start("command.cp", title=str(number)) for number in range(300)]
        eventually(lambda: all(job.problem for job in jobs))
        for job in jobs[:100]:
            job.report(77)
            job.finish(State.FAILED, "offline")
        with ScriptedServer(headway, port=port) as server:
            eventually(lambda: len(headway.rows) == 300)
            eventually(lambda: sum(row["state"] == "failed" for row in headway.rows.values()) == 100)
            tries += server.asked_for("POST")
            sender.close()
    assert len(tries) == 300
    assert all(row["progress"] == 77 for row in headway.rows.values() if row["state"] == "failed")


def test_what_cannot_be_delivered_is_bounded(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("headway.client.jobs.sender.MAX_UNDELIVERED", 10)
    nowhere = Address(f"http://127.0.0.1:{free_port()}")
    with caplog.at_level(logging.WARNING), Reporting(nowhere) as sender:
        running = sender.start("command.runs")
        jobs = [sender.start("command.cp") for _ in range(30)]
        for job in jobs:
            job.finish()
        eventually(lambda: "jobs=11" in repr(sender))
        assert [job.over for job in jobs] == [True] * 20 + [False] * 10
        assert not running.over
        assert "jobs=11" in repr(sender)
    assert caplog.text.count("the oldest are dropped") == 1


def test_as_many_as_there_are_are_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than fit into one request."""
    monkeypatch.setattr("headway.client.jobs.listening.MAX_BATCH", 7)
    monkeypatch.setattr("headway.client.jobs.batches.MAX_BATCH", 7)
    headway = FakeHeadway()
    with ScriptedServer(headway) as server, Reporting(Address(server.url)) as sender:
        jobs = started(sender, 40)
        for job in jobs:
            headway.change(headway.rows[str(job.uuid)], state="cancelling", cancelRequested=True)
        eventually(lambda: all(job.cancel_requested for job in jobs))
        assert all(len(named(asked)) <= 7 for asked in server.asked_for("PATCH"))


def test_what_is_cut_short_at_the_end_makes_no_room_for_more(caplog: pytest.LogCaptureFixture) -> None:
    """Far more than are sent at once, to a server that answers none of them."""
    with ScriptedServer(lambda _: Hang()) as server, Reporting(Address(server.url)) as sender:
        for _ in range(5_000):
            sender.start("command.cp")
        eventually(lambda: len(server.asked_for("POST")) == CONCURRENT)
        sender.close(0.1)
        gc.collect()  # a task that nobody waits for says so when it is taken apart
    assert "pending" not in caplog.text


def test_without_a_thread_to_send_the_job_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    with Reporting(Address("http://127.0.0.1:1")) as sender, sender.start("command.cp") as job:
        job.report(50)
    assert job.over
