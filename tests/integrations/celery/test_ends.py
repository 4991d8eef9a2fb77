"""Ends that no task tells of: processes that die, and such as are ended, which must be the right ones."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from headway.client import Row
from tests.examples.site import until
from tests.integrations.celery.conftest import Pools
from tests.integrations.celery.workers import Shop, moment, worker


def sent(task: Any, *args: Any, queue: str = "prefork") -> Any:
    return task.apply_async(args, queue=queue)


@pytest.fixture(scope="module", autouse=True)
def left_behind(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a task whose worker has died; first of all, for a lease takes its time."""
    environment = {**shop.environment, "SHOP_QUEUE": "dying"}
    with worker(tmp_path_factory.mktemp("dying"), environment, "-P", "prefork", "-c", "1"):
        name = moment()
        result = sent(shop.app.nap, 60, name, queue="dying")
        shop.noted(name)
        shop.live(shop.row(result.id).uuid, subtitle="")
    return str(result.id)


def test_a_pool_process_that_is_killed_loses_its_task(shop: Shop, pools: Pools) -> None:
    pools("prefork")
    name = moment()
    result = sent(shop.app.nap, 30, name)
    os.kill(shop.noted(name), signal.SIGKILL)
    ended = shop.ended(result.id)
    assert (ended.state, ended.cancel_requested) == ("lost", False)
    assert "SIGKILL" in (ended.error or "")


def test_what_celery_terminates_is_cancelled_and_on_record_as_such(shop: Shop, pools: Pools) -> None:
    pools("prefork")
    name = moment()
    result = sent(shop.app.nap, 30, name)
    shop.noted(name)
    result.revoke(terminate=True)
    ended = shop.ended(result.id)
    assert (ended.state, ended.cancel_requested) == ("cancelled", True)


@pytest.mark.parametrize("where", [{"queue": "prefork", "countdown": 600}, {"queue": "nowhere"}])
def test_what_celery_revokes_is_cancelled_while_it_waits(shop: Shop, pools: Pools, where: dict[str, Any]) -> None:
    """In a worker until its time has come, and in a queue that nobody serves."""
    (one,) = pools("prefork")
    result = shop.app.nap.apply_async((0,), **where)
    shop.row(result.id)
    if "countdown" in where:
        until(lambda: f"{result.id}] received" in one.log.read_text())
    result.revoke()
    ended = shop.ended(result.id)
    assert (ended.state, ended.cancel_requested) == ("cancelled", True)


def test_a_whole_that_is_cancelled_takes_its_parts_with_it(shop: Shop, pools: Pools) -> None:
    from celery import group  # type: ignore[import-untyped]

    pools("prefork")
    names = [moment() for _ in range(4)]
    result = group(shop.app.nap.s(20, name).set(queue="prefork") for name in names).delay()
    whole = shop.row(result.results[0].id).parent
    assert whole is not None
    until(lambda: len([note for note in shop.notes() if note.split()[0] in names]) == 2)
    shop.client.activities.cancel(whole)
    assert shop.client.activities.wait(whole, 20).state == "cancelled"
    assert [part.state for part in shop.parts(whole)] == ["cancelled"] * 4
    assert len([note for note in shop.notes() if note.split()[0] in names]) == 2


@pytest.mark.parametrize(("broker", "number"), [("redis", 40), ("filesystem", 6)])
def test_a_cancel_never_meets_the_next_task_of_a_process(shop: Shop, tmp_path: Path, broker: str, number: int) -> None:
    """Tasks as short as the way of a signal. Without an event loop (the transport by files has none) the processes of
    a pool share a lock, so that none is ended: the others would wait for it forever.
    """
    environment = {**shop.environment, "SHOP_QUEUE": broker}
    if broker == "filesystem":
        (tmp_path / "files").mkdir()
        environment |= {
            "SHOP_BROKER": "filesystem://",
            "SHOP_RESULTS": shop.broker,
            "SHOP_FOLDER": str(tmp_path / "files"),
        }
    program = f"from tests.integrations.celery import shop; [print(shop.short.delay().id) for _ in range({number})]"
    with worker(tmp_path, environment, "-P", "prefork", "-c", "2") as short:
        ids = shop.run(program, environment).split()
        asked = cancelled_at_random(shop, ids)
        ended = {id: shop.ended(id) for id in ids}
        log = short.log.read_text()
    assert {(row.state, row.error) for id, row in ended.items() if id not in asked} == {("succeeded", None)}
    assert {row.state for id, row in ended.items() if id in asked} <= {"succeeded", "cancelled"}
    assert ("signal 15 (SIGTERM)" in log) == (broker == "redis")


def cancelled_at_random(shop: Shop, ids: list[str]) -> set[str]:
    """Some of these tasks, when they are about to begin."""
    asked, seen = set[str](), set[str]()
    while rows := [row for row in shop.find_live(app="shop") if place(row)["taskID"] in ids]:
        for row in rows:
            id, where = place(row)["taskID"], place(row)["celery"]
            if id not in seen and "worker" in place(row) and random.random() < 0.3:
                asked.add(id)
                shop.cancel(row.uuid)
                time.sleep(0.05)
            elif where == "running":
                seen.add(id)
    return asked


def place(row: Row) -> Mapping[str, Any]:
    return row.context or {}


def test_without_a_server_tasks_run_unharmed(shop: Shop, tmp_path: Path) -> None:
    environment = {**shop.environment, "SHOP_QUEUE": "alone", "HEADWAY_URL": "http://127.0.0.1:1"}
    program = """
from tests.integrations.celery import shop
results = [shop.add.delay(1, 2), (shop.add.s(1) | shop.add.s(2)).delay(), shop.count.delay(3)]
print([each.get(timeout=20) for each in results])
"""
    with worker(tmp_path, environment, "-P", "prefork", "-c", "2") as alone:
        assert shop.run(program, environment) == "[3, 3, 3]\n"
        log = alone.log.read_text()
    said = [line for line in log.splitlines() if "tasks run, and are not shown" in line]
    assert len(said) == 1 and "headway" not in log.replace(said[0], "").lower()


def test_the_tasks_of_a_machine_that_dies_are_lost_when_their_lease_is_over(shop: Shop, left_behind: str) -> None:
    ended = shop.ended(left_behind)
    assert (ended.state, ended.error) == ("lost", "lease_expired")
