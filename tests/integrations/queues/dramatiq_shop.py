"""Actors of dramatiq."""

import asyncio
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import Retry
from dramatiq.middleware import AsyncIO

from headway.integrations.dramatiq import HeadwayMiddleware
from tests.integrations.queues import work

broker = RedisBroker(url=work.BROKER)  # type: ignore[no-untyped-call]
broker.add_middleware(AsyncIO())
shown = HeadwayMiddleware(**work.SETTINGS)
broker.add_middleware(shown)
dramatiq.set_broker(broker)

fail = dramatiq.actor(max_retries=0)(work.fail)
report = dramatiq.actor(work.report)
nap = dramatiq.actor(work.nap)
spin = dramatiq.actor(work.spin)
look = dramatiq.actor(work.look)
short = dramatiq.actor(work.short)


@dramatiq.actor
def once(name: str) -> None:
    try:
        work.once(name)
    except RuntimeError as error:
        raise Retry(str(error), delay=100) from error


@dramatiq.actor
async def rest(seconds: float, name: str) -> None:
    work.note(name)
    await asyncio.sleep(seconds)


@dramatiq.actor
def order(seconds: float, name: str) -> None:
    nap.send(seconds, name)


async def publish(task: str, *args: Any) -> str:
    """The id of what is published."""
    sent: dramatiq.Message[Any] = globals()[task].send(*args)
    return sent.message_id


async def close() -> None:
    shown.close()
    broker.close()
    broker.client.close()
