"""``POST /activities``: starts, their owners, parents and limits, and starts that are repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from headway.admission import Limits
from headway.core.errors import StorageFull
from headway.hub import Activities
from headway.ports import Write
from headway.stores.memory import MemoryStore
from tests.server.harness import connected
from tests.server.whole import JSON, UNKNOWN, XML, Answer, Whole, in_memory


async def post(whole: Whole, token: str = "alice", key: str | None = None, **members: Any) -> Answer:
    headers = [JSON, *([] if key is None else [("Idempotency-Key", key)])]
    return await whole.ask("POST", "/activities", token, headers, {"type": "test.work", **members})


async def test_a_start_is_201_with_where_it_is(whole: Whole) -> None:
    answer = await post(whole, title="Films", progress=5, cancellable=True, lease=60, grace=3, Context={"key": "1"})
    uuid = answer.row["uuid"]
    assert (answer.status, answer.headers["content-type"]) == (201, "application/json")
    assert (answer.headers["location"], answer.headers["x-plex-activity"]) == (f"/activities/{uuid}", uuid)
    assert str(UUID(uuid)) == uuid
    row = (await whole.ask("GET", answer.headers["location"], "alice", [JSON])).row
    assert row == answer.row
    told = {name: row[name] for name in ("type", "title", "progress", "cancellable", "lease", "state", "Context")}
    assert told == {
        "type": "test.work",
        "title": "Films",
        "progress": 5,
        "cancellable": True,
        "lease": 60,
        "state": "running",
        "Context": {"key": "1"},
    }


async def test_what_is_not_said_has_its_default(whole: Whole) -> None:
    row = (await post(whole)).row
    assert (row["title"], row["subtitle"], row["progress"], row["cancellable"], row["lease"]) == ("", "", 0, False, 300)
    assert "Context" not in row
    assert "parentUUID" not in row


async def test_the_answer_is_json_unless_xml_is_named(whole: Whole) -> None:
    forms = {"*/*": "application/json", "application/xml": "text/xml;charset=utf-8"}
    for accept, content_type in forms.items():
        answer = await whole.ask("POST", "/activities", "alice", [("Accept", accept)], {"type": "a"})
        assert answer.headers["content-type"] == content_type


async def test_text_is_cleaned_on_the_way_in(whole: Whole) -> None:
    row = (await post(whole, title="a\u202eb\x00c\ud800", subtitle="line\nbreak", Context={"key": "\u0065\u0301"})).row
    assert (row["title"], row["subtitle"], row["Context"]) == ("ab\ufffdc\ufffd", "line break", {"key": "\u00e9"})


async def test_readers_start_nothing_reporters_do(whole: Whole) -> None:
    assert (await post(whole, "rita")).error == (403, "not_allowed")
    assert (await post(whole, "rob")).status == 201


# Owners and parents


async def test_admins_start_for_others_and_nobody_else_does(whole: Whole) -> None:
    alice, bob = [(await post(whole, user)).row["userID"] for user in ("alice", "bob")]
    for_alice = await post(whole, "admin", userID=alice)
    assert (for_alice.status, for_alice.row["userID"]) == (201, alice)
    assert for_alice.row["uuid"] in await whole.listed("alice")
    assert (await post(whole, "admin")).row["userID"] == 1
    assert (await post(whole, userID=alice)).status == 201
    refused = [await post(whole, userID=other) for other in (1, bob, 999_999)]
    assert [answer.error for answer in refused] == [(403, "not_allowed")] * 3
    assert len({answer.body for answer in refused}) == 1
    assert (await post(whole, "admin", userID=0)).error == (400, "invalid_input")


async def test_a_parent_must_be_running_and_of_the_same_owner(whole: Whole) -> None:
    parent = (await post(whole)).row["uuid"]
    child = await post(whole, parentUUID=parent.upper())
    assert (child.status, child.row["parentUUID"]) == (201, parent)
    foreign, ended = (await post(whole, "bob")).row["uuid"], (await post(whole)).row["uuid"]
    await whole.change(ended, state="failed")
    refused = [await post(whole, parentUUID=uuid) for uuid in (UNKNOWN, foreign, ended)]
    assert [answer.error for answer in refused] == [(404, "not_found")] * 3
    assert len({answer.body for answer in refused}) == 1


async def test_a_parent_ends_after_its_children(whole: Whole) -> None:
    parent = (await post(whole)).row["uuid"]
    child = (await post(whole, parentUUID=parent)).row["uuid"]
    early = await whole.ask("PATCH", f"/activities/{parent}", "alice", [JSON], {"state": "succeeded"})
    assert early.error == (409, "children_running")
    await whole.change(child, state="succeeded")
    assert (await whole.change(parent, state="succeeded"))["state"] == "succeeded"


# Idempotency


async def test_a_repeated_start_is_200_with_the_same_activity(whole: Whole) -> None:
    first = await post(whole, key="one", title="a", Context={"b": 1, "a": 2})
    await whole.change(first.row["uuid"], progress=30)
    again = await post(whole, key="one", Context={"a": 2, "b": 1}, title="a")
    assert (first.status, again.status) == (201, 200)
    assert again.headers["x-plex-activity"] == again.row["uuid"] == first.row["uuid"]
    assert again.headers["location"] == first.headers["location"]
    assert again.row["progress"] == 30


async def test_a_start_is_repeated_even_after_its_end_and_that_of_its_parent(whole: Whole) -> None:
    parent = (await post(whole)).row["uuid"]
    uuid = (await post(whole, key="ended", parentUUID=parent)).row["uuid"]
    await whole.change(uuid, state="succeeded")
    await whole.change(parent, state="succeeded")
    again = await post(whole, key="ended", parentUUID=parent)
    assert (again.status, again.row["uuid"], again.row["state"]) == (200, uuid, "succeeded")


@pytest.mark.parametrize(
    "other", [{"title": "b"}, {"type": "x"}, {"progress": 1}, {"lease": 50}, {"cancellable": True}]
)
async def test_another_body_under_the_same_key_is_422(whole: Whole, other: dict[str, Any]) -> None:
    key = f"other {other}"
    await post(whole, key=key, title="a")
    assert (await post(whole, key=key, **{"title": "a", **other})).error == (422, "idempotency_key_reused")


async def test_keys_are_each_owners_own(whole: Whole) -> None:
    uuids = {(await post(whole, user, key="shared")).row["uuid"] for user in ("alice", "bob", "admin")}
    assert len(uuids) == 3


async def test_parallel_starts_with_one_key_are_one_activity(whole: Whole) -> None:
    answers = await asyncio.gather(*[post(whole, key="race") for _ in range(20)])
    assert sorted(answer.status for answer in answers) == [200] * 19 + [201]
    assert len({answer.row["uuid"] for answer in answers}) == 1


@pytest.mark.parametrize("keys", [[""], ["k" * 256], ["a", "b"]])
async def test_a_bad_key_is_400(whole: Whole, keys: list[str]) -> None:
    headers = [JSON, *[("Idempotency-Key", key) for key in keys]]
    answer = await whole.ask("POST", "/activities", "alice", headers, {"type": "a"})
    assert answer.error == (400, "invalid_input")
    assert "Idempotency-Key" in answer.message


async def test_a_client_that_vanishes_leaves_nothing_or_what_it_can_find_again(whole: Whole) -> None:
    before = set(await whole.listed())
    request = whole.request("POST", "/activities", "alice", [("Idempotency-Key", "gone")], {"type": "test.gone"})
    async with connected(whole.port) as client:
        client.send(request[:-3])
    async with connected(whole.port) as client:
        client.send(request)
    answer = await whole.ask("POST", "/activities", "alice", [JSON, ("Idempotency-Key", "gone")], {"type": "test.gone"})
    assert answer.status in (200, 201)
    assert set(await whole.listed()) - before == {answer.row["uuid"]}


# Limits


async def test_too_many_of_a_user_are_429_and_of_all_503_until_one_ends() -> None:
    async with in_memory(Activities(limits=Limits(live_per_owner=2, live=3))) as whole:
        first, _ = (await post(whole)).row["uuid"], await post(whole)
        refused = await post(whole)
        assert (refused.error, refused.headers["retry-after"]) == ((429, "too_many"), "2")
        assert (await post(whole, "bob")).status == 201
        full = await post(whole, "bob")
        assert (full.error, full.headers["retry-after"]) == ((503, "unavailable"), "2")
        page = await whole.ask("POST", "/activities", "bob", [XML], {"type": "a"})
        assert (page.status, page.headers["retry-after"]) == (503, "2")
        await whole.change(first, state="succeeded")
        assert (await post(whole)).status == 201


async def test_parallel_starts_do_not_pass_a_limit() -> None:
    async with in_memory(Activities(limits=Limits(live_per_owner=5))) as whole:
        answers = await asyncio.gather(*[post(whole) for _ in range(20)])
        assert sorted(answer.status for answer in answers) == [201] * 5 + [429] * 15


async def test_a_repeated_start_does_not_count() -> None:
    async with in_memory(Activities(limits=Limits(live_per_owner=1))) as whole:
        assert [(await post(whole, key="k")).status for _ in range(3)] == [201, 200, 200]


class FullStore(MemoryStore):
    """Has no room for anything new."""

    full = False

    async def commit(self, writes: Sequence[Write]) -> list[int | None]:
        if self.full and any(write.expected is None for write in writes):
            raise StorageFull
        return await super().commit(writes)


async def test_a_full_disk_refuses_starts_only() -> None:
    store = FullStore()
    async with in_memory(Activities(store)) as whole:
        one, other = [(await post(whole, cancellable=True)).row["uuid"] for _ in range(2)]
        store.full = True
        refused = await post(whole)
        assert (refused.error, refused.headers["retry-after"]) == ((507, "storage_full"), "2")
        async with whole.events("alice") as stream:
            assert (await whole.change(one, progress=50))["progress"] == 50
            assert (await whole.ask("DELETE", f"/activities/{one}", "alice")).status == 200
            assert (await whole.change(one, state="cancelled"))["state"] == "cancelled"
            assert (await whole.change(other, state="succeeded"))["state"] == "succeeded"
            assert (await stream.until(other))[-1].row["progress"] == 100
        assert await whole.listed() == []
        store.full = False
        assert (await post(whole)).status == 201
