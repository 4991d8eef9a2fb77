"""The client for event loops has what the client for threads has: the same names, arguments and answers."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from headway.client import AsyncClient, Client, Result, functions
from headway.client.activities import Activities
from headway.client.async_activities import AsyncActivities
from headway.client.live.watch import AsyncWatch, Watch
from headway.client.plex import AsyncPlex, Plex
from headway.core.activity import State
from headway.core.errors import NotFound
from headway.core.lifecycle import Report
from tests.client.both import DRIVERS, Both
from tests.client.scripted_server import UUID, Reply, ScriptedServer, as_json, free_port, listed, refused, row

PAIRS = [(Client, AsyncClient), (Activities, AsyncActivities), (Plex, AsyncPlex), (Watch, AsyncWatch)]
AT_ONCE = {"with_options", "watch", "follow", "start", "call", "options"}
"""What needs no waiting, and is not awaited."""


def public(kind: type) -> dict[str, Any]:
    """Its own members by their names for threads."""
    members = {name: member for name, member in vars(kind).items() if not name.startswith("_")}
    return {"close" if name == "aclose" else name: member for name, member in members.items()}


def signature(member: Any) -> list[tuple[str, Any, Any, str]]:
    """Names, kinds, defaults and types of the arguments."""
    parameters = inspect.signature(member).parameters.values()
    return [(each.name, each.kind, each.default, str(each.annotation).replace("Async", "")) for each in parameters]


@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_the_names_are_the_same(kind: type, other: type) -> None:
    assert public(kind).keys() == public(other).keys()


@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_so_are_the_arguments(kind: type, other: type) -> None:
    for name, member in [*public(kind).items(), ("__init__", kind.__init__)]:  # type: ignore[misc]
        if callable(member):
            theirs = other.__init__ if name == "__init__" else public(other)[name]  # type: ignore[misc]
            if name != "__init__" or kind is Client:
                assert signature(member) == signature(theirs), name


@pytest.mark.parametrize("other", [other for _, other in PAIRS])
def test_what_may_wait_is_awaited(other: type) -> None:
    for name, member in public(other).items():
        assert inspect.iscoroutinefunction(member) is (name not in AT_ONCE), name


CALLS: list[Any] = [
    lambda client: client.activities.list(type="a.b", state=State.RUNNING, text="x", context={"k": "v"}),
    lambda client: client.activities.get(UUID),
    lambda client: client.activities.history(type="a.b", limit=3, before="c"),
    lambda client: client.activities.create("a.b", key="k", cancellable=True),
    lambda client: client.activities.report(UUID, Report(progress=5.0)),
    lambda client: client.activities.finish(UUID, State.FAILED, error="because"),
    lambda client: client.activities.cancel(UUID, wait=1.0, force=True),
    lambda client: client.activities.write_output(UUID, "one\ntwo \x1b[1m"),
    lambda client: client.activities.list_activities(timeout_ms=5_000, http_headers={"X-Once": "1"}),
    lambda client: client.activities.get_server_activities(),
    lambda client: client.activities.cancel_activity(activity_id=UUID),
    lambda client: client.activities.cancel_server_activities(activity_uuid=UUID),
    lambda client: client.activities.wait(UUID),
    lambda client: client.with_options(headers={"X-Other": "1"}).activities.list(),
    lambda client: functions.list_activities(client),
    lambda client: functions.cancel_activity(client, UUID),
    lambda client: functions.get_activity(client, UUID),
]


@pytest.mark.parametrize("use", CALLS, ids=map(str, range(len(CALLS))))
def test_what_is_asked_and_answered_is_the_same(use: Any) -> None:
    answers, asked = [], []
    for driver in ("sync", "async"):
        with ScriptedServer(lambda _: listed(row(state="failed"), x_headway_state="failed")) as server:
            with Both(driver, server.url) as both:
                answers.append(both.do(use))
            asked += [
                (each.method, each.path, each.query, {**each.headers, "host": ""}, each.body) for each in server.asked
            ]
    values = [answer.value if isinstance(answer, Result) else answer for answer in answers]
    assert values[0] == values[1]
    assert len(asked) == 2
    assert asked[0] == asked[1]


@DRIVERS
class TestFunctions:
    """What the generated Plex clients offer beside their methods: an outcome in place of an exception."""

    def test_a_value(self, driver: str) -> None:
        identity = as_json({"MediaContainer": {"size": 0, "machineIdentifier": "a" * 40, "version": "1.2"}})
        with ScriptedServer(lambda asked: identity) as server, Both(driver, server.url) as both:
            result = both.do(functions.get_identity)
        assert (result.ok, result.error, result.value.version, result.answer.status) == (True, None, "1.2", 200)

    def test_what_is_refused(self, driver: str) -> None:
        with ScriptedServer(lambda asked: refused(404, "not_found")) as server, Both(driver, server.url) as both:
            result = both.do(lambda client: functions.get_activity(client, UUID))
        assert (result.ok, result.value, result.answer.status) == (False, None, 404)
        with pytest.raises(NotFound):
            result.unwrap()

    def test_no_answer(self, driver: str) -> None:
        with Both(driver, f"http://127.0.0.1:{free_port()}") as both:
            result = both.do(functions.list_activities)
        assert (result.ok, result.answer) == (False, None)
        assert "connection refused" in result.error.message


@DRIVERS
def test_other_options_share_the_connections_which_the_first_client_closes(driver: str) -> None:
    with ScriptedServer(lambda asked: listed()) as server, Both(driver, server.url) as both:
        other = both.do(lambda client: client.with_options(headers={"X-Other": "1"}))
        both.do(lambda _: other.activities.list())
        both.do(lambda _: other.aclose() if both.is_async else other.close())
        both.do(lambda client: client.activities.list())
        assert [asked.headers.get("x-other") for asked in server.asked] == ["1", None]
        elsewhere = Reply(200, listed().body, {"Content-Type": "application/json"})
        with ScriptedServer(lambda asked: elsewhere) as there:
            both.do(lambda client: client.activities.list_activities(server_url=there.url))
            assert "x-plex-token" not in there.asked[0].headers
