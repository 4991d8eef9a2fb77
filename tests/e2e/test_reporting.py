"""Many jobs of one process under a real server that is killed in the middle: every record tells the truth."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

from headway.client import Client, Job, Reporting, State
from headway.client.address import Address
from headway.core.errors import Cancelled
from headway.server.data import admin_token
from tests.client.scripted_server import eventually
from tests.e2e.serving import Serving

JOBS = 500
CANCELLED = 100


def work(job: Job, go_on: threading.Event) -> None:
    """Reports as it goes, and stops where it can when it is asked to."""
    with job:
        done = 0
        while not go_on.wait(0.2):
            job.check_cancelled()
            done += 1
            job.report(completed=done, subtitle=f"step {done}")
        job.check_cancelled()
        job.report(completed=1_000, total=1_000)


def run_all(jobs: list[Job], go_on: threading.Event) -> list[threading.Thread]:
    def quietly(job: Job) -> None:
        try:
            work(job, go_on)
        except Cancelled:
            return

    threads = [threading.Thread(target=quietly, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    return threads


def test_500_jobs_with_cancels_and_a_crash_in_the_middle(tmp_path: Path) -> None:
    data, go_on = tmp_path / "data", threading.Event()
    with Serving(data) as serving:
        token = admin_token(data)
        with Reporting(Address(serving.url, token), timeout=30.0) as reporting, Client(serving.url, token) as client:
            jobs = [reporting.start("test.many", title=f"{n}", unit="steps") for n in range(JOBS)]
            threads = run_all(jobs, go_on)
            eventually(lambda: all(job.uuid for job in jobs), 120)
            for job in jobs[: CANCELLED // 2]:
                client.activities.cancel(str(job.uuid))
            eventually(lambda: all(job.cancel_requested for job in jobs[: CANCELLED // 2]), 60)

            serving.kill()
            uuids = [job.uuid for job in jobs]
            serving.start()
            for job in jobs[CANCELLED // 2 : CANCELLED]:
                client.activities.cancel(str(job.uuid))
            eventually(lambda: all(job.cancel_requested for job in jobs[:CANCELLED]), 60)
            go_on.set()
            for thread in threads:
                thread.join(60)
            reporting.close(60)
            assert [job.uuid for job in jobs] == uuids

            page = client.activities.history(type="test.many", limit=JOBS)
            assert Counter(row.state for row in page.rows) == {"cancelled": CANCELLED, "succeeded": JOBS - CANCELLED}
            assert {row.uuid for row in page.rows} == set(uuids)
            assert {row.completed for row in page.rows if row.state == State.SUCCEEDED} == {1_000}
            assert client.activities.list(type="test.many").rows == []
    assert not any(job.problem for job in jobs)


def test_a_tree_that_grew_and_ended_while_nobody_was_there_is_recorded_as_it_was(tmp_path: Path) -> None:
    with Serving(tmp_path / "data") as first:
        token = admin_token(first.data)
    place = ["http://127.0.0.1:1"]
    with Reporting(lambda: Address(place[0], token)) as reporting:
        with reporting.start("tree.root") as root:
            for _ in range(5):
                with root.start("tree.branch") as branch:
                    for number in range(5):
                        with branch.start("tree.leaf", unit="steps", total=5) as leaf:
                            leaf.report(completed=number)
        eventually(lambda: root.problem)
        with Serving(first.data) as serving, Client(serving.url, token) as client:
            place[0] = serving.url
            eventually(lambda: root.over, 60)
            rows = client.activities.history(limit=100).rows
    assert Counter((row.type, row.state) for row in rows) == {
        ("tree.root", "succeeded"): 1,
        ("tree.branch", "succeeded"): 5,
        ("tree.leaf", "succeeded"): 25,
    }
    types = {row.uuid: row.type for row in rows}
    above = Counter((row.type, types.get(row.parent or "")) for row in rows)
    assert above == {("tree.root", None): 1, ("tree.branch", "tree.root"): 5, ("tree.leaf", "tree.branch"): 25}
