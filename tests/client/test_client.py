"""The client for programs that block."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from headway.client import NO_RETRIES, AsyncClient, Client
from headway.client.errors import Unreachable
from headway.client.options import CallOptions
from headway.core.activity import State
from headway.core.errors import HeadwayError, NotAuthenticated, NotFound
from headway.core.lifecycle import Report
from headway.core.view import Kind
from headway.wire import sse
from headway.wire.errors import Unreadable
from headway.wire.notifications import ActivityNotification, Notification
from tests.client.scripted_server import (
    OTHER,
    UUID,
    Asked,
    Drop,
    Reply,
    ScriptedServer,
    free_port,
    html,
    listed,
    refused,
    row,
)
from tests.client.streams import STREAM, event, snapshot, told


def in_turn(*replies: Reply | Drop | Callable[[Asked], Reply]) -> Callable[[Asked], Reply | Drop]:
    """Each request gets the next reply, the last one for ever."""
    waiting = list(replies)

    def script(asked: Asked) -> Reply | Drop:
        reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return reply(asked) if callable(reply) else reply

    return script


def first(count: int, notifications: Iterator[Notification]) -> list[tuple[str, list[str]]]:
    return [told(next(notifications)) for _ in range(count)]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting again is not worth waiting for here."""
    monkeypatch.setattr("headway.client.live.subscription.RETRY", 0.01)


def test_each_resource_is_asked_for_as_the_protocol_has_it() -> None:
    with ScriptedServer(lambda asked: listed(row())) as server, Client(server.url, "t") as client:
        client.activities.list(type="a.b", state=State.RUNNING)
        client.activities.get(UUID)
        client.activities.history(limit=3, before="c")
        client.activities.create("a.b", key="k", cancellable=True)
        client.activities.report(UUID, Report(progress=5.0))
        client.activities.finish(UUID, State.SUCCEEDED)
        client.activities.cancel(UUID, wait=1.0)
    assert [(asked.method, asked.path, asked.query) for asked in server.asked] == [
        ("GET", "/activities", {"type": "a.b", "state": "running"}),
        ("GET", f"/activities/{UUID}", {}),
        ("GET", "/activities/history", {"limit": "3", "before": "c"}),
        ("POST", "/activities", {}),
        ("PATCH", f"/activities/{UUID}", {}),
        ("PATCH", f"/activities/{UUID}", {}),
        ("DELETE", f"/activities/{UUID}", {"wait": "1"}),
    ]


def test_the_names_of_the_generated_clients_take_their_options() -> None:
    options: CallOptions = {"http_headers": {"X-Called": "1"}, "timeout_ms": 5_000, "retries": NO_RETRIES}
    with ScriptedServer(lambda asked: listed(row())) as elsewhere, Client("http://127.0.0.1:1", "t0k3n") as client:
        options["server_url"] = elsewhere.url
        activities = client.activities
        assert activities.list_activities(**options) == activities.get_server_activities(**options)
        assert activities.cancel_activity(activity_id=UUID, **options).state is None
        assert activities.cancel_server_activities(activity_uuid=UUID, **options).state is None
        with pytest.raises(TypeError, match="timeout"):
            activities.get_server_activities(timeout=5)  # type: ignore[call-arg]
    paths = [("GET", "/activities")] * 2 + [("DELETE", f"/activities/{UUID}")] * 2
    assert [(asked.method, asked.path) for asked in elsewhere.asked] == paths
    assert [(asked.headers["x-called"], "x-plex-token" in asked.headers) for asked in elsewhere.asked] == [
        ("1", False)
    ] * 4


async def test_so_do_those_on_an_event_loop() -> None:
    options: CallOptions = {"http_headers": {"X-Called": "1"}}
    with ScriptedServer(lambda asked: listed(row())) as server:
        async with AsyncClient(server.url) as client:
            activities = client.activities
            assert await activities.list_activities(**options) == await activities.get_server_activities(**options)
            assert (await activities.cancel_activity(activity_id=UUID, **options)).state is None
            assert (await activities.cancel_server_activities(activity_uuid=UUID, **options)).state is None
    assert [asked.headers["x-called"] for asked in server.asked] == ["1"] * 4


def test_its_jobs_are_reported_over_the_network_that_it_was_told_of() -> None:
    with ScriptedServer(lambda asked: listed(row())) as proxy:
        with Client("http://inside.example:4590", proxy=proxy.url) as client, client.activities.start("a.b"):
            pass
        assert proxy.asked_for("POST")[0].headers["host"] == "inside.example:4590"


async def test_so_are_those_of_an_event_loop() -> None:
    with ScriptedServer(lambda asked: listed(row())) as proxy:
        async with AsyncClient("http://inside.example:4590", proxy=proxy.url) as client:
            with client.activities.start("a.b"):
                pass
        assert proxy.asked_for("POST")[0].headers["host"] == "inside.example:4590"


def test_once_closed_it_asks_nobody_any_more() -> None:
    with ScriptedServer(lambda asked: listed()) as server:
        with Client(server.url) as client:
            client.activities.list()
        with pytest.raises(Unreachable, match="the client is closed"):
            client.activities.list()


def test_its_repr_does_not_show_the_token() -> None:
    with Client("http://localhost:1", "s3cret") as client:
        assert "s3cret" not in repr(client) + repr(vars(client))


def test_what_the_server_says_of_itself() -> None:
    identity = {"MediaContainer": {"size": 0, "claimed": True, "machineIdentifier": "a" * 40, "version": "1.2"}}
    reply = Reply(200, json.dumps(identity).encode(), {"Content-Type": "application/json"})
    with ScriptedServer(lambda asked: reply) as server, Client(server.url) as client:
        assert client.identity().version == "1.2"


class TestWait:
    def test_it_returns_when_the_activity_has_ended(self) -> None:
        script = in_turn(listed(row()), listed(row(state="cancelling")), listed(row(state="cancelled")))
        with ScriptedServer(script) as server, Client(server.url) as client:
            assert client.activities.wait(UUID).state == "cancelled"
        assert [asked.query.get("state") for asked in server.asked] == [None, "running", "cancelling"]

    def test_it_survives_a_server_that_is_away_for_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        script = in_turn(listed(row()), Drop(), refused(503, "unavailable"), html(200), listed(row(state="succeeded")))
        with ScriptedServer(script) as server, Client(server.url) as client:
            assert client.activities.wait(UUID).state == "succeeded"

    def test_a_time_limit_gives_the_state_it_was_in(self) -> None:
        with ScriptedServer(lambda asked: listed(row())) as server, Client(server.url) as client:
            assert client.activities.wait(UUID, timeout=0.05).state == "running"

    def test_no_server_at_all_is_an_error(self) -> None:
        with Client(f"http://127.0.0.1:{free_port()}") as client, pytest.raises(Unreachable):
            client.activities.wait(UUID)

    def test_so_is_an_activity_that_nobody_knows(self) -> None:
        with (
            ScriptedServer(lambda asked: refused(404, "not_found")) as server,
            Client(server.url) as client,
            pytest.raises(NotFound),
        ):
            client.activities.wait(UUID)


class TestWatch:
    def test_first_what_is_there_then_what_happens(self) -> None:
        stream = Reply(200, [snapshot("c1", row()), sse.ping("c1"), event(Kind.ENDED, "c2", state="failed")], STREAM)
        with ScriptedServer(lambda asked: stream) as server, Client(server.url) as client:
            assert first(2, client.activities.watch()) == [("snapshot", [UUID]), ("ended", [UUID])]

    def test_a_lost_connection_is_resumed_after_what_was_seen(self) -> None:
        script = in_turn(
            Reply(200, [snapshot("c1"), event(Kind.STARTED, "c2")], STREAM),
            refused(503, "unavailable"),
            Drop(),
            Reply(200, [event(Kind.ENDED, "c3")], STREAM),
        )
        with ScriptedServer(script) as server, Client(server.url) as client:
            assert first(3, client.activities.watch()) == [("snapshot", []), ("started", [UUID]), ("ended", [UUID])]
        assert [asked.query.get("since") for asked in server.asked] == [None, "c2", "c2", "c2"]

    def test_a_ping_moves_the_cursor_on(self) -> None:
        script = in_turn(
            Reply(200, [snapshot("c1"), sse.ping("c9")], STREAM), Reply(200, [event(Kind.STARTED, "c10")], STREAM)
        )
        with ScriptedServer(script) as server, Client(server.url) as client:
            first(2, client.activities.watch())
        assert server.asked[1].query["since"] == "c9"

    def test_after_a_gap_nothing_that_ended_unseen_is_missed(self) -> None:
        def script(asked: Asked) -> Reply:
            if asked.path.endswith(UUID):
                return listed(row(state="succeeded", progress=100))
            if "since" in asked.query:
                return Reply(200, [sse.resync(sse.ResyncReason.EXPIRED), snapshot("n1", row(OTHER))], STREAM)
            return Reply(200, [snapshot("c1", row())], STREAM)

        with ScriptedServer(script) as server, Client(server.url) as client:
            watch = client.activities.watch()
            assert told(next(watch)) == ("snapshot", [UUID])
            ended = next(watch)
            assert isinstance(ended, ActivityNotification)
            assert (ended.kind, ended.row.state) == (Kind.ENDED, "succeeded")
            assert told(next(watch)) == ("snapshot", [OTHER])

    def test_an_end_that_nobody_remembers_is_told_as_it_was_last_seen(self) -> None:
        def script(asked: Asked) -> Reply:
            if asked.path.endswith(UUID):
                return refused(404, "not_found")
            rows = [row()] if len(server.asked) == 1 else []
            return Reply(200, [snapshot("c", *rows)], STREAM)

        with ScriptedServer(script) as server, Client(server.url) as client:
            assert first(3, client.activities.watch()) == [("snapshot", [UUID]), ("ended", [UUID]), ("snapshot", [])]

    def test_what_a_snapshot_does_not_know_yet_has_not_ended(self) -> None:
        def script(asked: Asked) -> Reply:
            if asked.path.endswith(UUID):
                return listed(row(progress=7))
            frames = [snapshot("c", row())] if len(server.asked) == 1 else [snapshot("n"), event(Kind.UPDATED, "n2")]
            return Reply(200, frames, STREAM)

        with ScriptedServer(script) as server, Client(server.url) as client:
            watch = client.activities.watch()
            assert first(3, watch) == [("snapshot", [UUID]), ("snapshot", []), ("updated", [UUID])]
            assert [each.uuid for each in watch.replica] == [UUID]

    def test_an_end_is_not_told_before_anybody_knows_of_it(self) -> None:
        def script(asked: Asked) -> Reply:
            if not asked.path.endswith(UUID):
                return Reply(200, [snapshot("c", *([row()] if len(server.asked) == 1 else []))], STREAM)
            away = len(server.asked_for("GET", asked.path)) == 1
            return refused(500, "internal") if away else listed(row(state="failed"))

        with ScriptedServer(script) as server, Client(server.url) as client:
            assert first(3, client.activities.watch()) == [("snapshot", [UUID]), ("ended", [UUID]), ("snapshot", [])]

    def test_the_state_of_the_connection_is_told(self) -> None:
        heard: list[HeadwayError | None] = []
        with (
            ScriptedServer(in_turn(Drop(), Reply(200, [snapshot("c1")], STREAM))) as server,
            Client(server.url) as client,
        ):
            next(client.activities.watch(on_connection=heard.append))
        assert [type(error) for error in heard] == [Unreachable, type(None)]

    def test_what_trying_again_cannot_mend_is_raised(self) -> None:
        with (
            ScriptedServer(lambda asked: refused(401, "not_authenticated")) as server,
            Client(server.url) as client,
            pytest.raises(NotAuthenticated),
        ):
            next(client.activities.watch())

    def test_a_page_in_place_of_a_stream_is_raised(self) -> None:
        with ScriptedServer(lambda asked: html(200)) as server, Client(server.url) as client, pytest.raises(Unreadable):
            next(client.activities.watch())

    def test_a_stream_of_garbage_is_dropped_and_opened_again(self) -> None:
        script = in_turn(
            Reply(200, [snapshot("c1"), b"event: activity\ndata: {]\n\n"], STREAM),
            Reply(200, [event(Kind.STARTED, "c2")], STREAM),
        )
        with ScriptedServer(script) as server, Client(server.url) as client:
            assert first(2, client.activities.watch()) == [("snapshot", []), ("started", [UUID])]

    def test_a_half_dead_connection_is_noticed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("headway.client.live.subscription.SILENCE", 0.1)

        def silent() -> Iterator[bytes]:
            yield snapshot("c1")
            time.sleep(30)

        script = in_turn(Reply(200, silent(), STREAM), Reply(200, [event(Kind.STARTED, "c2")], STREAM))
        with ScriptedServer(script) as server, Client(server.url) as client:
            assert first(2, client.activities.watch())[1] == ("started", [UUID])
