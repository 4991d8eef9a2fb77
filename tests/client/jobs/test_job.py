"""A job as a block, as a plain handle, with parts; and how it learns that it is to stop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from headway.client import Reporting
from headway.client.address import Address
from headway.client.jobs.job import Job
from headway.core.activity import State
from headway.core.errors import Cancelled
from tests.client.fake_headway import FakeHeadway
from tests.client.scripted_server import ScriptedServer, eventually, free_port


@pytest.fixture
def headway() -> FakeHeadway:
    return FakeHeadway()


@pytest.fixture
def server(headway: FakeHeadway) -> Iterator[ScriptedServer]:
    with ScriptedServer(headway) as running:
        yield running


@pytest.fixture
def sender(server: ScriptedServer) -> Iterator[Reporting]:
    with Reporting(Address(server.url)) as reporting:
        yield reporting


def cancel(headway: FakeHeadway, job: Job) -> None:
    uuid = str(eventually(lambda: job.uuid))
    headway.change(headway.rows[uuid], state="cancelling", cancelRequested=True)


class TestBlock:
    def test_its_end_is_a_success(self, headway: FakeHeadway, sender: Reporting) -> None:
        with sender.start("photos.resize", title="Resizing", total=3, unit="photos") as job:
            for _ in job.track(range(3)):
                pass
        sender.close()
        ended = {name: headway.only[name] for name in ("state", "completed", "total", "unit", "title")}
        assert ended == {"state": "succeeded", "completed": 3, "total": 3, "unit": "photos", "title": "Resizing"}

    def test_an_exception_is_a_failure_and_goes_on(self, headway: FakeHeadway, sender: Reporting) -> None:
        with pytest.raises(ValueError, match="no such photo"), sender.start("photos.resize"):
            raise ValueError("no such photo")
        sender.close()
        assert (headway.only["state"], headway.only["error"]) == ("failed", "ValueError: no such photo")

    def test_stopping_because_it_was_asked_to_is_cancelled(self, headway: FakeHeadway, sender: Reporting) -> None:
        with pytest.raises(Cancelled, match="cancel_requested"), sender.start("photos.resize") as job:
            job.check_cancelled()
            cancel(headway, job)
            assert job.cancelled.wait(30)
            job.check_cancelled()
        sender.close()
        assert headway.only["state"] == "cancelled"

    def test_finishing_nevertheless_is_a_success(self, headway: FakeHeadway, sender: Reporting) -> None:
        with sender.start("photos.resize") as job:
            cancel(headway, job)
            assert job.cancelled.wait(30)
        sender.close()
        assert headway.only["state"] == "succeeded"

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), asyncio.CancelledError(), Cancelled("of another")])
    def test_being_stopped_by_others_is_no_cancel_of_it(
        self, headway: FakeHeadway, sender: Reporting, error: BaseException
    ) -> None:
        with pytest.raises(type(error)), sender.start("photos.resize"):
            raise error
        sender.close()
        assert headway.only["state"] == "failed"

    @pytest.mark.parametrize(("code", "state"), [(0, "succeeded"), (None, "succeeded"), (3, "failed")])
    def test_leaving_the_program_ends_it_by_the_exit_code(
        self, headway: FakeHeadway, sender: Reporting, code: int | None, state: str
    ) -> None:
        with pytest.raises(SystemExit), sender.start("photos.resize"):
            sys.exit(code)
        sender.close()
        assert headway.only["state"] == state

    def test_what_it_says_of_its_end_itself_counts(self, headway: FakeHeadway, sender: Reporting) -> None:
        with sender.start("photos.resize") as job:
            job.finish(State.FAILED, "half of them")
        sender.close()
        assert (headway.only["state"], headway.only["error"]) == ("failed", "half of them")

    def test_one_that_is_left_goes_on_elsewhere_under_its_activity(
        self, headway: FakeHeadway, server: ScriptedServer, sender: Reporting
    ) -> None:
        with sender.start("photos.resize", key="nightly") as job:
            eventually(lambda: job.uuid)
            job.leave()
            job.report(50)
        assert (job.over, job.problem) == (True, None)
        sender.close()
        assert (headway.only["state"], headway.only["progress"]) == ("running", 0)
        with Reporting(Address(server.url)) as another, another.start("photos.resize", key="nightly") as job:
            job.report(75)
        assert (headway.only["state"], headway.only["progress"]) == ("succeeded", 75)

    async def test_it_may_be_one_of_a_coroutine(self, headway: FakeHeadway, sender: Reporting) -> None:
        async def photos() -> AsyncIterator[int]:
            for number in range(5):
                yield number

        async with sender.start("photos.resize") as job:
            async for _ in job.track(photos(), total=5):
                pass
        await asyncio.to_thread(sender.close)
        assert (headway.only["state"], headway.only["completed"]) == ("succeeded", 5)


class TestCancel:
    async def test_a_coroutine_waits_for_it(self, headway: FakeHeadway, sender: Reporting) -> None:
        job = sender.start("photos.resize")
        waiting = asyncio.ensure_future(job.wait_cancelled())
        await asyncio.to_thread(cancel, headway, job)
        async with asyncio.timeout(30):
            assert await waiting == "cancel_requested"
            assert await job.wait_cancelled() == "cancel_requested"

    async def test_whoever_stops_waiting_is_forgotten(self, sender: Reporting) -> None:
        job = sender.start("photos.resize")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await job.wait_cancelled()
        assert job._reactions == []

    def test_a_callback_is_called_once_with_the_reason(self, headway: FakeHeadway, sender: Reporting) -> None:
        reasons: list[str] = []
        job = sender.start("photos.resize", on_stop=reasons.append)
        cancel(headway, job)
        eventually(lambda: reasons)
        job.on_stop(reasons.append)
        assert reasons == ["cancel_requested"] * 2

    def test_report_raises_it_on_request(self, headway: FakeHeadway, sender: Reporting) -> None:
        job = sender.start("photos.resize", raise_on_cancel=True)
        quiet = sender.start("photos.resize")
        job.report(1)
        cancel(headway, job)
        cancel(headway, quiet)
        eventually(lambda: job.cancel_requested and quiet.cancel_requested)
        quiet.report(2)
        with pytest.raises(Cancelled):
            job.report(2)

    def test_it_stops_a_loop_over_items(self, headway: FakeHeadway, sender: Reporting) -> None:
        done = []
        with pytest.raises(Cancelled), sender.start("photos.resize") as job:
            for item in job.track(range(100)):
                done.append(item)
                if item == 2:
                    cancel(headway, job)
                    assert job.cancelled.wait(30)
        sender.close()
        assert (done, headway.only["state"], headway.only["completed"]) == ([0, 1, 2], "cancelled", 3)

    def test_it_goes_down_to_parts_and_not_up(self, headway: FakeHeadway, sender: Reporting) -> None:
        whole = sender.start("photos.import")
        part, other = whole.start("photos.resize"), whole.start("photos.resize")
        leaf = part.start("photos.resize.one")
        cancel(headway, part)
        eventually(lambda: leaf.cancel_requested)
        assert not whole.cancel_requested
        assert not other.cancel_requested
        assert part.start("photos.resize.two").stop == "cancel_requested"


class TestParts:
    def test_a_part_waits_for_the_record_of_the_whole_and_names_it(self) -> None:
        headway, port = FakeHeadway(), free_port()
        with Reporting(Address(f"http://127.0.0.1:{port}")) as sender:
            whole = sender.start("photos.import")
            part = whole.start("photos.resize", weight=3)
            leaf = sender.start("photos.one", parent=part)
            eventually(lambda: whole.problem)
            with ScriptedServer(headway, port=port):
                eventually(lambda: leaf.uuid)
                rows = [headway.rows[str(job.uuid)] for job in (whole, part, leaf)]
                assert [row.get("parentUUID") for row in rows] == [None, whole.uuid, part.uuid]
                assert rows[1]["weight"] == 3
                for job in (leaf, part, whole):
                    job.finish()
                sender.close()
        assert {row["state"] for row in headway.rows.values()} == {"succeeded"}

    def test_the_whole_may_be_anothers(self, headway: FakeHeadway, sender: Reporting) -> None:
        sender.start("photos.resize", parent="0b9f9bd2-6f3f-4d0b-9e49-3f1f8a1c5a10")
        eventually(lambda: headway.rows)
        assert headway.only["parentUUID"] == "0b9f9bd2-6f3f-4d0b-9e49-3f1f8a1c5a10"

    def test_when_the_server_forgets_both_the_part_follows_the_new_record(
        self, headway: FakeHeadway, sender: Reporting
    ) -> None:
        whole = sender.start("photos.import")
        part = whole.start("photos.resize")
        former = eventually(lambda: part.uuid and whole.uuid)
        headway.rows.clear()
        part.report(10)
        whole.report(10)
        eventually(lambda: whole.uuid not in (None, former) and part.uuid in headway.rows)
        assert headway.rows[str(part.uuid)]["Context"]["continues"]


class TestOptions:
    def test_they_reach_the_server(self, server: ScriptedServer, sender: Reporting) -> None:
        sender.start(
            "photos.resize",
            subtitle="s",
            progress=-1,
            cancellable=False,
            context={"a": 1},
            owner=7,
            timeout=60,
            stall=5,
            lease=60,
            grace=0,
            key="nightly",
        )
        asked: Any = eventually(lambda: server.asked_for("POST"))[0]
        assert asked.headers["idempotency-key"] == "nightly"
        assert asked.json == {
            "type": "photos.resize",
            "subtitle": "s",
            "progress": -1,
            "cancellable": False,
            "Context": {"a": 1},
            "userID": 7,
            "timeout": 60,
            "stall": 5,
            "lease": 60,
            "grace": 0,
        }

    def test_what_is_out_of_bounds_is_brought_within(self, server: ScriptedServer, sender: Reporting) -> None:
        sender.start("photos.resize", lease=1, grace=1e9, weight=float("nan"), stall=0, timeout=-1)
        asked = eventually(lambda: server.asked_for("POST"))[0]
        settings = {name: asked.json.get(name) for name in ("lease", "grace", "weight", "stall", "timeout")}
        assert settings == {"lease": 10, "grace": 300, "weight": None, "stall": 1, "timeout": 0.001}


FORK = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks with threads: that is what is tested
from headway.client import Reporting
from headway.client.address import Address
reporting = Reporting(Address(sys.argv[1]))
with reporting.start("of.parent") as job:
    while job.uuid is None:
        pass
    pid = os.fork()
    if not pid:
        job.report(99)
        job.finish()
        with reporting.start("of.child") as own:
            own.report(10)
        reporting.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    job.report(40)
print(reporting)
reporting.close()
"""


def test_a_forked_child_reports_what_is_its_own_and_nothing_else(headway: FakeHeadway, server: ScriptedServer) -> None:
    done = subprocess.run([sys.executable, "-c", FORK, server.url], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    ended = {row["type"]: (row["state"], row["progress"]) for row in headway.rows.values()}
    assert ended == {"of.parent": ("succeeded", 40), "of.child": ("succeeded", 10)}
