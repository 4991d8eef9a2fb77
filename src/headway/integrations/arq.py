"""arq: its jobs as activities.

One line for the worker, and one where jobs are enqueued::

    from headway.integrations.arq import track


    @track
    class WorkerSettings:
        functions = [resize]


    redis = track(await create_pool(RedisSettings()))

In a job, ``headway.current()`` is its activity. A cancel cancels its coroutine, as ``Job.abort`` does.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
import pickle
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar, Unpack, overload
from uuid import uuid4

from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import Deserializer, Job, JobResult, Serializer
from arq.worker import Retry, RetryJob, func

from headway.client import State
from headway.core.errors import Cancelled
from headway.integrations.queues.keeper import Fate
from headway.integrations.queues.stopping import stoppable
from headway.integrations.queues.ticket import HEADER
from headway.integrations.queues.tracker import Options, Run, Tracker
from headway.wire import fitting

__all__ = ["track"]

TIMEOUT = 2.0
"""Seconds that the event loop of a worker may take to say what has become of jobs."""

T = TypeVar("T")
Hook = Callable[[dict[Any, Any]], Awaitable[None]]
_sent: ContextVar[str | None] = ContextVar("headway_arq_sent", default=None)
_received: ContextVar[object] = ContextVar("headway_arq_received", default=None)
_log = logging.getLogger("headway")


@overload
def track(target: T, **options: Unpack[Options]) -> T: ...


@overload
def track(**options: Unpack[Options]) -> Callable[[T], T]: ...


def track(target: Any = None, **options: Unpack[Options]) -> Any:
    """Show the jobs of a worker, given its settings, a class; or those that a pool enqueues, until it is closed.

    ``options``: see ``Options``; with options alone it is a decorator.
    """
    if target is None:
        return lambda target: track(target, **options)
    tracker = Tracker("arq", **options)
    if isinstance(target, ArqRedis):
        _closes(_enqueues(target, tracker), tracker)
    else:
        _Worker(tracker, target)
    return target


# Where jobs are enqueued


def _enqueues(pool: ArqRedis, tracker: Tracker) -> ArqRedis:
    """A job has no headers, but what it is serialized from has room for a member that arq does not look at."""
    enqueue, serializer = pool.enqueue_job, pool.job_serializer

    @functools.wraps(enqueue)
    async def enqueue_job(function: str, *args: Any, _job_id: str | None = None, **options: Any) -> Job | None:
        id = _job_id or uuid4().hex
        kwargs = {name: value for name, value in options.items() if not name.startswith("_")}
        header = tracker.header(function, id, None, args, kwargs)
        token = _sent.set(header)
        try:
            job = await enqueue(function, *args, _job_id=id, **options)
        finally:
            _sent.reset(token)
        if job is not None:  # else one of that id is there already
            tracker.announce(header)
        return job

    pool.enqueue_job = enqueue_job  # type: ignore[method-assign]
    pool.job_serializer = functools.partial(_serialize, serializer)
    return pool


def _serialize(serializer: Serializer | None, data: dict[str, Any]) -> bytes:
    header = _sent.get()
    return (serializer or pickle.dumps)(data if header is None else {**data, HEADER: header})


def _closes(pool: ArqRedis, tracker: Tracker) -> None:
    aclose = pool.aclose

    @functools.wraps(aclose)
    async def close(*args: Any, **options: Any) -> None:
        await asyncio.to_thread(tracker.close)
        await aclose(*args, **options)

    pool.aclose = close  # type: ignore[method-assign]


# Where they run


class _Worker:
    """What is added to its settings. Of arq's hooks, none is told what became of a job: its coroutine is."""

    def __init__(self, tracker: Tracker, settings: Any) -> None:
        said: Mapping[str, Any] = settings if isinstance(settings, dict) else vars(settings)
        self._tracker = tracker
        self._retries: bool = said.get("retry_jobs", True)
        functions = [func(function) for function in said.get("functions") or ()]
        crons = said.get("cron_jobs") or ()
        deserializer = said.get("job_deserializer") or pickle.loads
        added = {
            "functions": [self._tracked(function) for function in functions],
            "cron_jobs": [self._tracked(cron) for cron in crons] or None,
            "job_deserializer": functools.partial(_deserialize, deserializer),
            "on_startup": _both(self._begins, said.get("on_startup")),
            "on_shutdown": _both(said.get("on_shutdown"), self._ends),
            "after_job_end": _both(self._look_back, said.get("after_job_end")),
        }
        for name, value in added.items():
            settings.__setitem__(name, value) if isinstance(settings, dict) else setattr(settings, name, value)

    async def _begins(self, ctx: dict[Any, Any]) -> None:
        pool, loop = _enqueues(ctx["redis"], self._tracker), asyncio.get_running_loop()

        def fates(ids: Sequence[str]) -> Mapping[str, Fate]:
            try:
                return asyncio.run_coroutine_threadsafe(_fates(pool, ids), loop).result(TIMEOUT)
            except (TimeoutError, RuntimeError):  # the loop is busy, or closed
                return {}

        self._tracker.keeper.fates = fates
        self._tracker.work()

    async def _ends(self, _: dict[Any, Any]) -> None:
        self._tracker.keeper.fates = None
        await asyncio.to_thread(self._tracker.close)

    def _tracked(self, function: Any) -> Any:
        name, coroutine = function.name, function.coroutine
        if not self._tracker.wants(name):
            return function

        @functools.wraps(coroutine)
        async def tracked(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
            word = str(ctx["enqueue_time"].timestamp())
            run = self._tracker.begin(name, ctx["job_id"], _received.get(), word, args, kwargs)
            ctx[HEADER] = run
            run.enter()
            try:
                return await self._run(run, ctx["job_try"], lambda: coroutine(ctx, *args, **kwargs))
            finally:
                run.exit()

        return dataclasses.replace(function, coroutine=tracked)

    async def _run(self, run: Run, number: int, work: Callable[[], Awaitable[Any]]) -> Any:
        try:
            if not await run.may_begin_async():
                raise Cancelled("the job was cancelled before it began")
            result = await stoppable(run, work)
        except Exception as error:
            if self._retries and isinstance(error, Retry | RetryJob):
                run.retried(number, None, error.__cause__)
            elif not run.over:
                run.ended(error)
            raise
        run.ended()
        return result

    async def _look_back(self, ctx: dict[Any, Any]) -> None:
        """A job that was cancelled by arq: what for, only its result can tell."""
        run: Run | None = ctx.get(HEADER)
        if run is None or run.over:
            return
        try:
            if await ctx["redis"].exists(job_key_prefix + run.ticket.id):
                run.handed_back()
            else:
                run.finish(*(await _fates(ctx["redis"], [run.ticket.id]))[run.ticket.id])
        except Exception:  # Redis is away: it must not end the worker
            _log.exception("job %s could not be shown", run.ticket.id)
            run.handed_back()


async def _fates(pool: ArqRedis, ids: Sequence[str]) -> dict[str, Fate]:
    """What has become of jobs that are in no queue any more."""
    async with pool.pipeline(transaction=False) as pipe:
        for id in ids:
            pipe.exists(job_key_prefix + id)
        there = await pipe.execute()
    gone = [id for id, known in zip(ids, there, strict=True) if not known]
    return {id: _fate(await Job(id, pool, _deserializer=pool.job_deserializer).result_info()) for id in gone}


def _fate(result: JobResult | None) -> Fate:
    if result is None:
        return State.FAILED, "it has gone from the queue, and left no result"
    if result.success:
        return State.SUCCEEDED, None
    if isinstance(result.result, asyncio.CancelledError):
        return State.CANCELLED, None
    return State.FAILED, fitting.said(result.result) if isinstance(result.result, BaseException) else str(result.result)


def _deserialize(deserializer: Deserializer, data: bytes) -> dict[str, Any]:
    """arq does this in the asyncio task in which the job will run."""
    told = deserializer(data)
    _received.set(told.pop(HEADER, None))
    return told


def _both(first: Hook | None, second: Hook | None) -> Hook:
    async def hook(ctx: dict[Any, Any]) -> None:
        for each in (first, second):
            if each is not None:
                await each(ctx)

    return hook
