"""Both clients and the real server, killed and started again under them: nothing is lost, nothing comes twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from headway.client import Answer, Client, Hooks
from headway.client.exchange import Sendable
from headway.client.live.subscription import Subscription
from headway.core.activity import State
from headway.core.lifecycle import Report
from headway.server.data import ADMIN_TOKEN
from headway.wire.notifications import Notification
from tests.client.both import HANGS, Both, Recorder
from tests.client.scripted_server import eventually
from tests.e2e.serving import Serving

TYPE = "test.work"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting again is not worth waiting for here."""
    monkeypatch.setattr("headway.client.live.subscription.RETRY", 0.1)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path / "data") as serving:
        yield serving


def token(serving: Serving) -> str:
    return (serving.data / ADMIN_TOKEN).read_text().strip()


class Answered(Hooks):
    """Keeps the answers, but of streams."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def after_success(self, request: Sendable, answer: Answer) -> Answer:
        self.answers.append(answer)
        return answer


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> set[Subscription]:
    """The streams that have had their snapshot."""
    found, seen = set[Subscription](), Subscription.seen

    def noted(subscription: Subscription, notification: Notification) -> None:
        seen(subscription, notification)
        found.add(subscription)

    monkeypatch.setattr(Subscription, "seen", noted)
    return found


def crash(serving: Serving) -> None:
    serving.kill()
    serving.start()


@pytest.mark.parametrize("transport", ["sse", "websocket"])
def test_a_server_that_crashes_again_and_again_loses_and_doubles_nothing(
    serving: Serving, begun: set[Subscription], transport: str
) -> None:
    key = token(serving)
    with ExitStack() as stack:
        worker = stack.enter_context(Client(serving.url, key))
        log = Answered()
        clients = [stack.enter_context(Both(driver, serving.url, key, hooks=[log])) for driver in ("sync", "async")]
        early = [worker.activities.create(TYPE).uuid for _ in range(3)]
        watchers = [stack.enter_context(Recorder(both.watch(transport=transport))) for both in clients]
        followers = [stack.enter_context(Recorder(both.follow(early[0]))) for both in clients]
        waits = [both.begin(lambda client: client.activities.wait(early[0])) for both in clients]
        waits_for_all = [both.begin(lambda client: client.activities.wait(type=TYPE)) for both in clients]
        eventually(lambda: len(log.answers) == len(waits))  # without a first answer, to wait is an error
        eventually(lambda: len(begun) == len([*watchers, *followers, *waits_for_all]))

        crash(serving)
        late = [worker.activities.create(TYPE).uuid for _ in range(3)]
        worker.activities.report(early[0], Report(progress=50.0))
        worker.activities.finish(early[1], State.FAILED, error="because")
        worker.activities.finish(late[0], State.SUCCEEDED)
        crash(serving)
        for watcher in watchers:
            eventually(lambda watcher=watcher: watcher.life(early[1]) == ["there", "ended"])  # type: ignore[misc]
        worker.activities.finish(early[0], State.SUCCEEDED)
        crash(serving)
        for uuid in (early[2], *late[1:]):
            worker.activities.finish(uuid, State.SUCCEEDED)

        for watcher in watchers:
            eventually(lambda watcher=watcher: watcher.life(late[2])[-1:] == ["ended"])  # type: ignore[misc]
            eventually(lambda watcher=watcher: not list(watcher.replica))  # type: ignore[misc]
            assert [watcher.life(uuid) for uuid in early] == [["there", "ended"]] * 3
            assert [watcher.life(uuid) for uuid in late] == [["started", "ended"]] * 3
            assert (watcher.last(early[1]).state, watcher.last(early[1]).error) == ("failed", "because")
            assert watcher.last(early[0]).state == "succeeded"
        for follower in followers:
            eventually(lambda follower=follower: "ended" in follower.life(early[0]))  # type: ignore[misc]
            assert follower.life(early[0]) == ["there", "ended"]
        assert [wait.result(HANGS).state for wait in waits] == ["succeeded"] * 2
        for waited in waits_for_all:
            states = {row.uuid: row.state for row in waited.result(HANGS)}
            assert (states[early[0]], states[early[2]]) == ("succeeded", "succeeded")
            assert "running" not in states.values()


def test_what_ended_while_the_client_was_away_is_told_when_it_returns(serving: Serving) -> None:
    """By a cursor that one client gave, and another resumes from."""
    key = token(serving)
    with Client(serving.url, key) as client:
        first = client.activities.create(TYPE).uuid
        cursor = client.activities.list().cursor
        second = client.activities.create(TYPE).uuid
        client.activities.finish(first, State.SUCCEEDED)
        crash(serving)
        for driver in ("sync", "async"):
            with Both(driver, serving.url, key) as both:
                found = both.watch(since=cursor).first(2)
                assert sorted(found) == sorted([("started", [second]), ("ended", [first])])
        client.activities.finish(second, State.SUCCEEDED)
        for row in client.activities.history().rows:
            assert row.state == "succeeded"
