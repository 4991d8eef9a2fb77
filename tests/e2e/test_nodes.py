"""Two servers on one store: any of them answers any request, and what one is told counts for both."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from headway.client import Client
from headway.client.errors import Unreachable
from headway.core.activity import State
from headway.core.errors import NotAuthenticated
from tests.cli.invoking import PROGRAM, environment
from tests.client.scripted_server import eventually
from tests.e2e.serving import Serving
from tests.faults.cluster import SERVERS, StoreServer

Nodes = tuple[Serving, Serving]


@pytest.fixture(scope="module", params=SERVERS)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture(scope="module")
def nodes(store: StoreServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("nodes")
        first, second = (Serving(folder / name / "data", "--store", store.url) for name in ("a", "b"))
        for node in (first, second):
            node.data.mkdir(parents=True)
            stack.enter_context(node)
        yield first, second


@pytest.fixture(scope="module")
def token(nodes: Nodes) -> str:
    return (nodes[0].data / "admin.token").read_text().strip()


def made(nodes: Nodes, store: StoreServer, *words: str) -> str:
    """What `headway token` prints."""
    command = [*PROGRAM, "token", *words, "--store", store.url, "--data", str(nodes[1].data)]
    run = subprocess.run(command, env=environment(nodes[1].data), capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_a_command_that_one_node_knows_is_stopped_by_way_of_the_other(nodes: Nodes, token: str) -> None:
    here, there = (Client(node.url, token) for node in nodes)
    with here, there:
        command = [*PROGRAM, "run", "--url", nodes[0].url, "--token", token, "--", "sleep", "60"]
        with subprocess.Popen(command, env=environment(nodes[0].data)) as running:
            eventually(lambda: there.activities.list(type="command.sleep").rows)
            (row,) = there.activities.list(type="command.sleep").rows
            assert there.activities.cancel(row.uuid, wait=30).state == "cancelled"
            assert running.wait(30) == 143
        assert here.activities.get(row.uuid).state == "cancelled"


def test_any_node_answers_at_once_for_what_another_has_just_been_told(nodes: Nodes, token: str) -> None:
    clients = [Client(node.url, token) for node in nodes]
    with clients[0], clients[1]:
        for turn in range(50):
            here, there = clients[turn % 2], clients[1 - turn % 2]
            row = here.activities.create("t", cancellable=True, lease=300)
            assert there.activities.get(row.uuid).uuid == row.uuid
            assert row.uuid in [each.uuid for each in there.activities.list(type="t").rows]
            child = there.activities.create("t", parent=row.uuid, lease=300)
            assert here.activities.finish(child.uuid, State.SUCCEEDED).state == "succeeded"
            assert there.activities.finish(row.uuid, State.SUCCEEDED).state == "succeeded"
            assert here.activities.get(row.uuid).state == "succeeded"


def test_a_stream_goes_on_at_another_node_where_it_broke_off(nodes: Nodes, token: str) -> None:
    clients = [Client(node.url, token) for node in nodes]
    with clients[0], clients[1]:
        told: list[str] = []
        cursor = clients[0].activities.list().cursor
        for turn in range(10):
            row = clients[turn % 2].activities.create("s", lease=300)
            clients[turn % 2].activities.finish(row.uuid, State.SUCCEEDED)
            with clients[(turn + 1) % 2].activities.watch(since=cursor, type="s") as watch:
                for notification in watch:
                    cursor = notification.cursor or cursor
                    kind = getattr(notification, "kind", None)
                    if kind is not None:
                        told.append(f"{kind} {notification.row.uuid == row.uuid}")  # type: ignore[union-attr]
                    if kind == "ended":
                        break
        assert told == ["started True", "ended True"] * 10


def test_a_token_that_is_revoked_closes_the_streams_of_every_node(nodes: Nodes, store: StoreServer, token: str) -> None:
    secret = made(nodes, store, "create", "anna")
    streams: list[subprocess.Popen[bytes]] = []
    for node in nodes:
        with Client(node.url, secret) as client:
            eventually(lambda client=client: _opens(client))  # type: ignore[misc]
        command = ["curl", "-sN", "-H", f"X-Plex-Token: {secret}", f"{node.url}/:/eventsource/notifications"]
        streams.append(subprocess.Popen(command, stdout=subprocess.PIPE))
    for stream in streams:
        assert stream.stdout is not None and stream.stdout.readline() == b"event: ping\n"
    made(nodes, store, "revoke", "--user", "anna")
    for stream in streams:
        with stream:
            assert stream.wait(5) == 0
    for node in nodes:
        with Client(node.url, secret) as client:
            assert not _opens(client)


def _opens(client: Client) -> bool:
    try:
        client.activities.list()
    except NotAuthenticated:
        return False
    return True


def test_what_a_node_was_told_outlives_it(nodes: Nodes, store: StoreServer, token: str, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    third = Serving(tmp_path / "c" / "data", "--store", store.url)
    third.data.mkdir()
    third.start()
    with Client(third.url, token) as client, Client(nodes[0].url, token) as other:
        rows = [client.activities.create("kept", lease=300) for _ in range(20)]
        third.kill()
        with pytest.raises(Unreachable):
            client.activities.list()
        found = {row.uuid for row in other.activities.list(type="kept").rows}
        assert found == {row.uuid for row in rows}
