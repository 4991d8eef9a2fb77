"""Changes packed into requests and the answers dealt out again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.client.exchange import Answer
from headway.client.jobs.batches import MAX_BYTES, Batch, outcomes, pack, unsupported
from headway.core.errors import NotAuthenticated
from headway.wire.errors import Unreadable
from headway.wire.requests import MAX_BATCH, parse_changes
from tests.client.scripted_server import UUID, refused


def uuid(number: int) -> str:
    return f"{number:08d}-0000-4000-8000-000000000000"


def test_an_item_is_the_change_of_one_with_its_uuid() -> None:
    batch: Batch[str] = Batch()
    assert batch.add(UUID, "a", b'{"progress":40}')
    assert batch.add(uuid(1), "b")
    request = batch.request(25.0)
    assert json.loads(request.body or b"") == {"Activity": [{"uuid": UUID, "progress": 40}, {"uuid": uuid(1)}]}
    assert (request.method, request.path, request.query) == ("PATCH", "/activities", (("wait", "25"),))
    assert ("Prefer", "return=minimal") in request.headers


@given(st.lists(st.integers(0, 30_000), max_size=30))
def test_everything_is_said_once_in_order_and_within_the_limits(sizes: list[int]) -> None:
    changes = [(uuid(n), n, json.dumps({"title": "x" * size}).encode()) for n, size in enumerate(sizes)]
    batches = list(pack(changes))
    assert [sender for batch in batches for sender in batch.senders.values()] == list(range(len(sizes)))
    assert all(len(batch.request().body or b"") <= MAX_BYTES for batch in batches)


def test_the_heartbeats_of_all_that_a_user_may_have_are_one_request_that_the_server_takes() -> None:
    batches = list(pack((uuid(n), n, b"{}") for n in range(MAX_BATCH)))
    assert [len(batch.senders) for batch in batches] == [MAX_BATCH]
    assert len(parse_changes(batches[0].request().body or b"")) == MAX_BATCH
    assert [len(batch.senders) for batch in pack((uuid(n), n, b"{}") for n in range(MAX_BATCH + 1))] == [MAX_BATCH, 1]


def test_one_that_is_too_large_goes_alone() -> None:
    large = json.dumps({"title": "x" * (MAX_BYTES + 1)}).encode()
    assert [list(batch.senders) for batch in pack([("a", 1, b"{}"), ("b", 2, large), ("c", 3, b"{}")])] == [
        ["a"],
        ["b"],
        ["c"],
    ]


@pytest.mark.parametrize(("status", "known"), [(200, True), (401, True), (503, True), (404, False), (405, False)])
def test_a_server_of_a_former_version_says_that_it_knows_no_such_request(status: int, known: bool) -> None:
    assert unsupported(Answer(status, {"content-type": "application/json"})) is not known


def test_a_proxy_that_knows_nothing_is_no_such_server() -> None:
    assert not unsupported(Answer(404, {"content-type": "text/html"}))


def test_a_refusal_of_all_is_the_error_that_it_means() -> None:
    reply = refused(401, "not_authenticated")
    with pytest.raises(NotAuthenticated):
        outcomes(Answer(401, {"content-type": "application/json"}, bytes(reply.body)))  # type: ignore[arg-type]


def test_what_is_no_json_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        outcomes(Answer(200, {"content-type": "text/html"}, b"<html>"))
