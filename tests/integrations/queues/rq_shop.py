"""Jobs of RQ."""

import asyncio
from typing import Any

import rq
from redis import Redis
from rq.command import send_stop_job_command

import headway.integrations.rq
from headway.integrations.queues.tracker import Tracker
from tests.integrations.queues import work
from tests.integrations.queues.work import fail, look, nap, once, report, short, spin

__all__ = ["fail", "look", "nap", "once", "order", "report", "rest", "short", "spin"]

shown = Tracker("rq", **work.SETTINGS)


class Queue(headway.integrations.rq.Queue):
    headway = shown


class Worker(headway.integrations.rq.Worker):
    headway = shown


connection = Redis.from_url(work.BROKER, protocol=2)
queue = Queue(connection=connection)


async def rest(seconds: float, name: str) -> None:
    work.note(name)
    await asyncio.sleep(seconds)


def order(seconds: float, name: str) -> None:
    queue.enqueue(nap, seconds, name)


async def publish(task: str, *args: Any) -> str:
    """The id of what is published."""
    retry = rq.Retry(max=2) if task == "once" else None
    return queue.enqueue(globals()[task], *args, retry=retry).id


async def stop(id: str) -> None:
    send_stop_job_command(connection, id)


async def close() -> None:
    shown.close()
    connection.close()
