"""RQ: its jobs as activities.

Its own classes take the place of RQ's, where jobs are enqueued and for the worker::

    from headway.integrations.rq import Queue

    queue = Queue(connection=Redis())

    $ rq worker --worker-class headway.integrations.rq.Worker

In a job, ``headway.current()`` is its activity. A cancel ends the work horse of the job, as RQ's own stop command does:
it is asked to end by SIGTERM, and killed when its grace is over. In a ``SimpleWorker`` a job has to look by itself.
"""

from __future__ import annotations

import json
import os
import select
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, NamedTuple

import rq
from rq.exceptions import DeserializationError, InvalidJobOperation
from rq.job import Job, JobStatus
from rq.worker import BaseWorker

from headway.client import State
from headway.core.errors import Cancelled
from headway.integrations.queues.keeper import Fate
from headway.integrations.queues.ticket import HEADER, STOPS
from headway.integrations.queues.tracker import Run, Tracker
from headway.wire import fitting
from headway.wire.requests import MAX_ERROR

__all__ = ["Queue", "SimpleWorker", "Worker"]

SOON = 0.05
"""Seconds until a work horse is looked for again that has just been made."""

BEGUN = b"\n"
"""What a work horse writes when it begins; its outcome follows."""

MAX_OUTCOME = 65_536
"""Bytes."""

AGAIN = (JobStatus.QUEUED, JobStatus.SCHEDULED)

_tracker = Tracker("rq")


class Queue(rq.Queue):
    """Shows the jobs that it enqueues."""

    headway: ClassVar[Tracker] = _tracker
    """To be replaced in a class of your own, where more is to be said than the environment does."""

    def create_job(self, *said: Any, **options: Any) -> Job:
        """As RQ does, with a header in the job's ``meta``."""
        job = super().create_job(*said, **options)
        name, args, kwargs = _call(job)
        header = self.headway.header(name, job.id, job.meta.get(HEADER), args, kwargs)
        if header is not None:
            job.meta[HEADER] = header
        return job

    def enqueue_job(self, job: Job, *args: Any, **options: Any) -> Job:
        """As RQ does."""
        return self._announced(super().enqueue_job(job, *args, **options))

    def enqueue_many(self, *args: Any, **options: Any) -> list[Job]:
        """As RQ does."""
        return [self._announced(job) for job in super().enqueue_many(*args, **options)]

    def schedule_job(self, job: Job, *args: Any, **options: Any) -> Job:
        """As RQ does."""
        return self._announced(super().schedule_job(job, *args, **options))

    def _announced(self, job: Job) -> Job:
        self.headway.announce(job.meta.get(HEADER))
        return job


class Outcome(NamedTuple):
    """How a run ended, as the process saw it that ran the job."""

    state: str | None
    """None: it is to be tried again."""
    error: str | None = None


class _Tracked(BaseWorker):
    """What is added to a worker. It has the activity; the work horse, a process forked for one job, tells the worker
    how that ended, and the server what the job reports.
    """

    headway: ClassVar[Tracker] = _tracker
    """To be replaced in a class of your own, where more is to be said than the environment does."""

    _run: Run | None = None
    _outcome: Outcome | None = None
    _error: BaseException | None = None
    _reporter: Any = None
    _told: int | None = None
    """What a work horse writes its outcome to."""

    def bootstrap(self, *args: Any, **options: Any) -> None:
        """The worker begins."""
        super().bootstrap(*args, **options)
        self.headway.keeper.fates = self._fates
        self.headway.work()

    def teardown(self) -> None:
        """It ends."""
        super().teardown()  # type: ignore[no-untyped-call]
        self.headway.close()

    def execute_job(self, job: Job, queue: rq.Queue) -> None:
        """What RQ does, unless the job is to stop."""
        name, args, kwargs = _call(job)
        if not self.headway.wants(name):
            super().execute_job(job, queue)
            return
        word = str(job.enqueued_at.timestamp()) if job.enqueued_at else ""
        run = self.headway.begin(name, job.id, job.meta.get(HEADER), word, args, kwargs)
        if not run.may_begin():
            job.cancel()
            self.connection.lrem(queue.intermediate_queue_key, 1, job.id)
            self._renew(run, job)
            return
        self._run, self._outcome, self._error = run, None, None
        try:
            self._execute(run, job, queue)
        finally:
            self._run = None
        self._settle(run, job)

    def _execute(self, run: Run, job: Job, queue: rq.Queue) -> None:
        super().execute_job(job, queue)

    def _settle(self, run: Run, job: Job) -> None:
        state, error = self._outcome or _what_is_known(job)
        if state is None:
            run.retried(None, None, error)
        else:
            run.finish(State(state), error)
            if state == State.CANCELLED:
                self._renew(run, job)

    def _renew(self, run: Run, job: Job) -> None:
        """If it is requeued, somebody wants it to run after all: as another activity than that which was cancelled."""
        if HEADER in job.meta and self.connection.exists(job.key):
            job.meta[HEADER] = run.ticket.renewed().header
            job.save_meta()  # type: ignore[no-untyped-call]

    # Where the job runs: in the work horse, or here

    def perform_job(self, job: Job, queue: rq.Queue, *rest: Any) -> bool:
        """What RQ does, as a part of the activity."""
        run = self._run
        if run is None:
            return super().perform_job(job, queue, *rest)
        self._reporter = _Here(run) if self.is_horse else run.job
        run.enter(self._reporter)
        self._tell(BEGUN)
        try:
            succeeded = super().perform_job(job, queue, *rest)
        finally:
            run.exit()
        self._outcome = _outcome(job, succeeded, self._error, cancelled=self._stopped_job_id == job.id)
        self._tell(json.dumps(self._outcome).encode())
        if self.is_horse:
            self.headway.link.settle()
        return succeeded

    def _tell(self, news: bytes) -> None:
        if self._told is not None:
            os.write(self._told, news)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """The job has raised."""
        self._error = exc_info[1]
        if isinstance(self._error, Cancelled) and self._reporter is not None and self._reporter.stop in STOPS:
            self._stopped_job_id = job.id  # then RQ calls it stopped, and does not try it again
        super().handle_exception(job, *exc_info)

    def _fates(self, ids: Sequence[str]) -> Mapping[str, Fate]:
        """What has become of jobs that are in no queue any more."""
        jobs = self.job_class.fetch_many(ids, self.connection, serializer=self.serializer)
        fates = {id: _fate(job) for id, job in zip(ids, jobs, strict=True)}
        return {id: fate for id, fate in fates.items() if fate is not None}


class Worker(_Tracked, rq.Worker):
    """A worker that shows its jobs."""

    _begun: int | None = None
    """Where to read what the work horse writes."""
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def _execute(self, run: Run, job: Job, queue: rq.Queue) -> None:
        self._begun, self._told = reads, writes = os.pipe()
        try:
            run.on_stop(lambda: self._stop(run, job.id, signal.SIGTERM))
            super()._execute(run, job, queue)
        finally:
            with self._lock:
                self._begun = self._told = None
            os.close(writes)
            told = _read(reads).removeprefix(BEGUN)
        self._outcome = Outcome(*json.loads(told)) if told else None

    def _stop(self, run: Run, job_id: str, number: signal.Signals) -> None:
        """Signal the group of the work horse, as long as it is there for that run."""
        with self._lock:
            if self._run is not run or self._begun is None:
                return
            process = self.horse_pid
            if not process or not select.select([self._begun], [], [], 0)[0]:
                self._later(SOON, run, job_id, number)  # before it has begun, it would take a signal as we do
                return
            self._stopped_job_id = job_id  # then RQ calls it stopped, and does not try it again
            with suppress(ProcessLookupError):  # it is gone
                os.killpg(process, number)
        if number is signal.SIGTERM:
            self._later(run.ticket.grace, run, job_id, signal.SIGKILL)

    def _later(self, seconds: float, *args: Any) -> None:
        timer = threading.Timer(seconds, self._stop, args)
        timer.daemon = True
        timer.start()


class SimpleWorker(_Tracked, rq.SimpleWorker):
    """One without work horses: jobs that are to stop have to look."""


class _Here:
    """The activity in a work horse, whose reports need a connection of its own: made when there is the first."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._job: Any = None

    @property
    def uuid(self) -> str | None:
        return self._run.job.uuid

    def __getattr__(self, name: str) -> Any:
        if self._job is None:
            self._job = self._run.again()
        return getattr(self._job, name)


def _call(job: Job) -> tuple[str, Any, Any]:
    try:
        return str(job.func_name), job.args, job.kwargs
    except DeserializationError:
        return "unknown", (), {}


def _read(pipe: int) -> bytes:
    """What is in it; a process that the work horse has left behind may keep its other end open."""
    os.set_blocking(pipe, False)
    try:
        return os.read(pipe, MAX_OUTCOME)
    except BlockingIOError:
        return b""
    finally:
        os.close(pipe)


def _outcome(job: Job, succeeded: bool, error: BaseException | None, *, cancelled: bool) -> Outcome:
    status = job.get_status(refresh=False)
    if cancelled:
        return Outcome(State.CANCELLED)
    if not succeeded:
        words = None if error is None else fitting.text(fitting.said(error), MAX_ERROR)
        return Outcome(None if status in AGAIN else State.FAILED, words)
    if isinstance(job._result, rq.Retry):
        return Outcome(None) if status in AGAIN else Outcome(State.FAILED, "tried again as often as may be")
    return Outcome(State.SUCCEEDED)


def _what_is_known(job: Job) -> Outcome:
    """Of a job whose work horse has died."""
    try:
        status = job.get_status()
    except InvalidJobOperation:
        status = JobStatus.FAILED
    if status == JobStatus.STOPPED:
        return Outcome(State.CANCELLED)
    return Outcome(None if status in AGAIN else State.LOST, "its process died")


def _fate(job: Job | None) -> Fate | None:
    status = None if job is None else job.get_status(refresh=False)
    if status is None:
        return State.FAILED, "it has gone from RQ"
    if status in (JobStatus.CANCELED, JobStatus.STOPPED):
        return State.CANCELLED, None
    if status == JobStatus.FAILED:
        return State.FAILED, "failed in a worker that does not tell"
    return (State.SUCCEEDED, None) if status == JobStatus.FINISHED else None
