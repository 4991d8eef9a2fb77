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
