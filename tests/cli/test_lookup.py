"""Finding an activity by the beginning of its uuid."""

from collections.abc import Iterator

import pytest

from headway.cli.lookup import Ambiguous, find
from headway.client import Client
from headway.core.errors import NotFound
from tests.client.scripted_server import Asked, Reply, ScriptedServer, listed, refused, row

LIVE = "aaaa1111-0000-4000-8000-000000000000"
ALSO = "aaaa2222-0000-4000-8000-000000000000"
ENDED = "bbbb1111-0000-4000-8000-000000000000"


def script(asked: Asked) -> Reply:
    if asked.path == "/activities":
        return listed(row(LIVE), row(ALSO))
    if asked.path == "/activities/history":
        return listed(row(ENDED, state="failed"), row(LIVE.replace("1111", "3333"), state="failed"))
    known = {LIVE: row(LIVE), ENDED: row(ENDED, state="failed")}
    uuid = asked.path.rpartition("/")[2]
    return listed(known[uuid]) if uuid in known else refused(404, "not_found", "There is no such activity.")


@pytest.fixture
def client() -> Iterator[Client]:
    with ScriptedServer(script) as server, Client(server.url) as client:
        yield client


@pytest.mark.parametrize("given", [LIVE, LIVE.upper(), "aaaa1", "AAAA1", "aaaa1111-0000"])
def test_by_the_whole_or_by_its_beginning(client: Client, given: str) -> None:
    assert find(client, given).uuid == LIVE


def test_among_what_has_ended_where_nothing_live_is_meant(client: Client) -> None:
    assert find(client, "bbbb").uuid == ENDED


def test_a_beginning_of_several_is_refused_with_their_names(client: Client) -> None:
    with pytest.raises(Ambiguous, match=f"{LIVE}, {ALSO}"):
        find(client, "aaaa")


@pytest.mark.parametrize("given", ["cccc", "zzz", "", "../..", "a" * 36, "\x1b[31m"])
def test_what_is_no_activity_is_not_found(client: Client, given: str) -> None:
    with pytest.raises(NotFound) as refusal:
        find(client, given)
    assert "\x1b" not in str(refusal.value)
