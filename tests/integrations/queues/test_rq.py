"""What is RQ's own: jobs in a worker without work horses, and jobs that are requeued by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("rq", reason="rq is not installed")

from redis import Redis
from rq.job import Job, JobStatus
from starlette.applications import Starlette
from starlette.routing import Mount

import headway
import headway.integrations.rq as shown
from headway import Activities, Principal, Role
from headway.client import Client
from headway.integrations.lifespan import lifespan
from headway.integrations.queues.tracker import Tracker
from headway.server import ActivitiesApp
from tests.examples.site import until
from tests.integrations.serving import serving
from tests.stores.redis_servers import redis_server


def count(films: int) -> int:
    headway.current().report(completed=films, total=films)
    return films


def fail() -> None:
    raise ValueError("no such film")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    activities = Activities("memory:")
    served = ActivitiesApp(activities, lambda _: Principal(1, Role.ADMIN))
    app = Starlette(routes=[Mount("/headway", served)], lifespan=lifespan(activities, served))
    with serving(app) as place, Client(place + "/headway") as one:
        yield one


class Shop:
    """A queue, and a worker that does one job after the other, here."""

    def __init__(self, connection: Redis, tracker: Tracker) -> None:
        class Queue(shown.Queue):
            headway = tracker

        class Worker(shown.SimpleWorker):
            headway = tracker

        self.queue = Queue(connection=connection)
        self.worker = Worker([self.queue], connection=connection)

    def work(self) -> Job:
        """The next job, done."""
        (id, *_) = self.queue.job_ids
        self.queue.remove(id)
        job = Job.fetch(id, self.queue.connection)
        self.worker.execute_job(job, self.queue)
        job.refresh()  # type: ignore[no-untyped-call]
        return job


@pytest.fixture(scope="module")
def shop(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    tracker = Tracker("rq", url=client.options.url)
    with (
        redis_server(tmp_path_factory.mktemp("broker") / "data") as broker,
        Redis.from_url(broker.url, protocol=2) as connection,
    ):
        yield Shop(connection, tracker)
        tracker.close()


def states(client: Client, id: str) -> list[tuple[str | None, str | None]]:
    """Of its activities, newest first, once all have ended."""
    until(lambda: not client.activities.list(context={"taskID": id}).rows)
    return [(row.state, row.error) for row in client.activities.history(context={"taskID": id}).rows]


def test_a_worker_without_work_horses_shows_its_jobs(shop: Shop, client: Client) -> None:
    job = shop.queue.enqueue(count, 3)
    assert shop.work().get_status() == JobStatus.FINISHED
    assert states(client, job.id) == [("succeeded", None)]
    (row,) = client.activities.history(context={"taskID": job.id}).rows
    assert (row.completed, row.total) == (3, 3)


def test_a_job_that_failed_and_is_requeued_is_another_activity(shop: Shop, client: Client) -> None:
    job = shop.queue.enqueue(fail)
    assert shop.work().get_status() == JobStatus.FAILED
    until(lambda: states(client, job.id))
    job.requeue()
    shop.work()
    assert states(client, job.id) == [("failed", "ValueError: no such film")] * 2


def test_a_job_that_was_cancelled_runs_if_it_is_enqueued_again(shop: Shop, client: Client) -> None:
    job = shop.queue.enqueue(count, 3)
    (row,) = until(lambda: client.activities.list(context={"taskID": job.id}).rows)
    client.activities.cancel(row.uuid)
    cancelled = shop.work()
    assert cancelled.get_status() == JobStatus.CANCELED
    until(lambda: states(client, job.id) == [("cancelled", None)])
    shop.queue.enqueue_job(cancelled)
    assert shop.work().get_status() == JobStatus.FINISHED
    assert states(client, job.id) == [("succeeded", None), ("cancelled", None)]
