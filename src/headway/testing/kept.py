"""The part of the contract of a store that is about what it keeps: see ``headway.testing.stores``."""

from __future__ import annotations

# ruff: noqa: S101 - the asserts are the product
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from headway.core.activity import State
from headway.core.errors import Unavailable
from headway.core.lifecycle import Report
from headway.core.policy import SYSTEM_USER
from headway.ports import Store
from headway.testing.opened import AT, Opened, ending, starting

DEADLINE = 60.0
"""Seconds after which a test does not wait any longer for a store."""


class KeepingContract:
    """How a store lets what it keeps be read, and how it forgets."""

    def store(self) -> Store:
        """A store over the data of this test, not opened. The data is empty at first; a later call finds it as it was
        left.
        """
        raise NotImplementedError

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Opened]:
        """A store that is open inside the block."""
        async with asyncio.timeout(DEADLINE):
            opened = await Opened(self.store()).open()
            try:
                yield opened
            finally:
                await opened.store.close()

    # Reading

    async def test_what_never_was_is_not_there(self) -> None:
        async with self.opened() as store:
            assert await store.store.get("a") is None
            assert await store.history() == []

    async def test_history_is_what_has_ended_newest_first(self) -> None:
        async with self.opened() as store:
            one, two = await store.start("one"), await store.start("two")
            await store.start("live")
            await store.end(two)
            await store.end(one)
            assert await store.history() == ["one", "two"]

    async def test_history_can_be_read_page_by_page(self) -> None:
        async with self.opened() as store:
            ended = [await store.run(f"a{n}") for n in range(7)]
            revision = {activity.uuid: activity.revision for activity in ended}
            pages: list[list[str]] = [await store.history(limit=3)]
            while pages[-1]:
                pages.append(await store.history(limit=3, before=revision[pages[-1][-1]]))
            assert pages == [["a6", "a5", "a4"], ["a3", "a2", "a1"], ["a0"], []]

    async def test_history_can_be_narrowed(self) -> None:
        async with self.opened() as store:
            await store.run("a", owner=1)
            await store.run("b", owner=2, state=State.FAILED)
            await store.end(await store.start("c", owner=2, type="other"))
            await store.run("own", owner=SYSTEM_USER)
            assert await store.history() == ["c", "b", "a"]
            assert await store.history(scope=2) == ["c", "b"]
            assert await store.history(scope=3) == []
            assert await store.history(scope=SYSTEM_USER) == ["own"]
            assert await store.history(state=State.FAILED) == ["b"]
            assert await store.history(type="other") == ["c"]
            assert await store.history(scope=2, type="t", state=State.FAILED, limit=1) == ["b"]
            assert await store.history(owner=1) == ["a"]
            assert await store.history(owner=SYSTEM_USER) == await store.history(scope=2, owner=1) == []

    async def test_history_can_be_searched_by_what_is_said_in_it(self) -> None:
        async with self.opened() as store:
            told = {
                "a": Report(title="Films", context={"section": 3, "path": "/media/films"}),
                "b": Report(subtitle="of FILMS", context={"section": "4"}),
                "c": Report(title="Music", context={"path": "/media/films"}),
            }
            for uuid, report in told.items():
                await store.end(await store.start(uuid, owner=2 if uuid == "c" else 1, report=report))
            assert await store.history(text="films") == ["c", "b", "a"]
            assert await store.history(text="films", limit=2) == ["c", "b"]
            assert await store.history(text="films", scope=1) == ["b", "a"]
            assert await store.history(text="music", scope=1) == []
            assert await store.history(context=(("section", "3"),)) == ["a"]
            assert await store.history(context=(("path", "/media/films"),), owner=2) == ["c"]

    async def test_a_search_finds_what_is_far_back_and_goes_on_behind_it(self) -> None:
        async with self.opened() as store:
            found = [await store.end(await store.start(f"x{n}", report=Report(title="needle"))) for n in range(2)]
            many = [starting(f"a{n}") for n in range(2_500)]
            await store.commit(*many)
            await store.commit(*[ending(write.activity) for write in many])
            assert await store.history(text="needle") == ["x1", "x0"]
            assert await store.history(text="needle", limit=1) == ["x1"]
            assert await store.history(text="needle", limit=1, before=found[1].revision) == ["x0"]
            assert await store.history(text="needle", before=found[0].revision) == []

    # Output

    async def test_the_output_that_was_saved_last_is_kept(self) -> None:
        hostile = "\n".join(("'; DROP TABLE output; --", "größer 🎬 \u202f", "\ttab", "%s {} \\n", "x" * 60_000, ""))
        async with self.opened() as first:
            activity = await first.start("a")
            await first.start("b")
            await first.store.save_outputs({"a": "one\n", "b": hostile})
            await first.end(activity)
            await first.store.save_outputs({"a": "one\ntwo\n"})
            assert [await first.store.output(uuid) for uuid in ("a", "b")] == ["one\ntwo\n", hostile]
        async with self.opened() as second:
            assert [await second.store.output(uuid) for uuid in ("a", "b")] == ["one\ntwo\n", hostile]

    async def test_output_is_no_change(self) -> None:
        async with self.opened() as store:
            activity = await store.start("a")
            await store.store.save_outputs({"a": "text"})
            assert store.published == [activity]
            assert await store.store.get("a") == activity

    async def test_there_is_no_output_without_a_record(self) -> None:
        async with self.opened() as store:
            await store.start("a")
            await store.store.save_outputs({"b": "text", "a": "more"})
            await store.store.save_outputs({})
            await store.start("b")
            assert [await store.store.output(uuid) for uuid in ("a", "b", "c")] == ["more", "", ""]

    async def test_output_goes_with_its_record(self) -> None:
        async with self.opened() as store:
            for uuid in ("a", "b"):
                await store.run(uuid)
            await store.store.save_outputs({"a": "text", "b": "text"})
            assert await store.store.prune(before=AT - 1, keep=1) == 1
            await store.start("a")
            assert [await store.store.output(uuid) for uuid in ("a", "b")] == ["", "text"]

    async def test_a_closed_store_takes_no_output(self) -> None:
        async with self.opened() as store:
            await store.start("a")
        with pytest.raises(Unavailable):
            await store.store.save_outputs({"a": "text"})

    # Pruning

    async def test_old_ends_are_pruned_and_nothing_else(self) -> None:
        async with self.opened() as store:
            await store.start("live", at=AT + 1)
            for n in range(5):
                await store.run(f"a{n}", at=AT + n)
            assert await store.store.prune(before=AT + 2, keep=100) == 2
            assert await store.history() == ["a4", "a3", "a2"]
            assert await store.store.get("a1") is None
            assert await store.store.get("live") is not None

    async def test_all_but_the_newest_ends_are_pruned(self) -> None:
        async with self.opened() as store:
            for n in range(5):
                await store.run(f"a{n}", owner=1 + n % 2)
            assert await store.store.prune(before=AT - 1, keep=2) == 3
            assert await store.history() == ["a4", "a3"]
            assert await store.store.prune(before=AT - 1, keep=2) == 0

    async def test_floors_tell_each_owner_what_is_gone_and_of_nobody_else(self) -> None:
        async with self.opened() as first:
            gone = [await first.run(f"a{n}", owner=1, at=AT + 1) for n in range(2)]
            await first.run("b", owner=2, at=AT + 9)
            await first.start("c", owner=3)
            await first.store.prune(before=AT + 5, keep=100)
        async with self.opened() as second:
            assert dict(second.snapshot.floors) == {1: gone[-1].revision}
            assert [activity.uuid for activity in second.snapshot.activities] == ["b", "c"]
