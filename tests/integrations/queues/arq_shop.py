"""Jobs of arq, which are coroutines, all of them."""

import asyncio
from typing import Any

from arq import Retry, create_pool
from arq.connections import ArqRedis, RedisSettings
from arq.jobs import Job

from headway.integrations.arq import track
from tests.integrations.queues import work

Context = dict[Any, Any]


async def fail(ctx: Context) -> None:
    work.fail()


async def once(ctx: Context, name: str) -> None:
    try:
        work.once(name)
    except RuntimeError as error:
        raise Retry(0.1) from error


async def report(ctx: Context, percent: float, name: str) -> None:
    await asyncio.to_thread(work.report, percent, name)


async def rest(ctx: Context, seconds: float, name: str) -> None:
    work.note(name)
    await asyncio.sleep(seconds)


async def look(ctx: Context, seconds: float) -> None:
    await asyncio.to_thread(work.look, seconds)


async def short(ctx: Context) -> None:
    await asyncio.sleep(0.05)


async def order(ctx: Context, seconds: float, name: str) -> None:
    await ctx["redis"].enqueue_job("rest", seconds, name)


SETTINGS = RedisSettings.from_dsn(work.BROKER)


@track(**work.SETTINGS)
class WorkerSettings:
    functions = (fail, once, report, rest, look, short, order)
    redis_settings = SETTINGS
    poll_delay = 0.1
    allow_abort_jobs = True


pools: list[ArqRedis] = []


async def publish(task: str, *args: Any) -> str:
    """The id of what is published."""
    if not pools:
        pools.append(track(await create_pool(SETTINGS), **work.SETTINGS))
    job = await pools[0].enqueue_job(task, *args)
    assert job is not None
    return job.job_id


async def stop(id: str) -> None:
    await Job(id, pools[0]).abort()


async def close() -> None:
    for pool in pools:
        await pool.aclose()
