"""What becomes of tasks in each kind of pool: the same, but for how a running one is stopped."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import pytest

from tests.examples.site import ROOT, until
from tests.integrations.celery.conftest import Pools
from tests.integrations.celery.workers import Shop, free_of, moment

COLUMNS = ["prefork", "threads", "gevent", "solo"]
KINDS = ["prefork", "threads", *(["gevent"] if find_spec("gevent") else []), "solo"]


FOUND: dict[str, dict[str, str]] = {}
"""What the tests here have found, by line and column of the table in docs/celery.md."""

Check = Callable[[Shop, str], str | None]


def in_each_pool(line: str) -> Callable[[Check], Callable[[Shop, Pools], None]]:
    """A test that is made in all of them at once: most of its time is a task's. It says in a word what it has found."""

    def testing(check: Check) -> Callable[[Shop, Pools], None]:
        def test(shop: Shop, pools: Pools) -> None:
            pools(*KINDS)
            with ThreadPoolExecutor(len(KINDS)) as threads:
                made = {kind: threads.submit(check, shop, kind) for kind in KINDS}
            for kind, done in made.items():
                if (error := done.exception()) is not None:
                    error.add_note(f"in a pool of {kind}")
                    raise error
            FOUND[line] = {kind: done.result() or "yes" for kind, done in made.items()}

        functools.update_wrapper(test, check)
        del test.__wrapped__  # type: ignore[attr-defined]
        return test

    return testing


def sent(task: Any, kind: str, *args: Any) -> Any:
    return task.apply_async(args, queue=kind)


def test_gevent_is_among_them() -> None:
    pytest.importorskip("gevent", reason="gevent is not installed: its pool is left out")
    assert "gevent" in KINDS


@in_each_pool("tells its progress by `current()`")
def test_a_task_tells_its_progress_by_the_reporter(shop: Shop, kind: str) -> None:
    release = moment()
    result = sent(shop.app.report, kind, 40, release)
    row = shop.row(result.id)
    assert row.user == 2
    shop.live(row.uuid, progress=40, subtitle="in the middle", state="running")
    shop.release(release)
    ended = shop.ended(result.id)
    assert (ended.uuid, ended.state, ended.progress, ended.type) == (
        row.uuid,
        "succeeded",
        100,
        f"{shop.app.__name__}.report",
    )
    until(lambda: result.state == "SUCCESS")


@in_each_pool("tells its progress by `update_state`")
def test_and_by_update_state(shop: Shop, kind: str) -> None:
    result = sent(shop.app.count, kind, 20)
    uuid = shop.row(result.id).uuid
    until(lambda: (shop.client.activities.get(uuid).completed or 0) > 0)
    ended = shop.ended(result.id)
    assert (ended.completed, ended.total, ended.subtitle, ended.state) == (20, 20, "film 19", "succeeded")


@in_each_pool("that failed says why")
def test_a_failure_says_why(shop: Shop, kind: str) -> None:
    ended = shop.ended(sent(shop.app.fail, kind).id)
    assert (ended.state, ended.error) == ("failed", "ValueError: no such film")


@in_each_pool("that is tried again is the same activity")
def test_a_retry_is_the_same_activity(shop: Shop, kind: str) -> None:
    result = sent(shop.app.retry, kind, 1, 0.2)
    uuid = shop.row(result.id).uuid
    ended = shop.ended(result.id)
    assert (ended.uuid, ended.state, (ended.context or {})["retries"]) == (uuid, "succeeded", "1")
    assert len(shop.find(taskID=result.id)) == 1


@in_each_pool("that waits to be tried again, when cancelled")
def test_a_task_that_waits_to_be_tried_again_says_so_and_is_cancelled(shop: Shop, kind: str) -> str:
    result = sent(shop.app.retry, kind, 1, 60)
    uuid = shop.row(result.id).uuid
    shop.live(uuid, subtitle="retry 1 of 3: not yet", state="running")
    assert shop.client.activities.cancel(uuid, wait=10).state == "cancelled"
    return "stopped"  # Celery itself says so once its time has come


@in_each_pool("never runs when cancelled before it began")
def test_what_is_cancelled_before_it_begins_never_runs(shop: Shop, kind: str) -> None:
    """By Celery's own revoke, and by a cancel at Headway."""
    holds, names = [moment(), moment()], [moment(), moment()]
    busy = [sent(shop.app.hold, kind, name) for name in holds]
    waiting, other = [sent(shop.app.nap, kind, 0, name) for name in names]
    waiting.revoke()
    shop.client.activities.cancel(shop.row(other.id).uuid)
    if kind == "solo":  # it takes up nothing while a task runs, and answers nobody
        assert shop.ended(other.id).state == "cancelled"
    else:
        until(lambda: {waiting.id, other.id} <= shop.revoked())
    for name in holds:
        shop.release(name)
    assert [shop.ended(each.id).state for each in (waiting, other)] == ["cancelled", "cancelled"]
    assert [shop.ended(each.id).state for each in busy] == ["succeeded", "succeeded"]
    until(lambda: (waiting.state, other.state) == ("REVOKED", "REVOKED"))
    assert not {*names} & {note.split()[0] for note in shop.notes()}


@in_each_pool("that looks, when cancelled")
def test_a_task_that_looks_is_stopped_in_any_pool(shop: Shop, kind: str) -> str:
    result = sent(shop.app.look, kind, 20)
    uuid = shop.row(result.id).uuid
    shop.live(uuid, subtitle="")
    assert shop.client.activities.cancel(uuid, wait=10).state == "cancelled"
    until(lambda: result.state == "REVOKED")
    return "stopped"


@in_each_pool("in a chain is a part of a whole")
def test_a_chain_is_one_tree(shop: Shop, kind: str) -> None:
    add = shop.app.add
    result = (add.s(1, 2).set(queue=kind) | add.s(3).set(queue=kind) | add.s(4).set(queue=kind)).delay()
    whole = shop.whole(result.id)
    assert (whole.type, whole.title, whole.state, whole.progress, whole.user) == (
        "celery.chain",
        "add → add → add",
        "succeeded",
        100,
        2,
    )
    parts = shop.parts(whole.uuid)
    assert [part.state for part in parts] == ["succeeded"] * 3
    assert max(part.ended_at or 0 for part in parts) <= (whole.ended_at or 0)
    assert result.result == 10


@in_each_pool("that follows one that failed is told not to have run")
def test_what_follows_a_failure_is_told_not_to_have_run(shop: Shop, kind: str) -> None:
    fail, add = shop.app.fail, shop.app.add
    result = (fail.s().set(queue=kind) | add.s(3).set(queue=kind)).delay()
    whole = shop.whole(result.id)
    assert (whole.state, whole.error) == ("failed", f"{shop.app.__name__}.fail: ValueError: no such film")
    errors = {part.error for part in shop.parts(whole.uuid)}
    assert errors == {"ValueError: no such film", f"did not run: {shop.app.__name__}.fail has failed"}


@in_each_pool("in a group is a part of a whole")
def test_a_group_is_one_tree(shop: Shop, kind: str) -> None:
    from celery import group  # type: ignore[import-untyped]

    result = group(shop.app.add.s(number).set(queue=kind) for number in range(5)).delay()
    whole = shop.whole(result.results[0].id)
    assert (whole.type, whole.state, len(shop.parts(whole.uuid))) == ("celery.group", "succeeded", 5)


@in_each_pool("in a chord is a part of a whole, and so is its body")
def test_a_chord_is_one_tree_with_its_body(shop: Shop, kind: str) -> None:
    from celery import chord

    header = [shop.app.add.s(number).set(queue=kind) for number in range(3)]
    result = chord(header, shop.app.add.s().set(queue=kind)).delay()
    whole = shop.whole(result.id)
    assert (whole.type, whole.state, len(shop.parts(whole.uuid))) == ("celery.chord", "succeeded", 4)
    assert result.result == 3


@in_each_pool("ends after what it has published, which is for its owner")
def test_a_task_ends_after_what_it_has_started(shop: Shop, kind: str) -> None:
    result = sent(shop.app.order, kind, 0.3)
    ended = shop.ended(result.id)
    (part,) = shop.parts(ended.uuid)
    assert (ended.state, part.state, part.user) == ("succeeded", "succeeded", 2)
    assert 0 < (part.ended_at or 0) <= (ended.ended_at or 0)


@in_each_pool("that does not look, when cancelled")
def test_a_running_task_that_does_not_look(shop: Shop, kind: str) -> str:
    """In a pool of processes it is ended, and elsewhere it is overdue, which is said, until it ends by itself."""
    name = moment()
    result = sent(shop.app.hold, kind, name)
    process = shop.noted(name)
    uuid = shop.row(result.id).uuid
    shop.client.activities.cancel(uuid)
    if kind == "prefork":
        assert shop.ended(result.id).state == "cancelled"
        until(lambda: free_of(process))
        until(lambda: result.state == "REVOKED")
        return "stopped"
    shop.live(uuid, state="cancelling", overdue=True)
    shop.release(name)
    ended = shop.ended(result.id)
    assert (ended.state, ended.cancel_requested) == ("succeeded", True)
    return "overdue"


def test_the_page_tells_what_was_found() -> None:
    """Alone it has nothing to compare."""
    page = (ROOT / "docs" / "celery.md").read_text()
    for line, found in FOUND.items():
        (row,) = [row for row in page.splitlines() if row.startswith(f"| {line} |")]
        told = dict(zip(COLUMNS, [cell.strip() for cell in row.split("|")[2:-1]], strict=True))
        assert told | found == told, line
