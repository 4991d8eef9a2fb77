"""What all queues have in common, without any of them."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import headway
from headway import Activities, Principal, Role
from headway.client import Client, Row, State
from headway.core.errors import Cancelled, TooMany
from headway.integrations.lifespan import lifespan
from headway.integrations.queues import link
from headway.integrations.queues.keeper import Fate, Keeper
from headway.integrations.queues.stopping import stoppable
from headway.integrations.queues.ticket import read
from headway.integrations.queues.tracker import Run, Tracker, running
from headway.server import ActivitiesApp
from tests.client.fake_headway import FakeHeadway
from tests.client.scripted_server import Asked, Drop, Hang, Reply, ScriptedServer, free_port
from tests.examples.site import until
from tests.integrations.serving import serving

Make = Callable[..., Tracker]


@pytest.fixture(scope="module")
def activities() -> Activities:
    return Activities("memory:")


@pytest.fixture(scope="module")
def url(activities: Activities) -> Iterator[str]:
    served = ActivitiesApp(activities, lambda _: Principal(1, Role.ADMIN))
    app = Starlette(routes=[Mount("/headway", served)], lifespan=lifespan(activities, served))
    with serving(app) as place:
        yield place + "/headway"


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    with Client(url) as one:
        yield one


@pytest.fixture
def tracker(url: str) -> Iterator[Make]:
    made: list[Tracker] = []

    def make(library: str = "post", **options: Any) -> Tracker:
        made.append(Tracker(library, url=url, grace=1.0, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "headway-tasks"]


def rows(client: Client, id: str) -> list[Row]:
    """Live and ended."""
    context = {"taskID": id}
    live, ended = client.activities.list(context=context).rows, client.activities.history(context=context).rows
    return [*{row.uuid: row for row in (*live, *ended)}.values()]  # one may end in between


def row(client: Client, id: str) -> Row:
    """The only one, once there is one."""
    (found,) = until(lambda: rows(client, id))
    return found  # type: ignore[no-any-return]


def published(tracker: Tracker, id: str, name: str = "send") -> str | None:
    header = tracker.header(name, id)
    tracker.announce(header)
    return header


def begun(tracker: Tracker, id: str, header: object) -> Run:
    run = tracker.begin("send", id, header)
    assert run.may_begin()
    return run


def test_publisher_and_worker_mean_one_activity(tracker: Make, client: Client) -> None:
    publisher, worker = tracker(), tracker()
    header = published(publisher, "one")
    assert row(client, "one").subtitle == "queued"
    begun(worker, "one", header).ended()
    assert client.activities.wait(row(client, "one").uuid, 10.0).state == "succeeded"


def test_what_runs_anew_after_its_end_is_another_activity(tracker: Make, client: Client) -> None:
    worker = tracker()
    header = worker.header("send", "anew")
    for _ in range(2):
        begun(worker, "anew", header).ended()
        until(lambda: all(each.ended_at for each in rows(client, "anew")))
    assert [each.state for each in rows(client, "anew")] == ["succeeded", "succeeded"]


def test_a_part_of_what_has_ended_is_shown_by_itself(tracker: Make, client: Client) -> None:
    worker = tracker()
    whole = begun(worker, "whole", None)
    whole.enter()
    header = worker.header("send", "late")
    whole.exit()
    whole.ended()
    client.activities.wait(whole.job.uuid or "", 10.0)
    begun(worker, "late", header).ended()
    assert row(client, "late").parent is None


def test_a_task_is_for_whom_the_activity_is_that_publishes_it(
    tracker: Make, activities: Activities, client: Client
) -> None:
    publisher = tracker(owner=3)
    with activities.start("request", owner=5) as request:
        ticket = read(publisher.header("send", "owned"))
        assert ticket is not None and (ticket.owner, ticket.parent) == (5, request.uuid)
        run = begun(tracker(), "owned", ticket.header)
        run.ended()
        client.activities.wait(run.job.uuid or "", 10.0)
    assert (row(client, "owned").parent, row(client, "owned").user) == (request.uuid, 5)


def test_what_says_badly_what_to_show_keeps_nothing_from_being_published(tracker: Make) -> None:
    def title(*_: Any) -> str:
        raise ValueError("no such title")

    assert published(tracker(title=title), "bad") is None


def test_only_wanted_tasks_have_a_header(tracker: Make) -> None:
    one = tracker(tasks=["send"])
    assert (one.header("send", "x") is None, one.header("other", "x")) == (False, None)


def test_what_the_library_has_no_more_ends_as_it_says(tracker: Make, client: Client) -> None:
    published(tracker("attic"), "gone")
    published(tracker("attic"), "failed")
    uuids = [row(client, id).uuid for id in ("gone", "failed")]

    def fates(ids: Sequence[str]) -> Mapping[str, Fate]:
        known: dict[str, Fate] = {"gone": (State.CANCELLED, None), "failed": (State.FAILED, "expired")}
        return {id: known[id] for id in ids}

    keeper = Keeper("attic", "attic")
    keeper.fates = fates

    def all_gone() -> bool:
        keeper.look(client)
        return not client.activities.list(context={"app": "attic"}).rows

    until(all_gone)
    ended = [client.activities.get(uuid) for uuid in uuids]
    assert [(each.state, each.error) for each in ended] == [("cancelled", None), ("failed", "expired")]


def test_what_waits_and_is_cancelled_ends_without_a_worker(tracker: Make, client: Client) -> None:
    published(tracker("cellar"), "waits")
    uuid = row(client, "waits").uuid
    client.activities.cancel(uuid)
    keeper = Keeper("cellar", "cellar")

    def over() -> bool:
        keeper.look(client)
        return client.activities.get(uuid).ended_at is not None

    until(over)
    assert client.activities.get(uuid).state == "cancelled"


def test_what_is_tried_again_waits_in_the_queue_and_says_why(tracker: Make, client: Client) -> None:
    worker = tracker()
    run = begun(worker, "back", None)
    run.retried(1, 3, ValueError("not yet"))
    told = row(client, "back")
    until(lambda: (client.activities.get(told.uuid).subtitle) == "retry 1 of 3: ValueError: not yet")
    context = client.activities.get(told.uuid).context or {}
    assert (context["post"], context["returned"], context["retries"]) == ("queued", run.receipt, "1")


def test_what_was_said_before_a_task_is_handed_back_is_never_heard_last() -> None:
    server_knows, heard, go = FakeHeadway(), threading.Event(), threading.Event()

    def slow(asked: Asked) -> Reply | Drop | Hang:
        if asked.method == "PATCH" and b"running" in asked.body:
            heard.set()
            assert go.wait(60)
        return server_knows(asked)

    with ScriptedServer(slow) as server:
        worker = link.Link(server.url, "token")
        job = worker.start("t")
        until(lambda: job.uuid)
        job.report(subtitle="running")
        assert heard.wait(60)
        job.report(context={"worker": "w"})
        worker.hand_back(job, subtitle="queued")
        until(lambda: job.over)
        go.set()
        worker.settle()
        worker.close()
    (row,) = server_knows.rows.values()
    assert (row["subtitle"], row["Context"]["worker"], row.get("state")) == ("queued", "w", "running")


def test_code_knows_its_run(tracker: Make) -> None:
    run = begun(tracker(), "inside", None)
    run.enter()
    assert running() is run
    assert headway.current().uuid == run.job.uuid
    run.exit()
    assert running() is None
    run.ended()


def test_a_coroutine_is_cancelled_and_no_other_of_its_loop(tracker: Make, client: Client) -> None:
    run = begun(tracker(), "stopped", None)

    async def nap() -> None:
        await asyncio.sleep(60)

    async def both() -> Any:
        other = asyncio.create_task(asyncio.sleep(0.3, "slept"))
        client_thread = threading.Thread(target=client.activities.cancel, args=[run.job.uuid])
        client_thread.start()
        with pytest.raises(Cancelled):
            await stoppable(run, nap)
        client_thread.join()
        task = asyncio.current_task()
        assert task is not None and task.cancelling() == 0
        return await other

    assert asyncio.run(both()) == "slept"
    run.ended(Cancelled("stopped"))
    assert client.activities.wait(run.job.uuid or "", 10.0).state == "cancelled"


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_nothing_waits_for_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "TIMEOUT", 1.5)  # in which a program ends that has given up
    with silent() as url:
        one = Tracker("post", url=url)
        began = time.monotonic()
        for number in range(20):
            published(one, f"unheard {number}")
        published_in = time.monotonic() - began
        runs = [begun(one, f"run {number}", None) for number in range(20)]
        ran_in = time.monotonic() - began - published_in
        for run in runs:
            run.ended()
        one.close()
    # If each waited for an answer, it would be 20 seconds and more.
    assert (published_in < 2.0, ran_in < 10.0) == (True, True)


def test_a_server_that_is_away_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    one = Tracker("post", url=f"http://127.0.0.1:{free_port()}")
    with caplog.at_level(logging.WARNING, "headway"):
        for number in range(3):
            published(one, f"unseen {number}")
            begun(one, f"run {number}", None).ended()
        until(lambda: caplog.records)
    one.close()
    assert len([record for record in caplog.records if "are not shown" in record.message]) == 1


def test_what_is_refused_to_some_is_told_of_once(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """As when there are as many activities as may be."""
    one, tries = link.Link(url, None), list[Client]()

    def refused(client: Client) -> bool:
        tries.append(client)
        if len(tries) < 5:
            raise TooMany("1000 activities are live")
        return True

    with caplog.at_level(logging.WARNING, "headway"):
        one.do(refused)
        one.do(lambda client: len(tries) >= 5)  # has nothing against it, and comes between
        until(lambda: len(tries) >= 5)
        one.close()
    assert len([record for record in caplog.records if "are not shown" in record.message]) == 1


def test_what_nobody_understands_is_no_ticket() -> None:
    for header in (None, 3, "", "{}", '{"library":"x","id":"1","key":"k","type":"a b"}'):
        assert read(header) is None
    with suppress(TypeError):
        assert read(b"{}") is None
