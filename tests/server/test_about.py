"""``/``, ``/identity``, ``/health`` and ``/ready``: what the server says of itself."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from headway.core.activity import Activity
from headway.core.errors import Unavailable
from headway.hub import Activities
from headway.ports import HistoryQuery
from headway.server.service import StreamLimits
from headway.stores.memory import MemoryStore
from tests.server.whole import JSON, XML, Whole, eventually, in_memory

BROWSER = ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")


async def test_identity_needs_no_token(whole: Whole) -> None:
    answer = await whole.ask("GET", "/identity", None, [JSON])
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    container = answer.json["MediaContainer"]
    assert list(container) == ["size", "claimed", "machineIdentifier", "version"]
    assert (container["size"], container["claimed"]) == (0, True)
    assert len(bytes.fromhex(container["machineIdentifier"])) == 20
    root = ElementTree.fromstring((await whole.ask("GET", "/identity", None, [XML])).body)
    assert (root.tag, root.attrib["claimed"]) == ("MediaContainer", "1")
    assert root.attrib["machineIdentifier"] == container["machineIdentifier"]


async def test_the_root_is_what_clients_open_a_connection_with(whole: Whole) -> None:
    container = (await whole.ask("GET", "/", "alice", [JSON])).json["MediaContainer"]
    assert container["ownerFeatures"] == ""
    assert container["eventStream"] is True
    assert container["Directory"] == [{"count": 1, "key": "activities", "title": "activities"}]
    assert container["updatedAt"] > 1_600_000_000
    assert container["friendlyName"]
    assert container["platform"]
    assert container["platformVersion"]
    root = ElementTree.fromstring((await whole.ask("GET", "/", "alice", [("Accept", "*/*")])).body)
    assert (root.attrib["eventStream"], root.attrib["myPlex"], root.attrib["size"]) == ("1", "0", "1")
    assert [child.attrib for child in root] == [{"count": "1", "key": "activities", "title": "activities"}]


async def test_the_root_is_401_without_a_token_but_sends_browsers_to_the_dashboard(whole: Whole) -> None:
    for token in (None, "wrong"):
        assert (await whole.ask("GET", "/", token, [("Accept", "*/*")])).status == 401
        sent = await whole.ask("GET", "/", token, [BROWSER])
        assert (sent.status, sent.headers["location"], sent.body) == (303, "web/", b"")
    assert (await whole.ask("GET", "/activities", None, [BROWSER])).status == 401


async def test_every_answer_speaks_version_1_of_the_protocol(whole: Whole) -> None:
    paths = [("GET", "/"), ("GET", "/identity"), ("GET", "/activities"), ("DELETE", "/activities/x"), ("GET", "/x")]
    for method, path in paths:
        assert (await whole.ask(method, path, "alice")).headers["x-plex-protocol"] == "1.0"


async def test_health_and_readiness_need_no_token_and_hold_no_data(whole: Whole) -> None:
    health, ready = await whole.ask("GET", "/health"), await whole.ask("GET", "/ready")
    assert (health.status, health.json) == (200, {"status": "ok"})
    assert (ready.status, ready.json) == (200, {"status": "ready"})
    assert health.headers["cache-control"] == ready.headers["cache-control"] == "no-store"


class Broken(MemoryStore):
    """Cannot commit anything."""

    async def commit(self, writes: object) -> list[int | None]:
        raise Unavailable("the database is away")


async def test_ready_is_503_when_a_start_does_not_come_back() -> None:
    async with in_memory(Activities(Broken())) as whole:
        assert (await whole.ask("GET", "/health")).status == 200
        answer = await whole.ask("GET", "/ready")
        assert (answer.status, answer.json) == (503, {"status": "not ready"})


class Failing(MemoryStore):
    """Has a bug."""

    async def history(self, query: HistoryQuery) -> list[Activity]:
        raise ZeroDivisionError("secret detail")


async def test_a_bug_is_500_in_the_form_of_every_error(caplog: pytest.LogCaptureFixture) -> None:
    async with in_memory(Activities(Failing())) as whole:
        answer = await whole.ask("GET", "/activities/history", "alice", [JSON])
        assert answer.error == (500, "internal")
        assert b"secret" not in answer.body
        page = await whole.ask("GET", "/activities/history", "alice", [XML])
        assert page.body.startswith(b"<html><head><title>Internal Server Error")
    assert [record.exc_info is not None for record in caplog.records if "failed" in record.getMessage()] == [True, True]


async def test_ready_is_503_while_the_server_stops() -> None:
    async with in_memory(streams=StreamLimits(farewell=60, farewell_each=60)) as whole, whole.events("alice") as stream:
        await stream.event()
        whole.server.stop()
        await eventually(whole.service.stopping.is_set)
        assert (await whole.ask("GET", "/ready")).status == 503
        assert (await whole.ask("GET", "/health")).status == 200
