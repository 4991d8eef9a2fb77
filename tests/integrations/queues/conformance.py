"""One suite for all libraries: what each can do, tried with real workers.

All libraries at once, for most of its time is theirs. Each check tells in a word what it has found, and raises where
that is nothing to be told.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from headway.client import NotFound
from tests.e2e.serving import Serving
from tests.examples.site import until
from tests.integrations.queues.shops import LIBRARIES, Shop, shops

YES, STOPPED, OVERDUE, CANCELLED, LOST, NONE = "yes", "stopped", "overdue", "cancelled", "lost", "—"
OWNER = 7
LONG, LONGER = 3.0, {"celery": 7.0}
"""Seconds that a task takes which does not look, and is to stop: more than its grace, and more than it takes Celery to
notice that a process of its pool has ended.
"""
EARLY = 0.5
"""Seconds before that time at which a task has ended that was stopped."""

Check = Callable[[Shop], str]
Outcome = str | Exception


class Phase(NamedTuple):
    """Checks that each library goes through in order, once all are ready for it."""

    checks: Mapping[str, Check]
    before: Callable[[Serving], None] = lambda _: None


def rest(shop: Shop) -> str:
    """The task of a library that takes a while."""
    return "rest" if shop.library == "arq" else "nap"


# Before anybody works


def is_shown_in_the_queue(shop: Shop) -> str:
    """It is published, and there is a record of it before a worker knows of it."""
    row = shop.row(shop.publish(rest(shop), 0, "waiting", owner=OWNER).id)
    assert (row.subtitle, row.progress, row.state, row.user) == ("queued", -1, "running", OWNER)
    return YES


def never_runs(shop: Shop) -> str:
    """It is cancelled before there is a worker, and other tasks do run."""
    uuid = shop.row(shop.publish(rest(shop), 0, "never").id).uuid
    shop.client.activities.cancel(uuid)
    shop.start_workers()
    assert shop.ended(uuid).state == "cancelled"
    until(lambda: shop.runs("waiting"))
    assert shop.ended(shop.row(shop.publish("short").id).uuid).state == "succeeded"
    assert shop.runs("never") == []
    return YES


# At work


def tells_its_progress(shop: Shop) -> str:
    """By ``headway.current()``; at the end it has succeeded."""
    uuid = shop.row(shop.publish("report", 40, "go").id).uuid
    shop.live(uuid, progress=40, subtitle="in the middle", state="running")
    shop.book.rpush("go", "on")
    ended = shop.ended(uuid)
    assert (ended.state, ended.progress) == ("succeeded", 100)
    return YES


def says_why_it_failed(shop: Shop) -> str:
    """In the words of its exception."""
    ended = shop.ended(shop.row(shop.publish("fail").id).uuid)
    assert (ended.state, ended.error) == ("failed", "ValueError: no such film")
    return YES


def stays_itself_when_retried(shop: Shop) -> str:
    """It runs twice, under one activity."""
    id = shop.publish("once", "once").id
    assert shop.ended(shop.row(id).uuid).state == "succeeded"
    assert (len(shop.rows(taskID=id)), len(shop.runs("once"))) == (1, 2)
    return YES


def has_its_parts_below_it(shop: Shop) -> str:
    """What a task publishes is a part of it, for the same user, and ends first."""
    ended = shop.ended(shop.row(shop.publish("order", 0.2, "part", owner=OWNER).id).uuid)
    (part,) = shop.client.activities.history(parent=ended.uuid).rows
    assert (ended.state, part.state, ended.user, part.user) == ("succeeded", "succeeded", OWNER, OWNER)
    assert 0 < (part.ended_at or 0) <= (ended.ended_at or 0)
    return YES


def stops_where_it_looks(shop: Shop) -> str:
    """A function that asks whether it is to stop."""
    uuid = shop.row(shop.publish("look", 20).id).uuid
    shop.live(uuid, subtitle="")
    shop.client.activities.cancel(uuid)
    ended = shop.ended(uuid)
    assert ended.state == "cancelled", ended
    return STOPPED


def stops(task: str, *without: str) -> Check:
    """One that does not look: it is stopped before its time, or it is overdue, and says so. ``without``: libraries that
    have no such tasks.
    """

    def check(shop: Shop) -> str:
        if shop.library in without:
            return NONE
        for longer in (1, 4, 16):  # on a busy machine it may be over before it is overdue
            if found := _stopped(shop, task, longer * LONGER.get(shop.library, LONG)):
                return found
        raise AssertionError("it was never overdue")

    return check


def _stopped(shop: Shop, task: str, seconds: float) -> str | None:
    """What is found with a task of that length; None where it has ended too soon to tell."""
    name = f"{task} {seconds}"
    uuid = shop.row(shop.publish(task, seconds, name).id).uuid
    until(lambda: shop.runs(name))
    shop.client.activities.cancel(uuid)
    until(lambda: (row := shop.client.activities.get(uuid)).overdue or row.ended_at is not None)
    overdue, ended = shop.client.activities.get(uuid).overdue, shop.ended(uuid)
    assert ended.cancel_requested and ended.state in ("succeeded", "cancelled"), ended
    if ended.state == "cancelled" and (ended.ended_at or 0) < shop.began(name) + seconds - EARLY:
        return STOPPED
    return OVERDUE if overdue else None


def is_stopped_by_the_library(shop: Shop) -> str:
    """By its own command, of which Headway knows nothing before."""
    if shop.library in ("taskiq", "dramatiq"):
        return NONE
    published = shop.publish(rest(shop), 60, "stopped")
    uuid = shop.row(published.id).uuid
    until(lambda: shop.runs("stopped"))
    shop.live(uuid, subtitle="")
    shop.stop(published.id)
    ended = shop.ended(uuid)
    assert (ended.state, ended.cancel_requested) == ("cancelled", True), ended
    return CANCELLED


def is_lost_with_its_process(shop: Shop) -> str:
    """One that has it to itself, and whose worker goes on."""
    if shop.library not in ("celery", "rq"):
        return NONE
    uuid = shop.row(shop.publish("nap", 60, "killed").id).uuid
    (process,) = until(lambda: shop.runs("killed"))
    shop.live(uuid, subtitle="")
    os.kill(process, signal.SIGKILL)
    ended = shop.ended(uuid)
    assert ended.state == "lost" and ended.error not in (None, "lease_expired"), ended
    return LOST


def meets_no_other_task(shop: Shop) -> str:
    """Each second one of many short ones is cancelled while it begins, runs or ends."""
    ids = [shop.publish("short").id for _ in range(12)]
    uuids = [shop.row(id).uuid for id in ids]
    for number, uuid in enumerate(uuids[::2]):
        time.sleep(0.01 * number)
        with suppress(NotFound):  # it has ended
            shop.client.activities.cancel(uuid)
    ends = {shop.ended(uuid).state for uuid in uuids[::2]}
    assert ends <= {"cancelled", "succeeded"}, ends
    assert {shop.ended(uuid).state for uuid in uuids[1::2]} == {"succeeded"}
    return YES


# Without a server, and when it is back

AWAY = "are not shown until this changes"


def runs_without_a_server(shop: Shop) -> str:
    """Publishing is not delayed, the task runs, and a line in the log tells of it."""
    published = shop.publish(rest(shop), 0, "unseen")
    assert published.seconds < 2.0
    until(lambda: shop.runs("unseen"))
    until(lambda: AWAY in shop.log.read_text())
    shop.unseen = published.id
    return YES


def is_shown_when_it_is_back(shop: Shop) -> str:
    """Once the server is."""
    assert shop.ended(shop.row(shop.unseen).uuid).state == "succeeded"
    lines = shop.log.read_text().count(AWAY)
    assert 1 <= lines <= 3, "one for each process"
    return YES


# At last


def is_lost_with_its_worker(shop: Shop) -> str:
    """All of its processes are killed."""
    uuid = shop.row(shop.publish(rest(shop), 60, "last").id).uuid
    (process,) = until(lambda: shop.runs("last"))
    shop.live(uuid, subtitle="")
    shop.kill_workers()
    with suppress(ProcessLookupError):  # RQ's work horse has a group of its own
        os.kill(process, signal.SIGKILL)
    assert shop.ended(uuid).state == "lost"
    return LOST


PHASES: Sequence[Phase] = (
    Phase(
        {
            "is shown while it waits in the queue": is_shown_in_the_queue,
            "never runs when cancelled before it began": never_runs,
            "tells its progress and its success": tells_its_progress,
            "that failed says why": says_why_it_failed,
            "that is tried again is the same activity": stays_itself_when_retried,
            "has what it publishes below it, for its owner": has_its_parts_below_it,
            "that looks, when cancelled": stops_where_it_looks,
            "in a loop that does not look, when cancelled": stops("spin", "arq"),
            "in one long call, when cancelled": stops("nap", "arq"),
            "that is a coroutine, when cancelled": stops("rest", "celery"),
            "is met by no cancel of another": meets_no_other_task,
            "that the library itself stops": is_stopped_by_the_library,
            "whose process in a pool is killed": is_lost_with_its_process,
        }
    ),
    Phase({"runs without a server, published without delay": runs_without_a_server}, Serving.kill),
    Phase({"is shown when the server is back": is_shown_when_it_is_back}, Serving.start),
    Phase({"whose worker is killed": is_lost_with_its_worker}),
)
CAPABILITIES = tuple(name for phase in PHASES for name in phase.checks)


def outcomes(folder: Path, libraries: Sequence[str] = LIBRARIES) -> dict[tuple[str, str], Outcome]:
    """By library and capability."""
    found: dict[tuple[str, str], Outcome] = {}
    with shops(folder, libraries) as (server, made), ThreadPoolExecutor(max(1, len(libraries))) as threads:
        for phase in PHASES:
            phase.before(server)
            for library, checked in zip(made, threads.map(_checked, made.values(), repeat(phase.checks)), strict=True):
                found |= {(library, name): outcome for name, outcome in checked.items()}
    return found


def _checked(shop: Shop, checks: Mapping[str, Check]) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for name, check in checks.items():
        try:
            found[name] = check(shop)
        except Exception as error:  # told by the test of that name
            found[name] = error
    return found
