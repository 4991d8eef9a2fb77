"""The feed of the full-screen view over a client."""

import pytest

from headway.cli.tui.feed import ClientFeed
from headway.client import AsyncClient, HeadwayError, NotFound, SnapshotNotification
from tests.cli.test_watch import STREAM, snapshot
from tests.client.scripted_server import UUID, Asked, Drop, Reply, ScriptedServer, listed, row

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def headway(asked: Asked) -> Reply | Drop:
    if asked.method == "DELETE":
        return Reply(404 if asked.path.endswith("gone") else 200)
    if asked.path == "/activities/history":
        return listed(row(state="failed"), X_Headway_Cursor="2")
    if asked.path.startswith("/:/"):
        return Reply(200, [snapshot(row())], STREAM)
    return listed()


async def test_it_watches_reads_and_cancels_what_the_client_does() -> None:
    connections: list[HeadwayError | None] = []
    with ScriptedServer(headway) as server:
        async with AsyncClient(server.url, "token") as client:
            feed = ClientFeed(client, type="command.test")
            told = feed.watch(connections.append)
            first = await anext(told)
            await told.aclose()  # type: ignore[attr-defined]
            page = await feed.history(before="1")
            await feed.cancel(UUID, force=True)
            with pytest.raises(NotFound):
                await feed.cancel("gone")
        (stream,) = server.asked_for("GET", "/:/")
        (history,) = server.asked_for("GET", "/activities/history")
        cancel = server.asked_for("DELETE")[0]
    assert isinstance(first, SnapshotNotification)
    assert connections == [None]
    assert (stream.query["type"], history.query) == ("command.test", {"type": "command.test", "before": "1"})
    assert ([each.uuid for each in page.rows], page.cursor) == ([UUID], "2")
    assert (cancel.path, cancel.query) == (f"/activities/{UUID}", {"force": "1"})
