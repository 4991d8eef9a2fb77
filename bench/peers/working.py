"""A process with many jobs that all report to a server. Arguments: how, the port of the server, the token for it, and
how many jobs. For each line of seconds on stdin it lets them report for so long, and says what that took.
"""

from __future__ import annotations

import json
import resource
import sys
import time

from bench.peers.serving import parts
from headway.client.address import Address
from headway.client.exchange import Answer, Request
from headway.client.jobs.job import Job
from headway.client.jobs.line import Line
from headway.client.jobs.reporting import Reporting

PACE = 0.1
"""Seconds between two reports of a job."""

WAITING = 60.0
"""Seconds for all starts to be known to the server."""


class Counting(Line):
    """Counts requests; on request it is a server of a former version, which knows of one activity at a time."""

    requests = 0
    changes = 0
    """What these told, each of one job; heartbeats count."""
    alone = False

    async def ask(self, request: Request) -> Answer:
        if self.alone and request.method == "PATCH" and request.path == "/activities":
            return Answer(405, {})
        Counting.requests += 1
        if request.method == "PATCH" and not request.patience:
            Counting.changes += max(1, (request.body or b"").count(b'"uuid":'))
        return await super().ask(request)


def main() -> None:
    import headway.client.jobs.reporting as module

    how, port, token, count = parts()
    Counting.alone = how == b"alone"
    vars(module)["Line"] = Counting
    with Reporting(Address(f"http://127.0.0.1:{int(port)}", token.decode()), timeout=WAITING) as reporting:
        jobs = [reporting.start("bench.reporting", title=f"{number}", total=1e6) for number in range(int(count))]
        deadline = time.monotonic() + WAITING
        while not all(job.uuid for job in jobs) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not all(job.uuid for job in jobs):
            print(json.dumps({"error": f"not recorded: {jobs[-1].problem}"}), flush=True)
            return
        print("{}", flush=True)
        for line in sys.stdin:
            print(json.dumps(_work(jobs, float(line))), flush=True)


def _work(jobs: list[Job], seconds: float) -> dict[str, float]:
    cpu, requests, changes, reports = _cpu(), Counting.requests, Counting.changes, 0
    began = time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        for number, job in enumerate(jobs):  # spread over the interval, as jobs are that know nothing of each other
            if number % 100 == 0:
                time.sleep(max(0.0, began + now + PACE * number / len(jobs) - time.monotonic()))
            job.report(completed=reports)
        reports += 1
        time.sleep(max(0.0, began + reports * PACE - time.monotonic()))
    passed = time.monotonic() - began
    return {
        "seconds": passed,
        "requests": (Counting.requests - requests) / passed,
        "changes": (Counting.changes - changes) / passed,
        "cpu": (_cpu() - cpu) / passed,
        "reports": reports / passed,
    }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
