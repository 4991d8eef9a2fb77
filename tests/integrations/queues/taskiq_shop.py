"""Tasks of taskiq."""

import asyncio
from typing import Any

from taskiq import AsyncTaskiqTask, SimpleRetryMiddleware
from taskiq_redis import ListQueueBroker

from headway.integrations.taskiq import HeadwayMiddleware
from tests.integrations.queues import work

broker = ListQueueBroker(work.BROKER).with_middlewares(
    SimpleRetryMiddleware(default_retry_count=3), HeadwayMiddleware(**work.SETTINGS)
)

fail = broker.task(work.fail)
report = broker.task(work.report)
nap = broker.task(work.nap)
spin = broker.task(work.spin)
look = broker.task(work.look)
short = broker.task(work.short)
once = broker.task(work.once, retry_on_error=True)


@broker.task
async def rest(seconds: float, name: str) -> None:
    work.note(name)
    await asyncio.sleep(seconds)


@broker.task
async def order(seconds: float, name: str) -> None:
    await nap.kiq(seconds, name)


async def publish(task: str, *args: Any) -> str:
    """The id of what is published."""
    sent: AsyncTaskiqTask[Any] = await globals()[task].kiq(*args)
    return sent.task_id


async def close() -> None:
    await broker.shutdown()
