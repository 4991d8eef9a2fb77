"""What befalls tasks and their workers, and what is told of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from headway.client import State
from tests.examples.site import DEADLINE, ROOT, until
from tests.integrations.celery.conftest import Pools
from tests.integrations.celery.workers import SHOP, Shop, free_of, moment, worker


def sent(task: Any, *args: Any, queue: str = "prefork", **options: Any) -> Any:
    return task.apply_async(args, queue=queue, **options)


def test_what_the_command_of_celery_terminates_is_cancelled(shop: Shop, pools: Pools) -> None:
    pools("prefork")
    name = moment()
    result = sent(shop.app.nap, 30, name)
    shop.noted(name)
    command = [sys.executable, "-m", "celery", "-A", SHOP, "control", "--timeout", "0.1", "terminate", "TERM"]
    environment = {**os.environ, **shop.environment}
    subprocess.run([*command, result.id], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert shop.ended(result.id).state == "cancelled"


def test_a_task_that_handles_the_signal_can_tidy_up(shop: Shop, pools: Pools) -> None:
    pools("prefork")
    name = moment()
    result = sent(shop.app.tidy, name)
    process = shop.noted(name)
    shop.cancel(shop.row(result.id).uuid)
    assert shop.ended(result.id).state == "cancelled"
    assert shop.noted(f"{name}-tidied") == 0
    until(lambda: result.state == "REVOKED")
    until(lambda: free_of(process))


def test_a_time_limit_is_a_failure(shop: Shop, pools: Pools) -> None:
    pools("prefork")
    soft = sent(shop.app.nap, 30, moment(), soft_time_limit=0.5)
    hard = sent(shop.app.nap, 30, moment(), time_limit=0.5)
    ended = [shop.ended(each.id) for each in (soft, hard)]
    assert [(row.state, row.error) for row in ended] == [
        ("failed", "soft time limit exceeded"),
        ("failed", "hard time limit of 0.5 s exceeded"),
    ]


def test_a_task_that_expires_has_failed(shop: Shop, pools: Pools) -> None:
    pools("prefork")
    result = sent(shop.app.nap, 0, moment(), countdown=0.5, expires=0.1)
    ended = shop.ended(result.id)
    assert (ended.state, ended.error) == ("failed", "expired before it began")


def test_a_task_that_is_queued_again_after_a_crash_is_the_same_activity(shop: Shop, pools: Pools) -> None:
    pools("prefork")
    name = moment()
    result = sent(shop.app.again, name)
    first = shop.noted(name)
    uuid = shop.row(result.id).uuid
    os.kill(first, signal.SIGKILL)
    ended = shop.ended(result.id)
    assert (ended.uuid, ended.state) == (uuid, "succeeded")
    assert len(shop.find(taskID=result.id)) == 1
    assert len([note for note in shop.notes() if note.split()[0] == name]) == 2


def test_a_task_that_waits_to_be_tried_again_says_why_whoever_has_it(shop: Shop, tmp_path: Path) -> None:
    environment, why = {**shop.environment, "SHOP_QUEUE": "later"}, "retry 1 of 3: not yet"
    with worker(tmp_path, environment, "-P", "prefork", "-c", "1") as old:
        result = sent(shop.app.retry, 1, 120, queue="later")
        uuid = shop.row(result.id).uuid
        shop.live(uuid, subtitle=why)
        until(lambda: old.log.read_text().count(f"{result.id}] received") == 2)
        old.ask_to_stop()
        old.process.wait(DEADLINE)
    with worker(tmp_path, environment, "-P", "prefork", "-c", "1") as new:
        has_it = f"{new.log.stem}@here"
        until(lambda: (shop.client.activities.get(uuid).context or {}).get("worker") == has_it)
        assert shop.client.activities.get(uuid).subtitle == why
        shop.cancel(uuid)
        assert shop.ended(result.id).state == "cancelled"


def test_a_process_that_is_replaced_after_each_task_tells_its_end(shop: Shop, tmp_path: Path) -> None:
    environment = {**shop.environment, "SHOP_QUEUE": "replaced"}
    with worker(tmp_path, environment, "-P", "prefork", "-c", "2", "--max-tasks-per-child", "1"):
        good = [sent(shop.app.add, number, queue="replaced") for number in range(4)]
        bad = [sent(shop.app.fail, queue="replaced") for _ in range(2)]
        assert {shop.ended(each.id).state for each in good} == {"succeeded"}
        assert {shop.ended(each.id).error for each in bad} == {"ValueError: no such film"}


def test_a_warm_shutdown_ends_what_runs_and_gives_back_the_rest(shop: Shop, tmp_path: Path) -> None:
    environment, names = {**shop.environment, "SHOP_QUEUE": "warm"}, [moment() for _ in range(3)]
    with worker(tmp_path, environment, "-P", "prefork", "-c", "1") as old:
        results = [sent(shop.app.hold, name, queue="warm") for name in names]
        shop.noted(names[0])
        rows = [shop.row(each.id) for each in results]
        until(lambda: (shop.client.activities.get(rows[2].uuid).context or {}).get("worker"))
        old.ask_to_stop()
        until(lambda: "Warm shutdown" in old.log.read_text())
        for name in names:
            shop.release(name)
        assert shop.ended(results[0].id).state == "succeeded"
        old.process.wait(DEADLINE)
    row = shop.live(rows[2].uuid, subtitle="queued", state="running")
    assert (row.context or {})["celery"] == "queued"
    with worker(tmp_path, environment, "-P", "prefork", "-c", "2"):
        assert [shop.ended(each.id).state for each in results] == ["succeeded"] * 3
    assert [len(shop.find(taskID=each.id)) for each in results] == [1, 1, 1]
    assert [len([note for note in shop.notes() if note.split()[0] == name]) for name in names] == [1, 1, 1]


def test_a_message_that_comes_twice_is_one_activity(shop: Shop, tmp_path: Path) -> None:
    """As after a visibility timeout that is shorter than the task. Both runs are told of under it."""
    environment, name = {**shop.environment, "SHOP_QUEUE": "twice"}, moment()
    result = sent(shop.app.nap, 1.0, name, queue="twice")
    uuid = shop.row(result.id).uuid
    with redis.Redis.from_url(shop.broker, protocol=2) as client:
        (message,) = client.lrange("twice", 0, -1)
        client.rpush("twice", message)
    with worker(tmp_path, environment, "-P", "prefork", "-c", "2") as two:
        until(lambda: len([note for note in shop.notes() if note.split()[0] == name]) == 2)
        assert shop.ended(result.id).state == "succeeded"
        until(lambda: two.log.read_text().count("succeeded in") == 2)
    assert [row.uuid for row in shop.find(taskID=result.id)] == [uuid]


def test_and_so_is_one_that_comes_again_after_its_end(shop: Shop, pools: Pools) -> None:
    (one,) = pools("prefork")
    name = moment()
    result = sent(shop.app.nap, 0, name)
    uuid = shop.ended(result.id).uuid
    sent(shop.app.nap, 0, name, task_id=result.id)
    until(lambda: len([note for note in shop.notes() if note.split()[0] == name]) == 2)
    until(lambda: one.log.read_text().count(f"{result.id}] succeeded in") == 2)
    assert [row.uuid for row in shop.find(taskID=result.id)] == [uuid]


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_task_that_was_lost_in_its_queue_is_shown_when_it_runs_after_all(
    shop: Shop, tmp_path: Path, pool: str
) -> None:
    """As when for long there was neither a worker nor who has published it."""
    queue = f"left to {pool}"
    result = sent(shop.app.add, 1, 2, queue=queue)
    lost = shop.row(result.id).uuid
    shop.client.activities.finish(lost, State.LOST)
    with worker(tmp_path, {**shop.environment, "SHOP_QUEUE": queue}, "-P", pool, "-c", "1"):
        (row,) = until(lambda: shop.find(taskID=result.id, continues=lost))
        ended = shop.client.activities.wait(row.uuid, DEADLINE)
    assert (ended.state, (ended.context or {})["worker"]) == ("succeeded", "0@here")
