"""Reporting from the background, to servers that are absent, slow, full, restarting and forgetful."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from headway.client import Reporting
from headway.client.address import Address
from headway.client.jobs.outbox import OnLoss
from headway.core.activity import State
from headway.core.errors import HeadwayError, InvalidInput
from tests.client.fake_headway import FakeHeadway
from tests.client.scripted_server import (
    Asked,
    Drop,
    Hang,
    Reply,
    ScriptedServer,
    eventually,
    free_port,
    html,
    refused,
)


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same behaviour at a quicker pace."""
    for name, seconds in {"INTERVAL": 0.01, "RETRY": 0.01, "MAX_RETRY": 0.05, "REFUSED": 0.05}.items():
        for module in ("outbox", "sender", "listening"):
            monkeypatch.setattr(f"headway.client.jobs.{module}.{name}", seconds, raising=module == "outbox")
    monkeypatch.setattr("headway.client.jobs.sender.ROUND", 0.0)


def reporting(server: ScriptedServer | str, timeout: float = 5.0) -> Reporting:
    url = server if isinstance(server, str) else server.url
    return Reporting(Address(url, "t0k3n"), timeout=timeout)


def held(server: ScriptedServer) -> list[Asked]:
    """The requests so far that wait for a cancel of any job."""
    return [asked for asked in server.asked_for("PATCH") if asked.path == "/activities" and "wait" in asked.query]


def test_the_life_of_a_job() -> None:
    headway = FakeHeadway()
    with ScriptedServer(headway) as server, reporting(server) as sender:
        job = sender.start("command.cp", title="cp a b", context={"host": "a"})
        eventually(lambda: job.uuid)
        job.report(40, subtitle="half way")
        eventually(lambda: headway.only["progress"] == 40)
        assert headway.only["subtitle"] == "half way"
        job.finish(State.SUCCEEDED)
    assert (headway.only["state"], headway.only["title"]) == ("succeeded", "cp a b")
    assert job.problem is None


def test_a_short_job_is_recorded_in_full_by_the_time_it_is_closed() -> None:
    headway = FakeHeadway()
    with ScriptedServer(headway) as server, reporting(server) as sender:
        sender.start("command.false").finish(State.FAILED, "exit status 1")
    assert (headway.only["state"], headway.only["error"]) == ("failed", "exit status 1")


def test_a_flood_of_reports_becomes_a_trickle_of_requests_and_the_last_one_arrives() -> None:
    headway = FakeHeadway()
    with ScriptedServer(headway) as server, reporting(server) as sender:
        job = sender.start("command.cp")
        for number in range(20_000):
            job.report(completed=number, total=20_000, unit="files")
        job.finish(State.FAILED, "enough")
    assert headway.only["completed"] == 19_999
    assert len(server.asked_for("PATCH")) < 2_000


def test_nonsense_never_raises_into_the_job() -> None:
    headway = FakeHeadway()
    with ScriptedServer(headway) as server, reporting(server) as sender:
        job = sender.start("a b/ç", title="\x1b[31mred\n" + "x" * 9_999, context={"a b": 1})
        job.report(float("nan"), subtitle="\ud800")
        job.report(1e9, completed=-5, context={"nested": {}})
        job.finish(State.FAILED, "\x00" + "y" * 9_999)
    assert headway.only["type"] == "a-b"
    assert headway.only["title"].startswith("\ufffd[31mred x")
    assert (headway.only["progress"], headway.only["completed"]) == (100, 0)


@pytest.mark.parametrize(
    "trouble", [Drop(), refused(503, "unavailable"), refused(507, "storage_full"), html(200), html(502)]
)
def test_the_record_catches_up_when_the_trouble_is_over(trouble: Reply | Drop) -> None:
    headway = FakeHeadway()
    headway.trouble = trouble
    with ScriptedServer(headway) as server, reporting(server) as sender:
        job = sender.start("command.cp")
        job.report(10)
        eventually(lambda: len(server.asked) > 2)
        assert job.problem is not None
        headway.trouble = None
        eventually(lambda: headway.rows and headway.only["progress"] == 10)
        headway.trouble = trouble
        job.report(20)
        eventually(lambda: job.problem)
        headway.trouble = None
        eventually(lambda: headway.only["progress"] == 20)
        job.finish(State.SUCCEEDED)
    assert headway.only["state"] == "succeeded"


def test_a_start_whose_answer_was_lost_makes_no_second_activity() -> None:
    headway = FakeHeadway()

    def deaf(asked: Asked) -> Reply | Drop | Hang:
        reply = headway(asked)
        return Drop() if len(server.asked_for("POST")) < 3 and asked.method == "POST" else reply

    with ScriptedServer(deaf) as server, reporting(server) as sender:
        sender.start("command.cp").finish(State.SUCCEEDED)
    assert len(server.asked_for("POST")) >= 3
    assert headway.only["state"] == "succeeded"


def test_a_server_that_comes_late_or_again_is_found() -> None:
    headway, port = FakeHeadway(), free_port()
    with reporting(f"http://127.0.0.1:{port}") as sender:
        job = sender.start("command.cp")
        eventually(lambda: job.problem)
        with ScriptedServer(headway, port=port):
            uuid = eventually(lambda: job.uuid)
        job.report(30)
        eventually(lambda: job.problem)
        with ScriptedServer(headway, port=port):
            eventually(lambda: headway.only["progress"] == 30)
            job.finish(State.SUCCEEDED)
            sender.close()
    assert (headway.only["uuid"], headway.only["state"]) == (uuid, "succeeded")


def test_a_server_that_moves_is_looked_for() -> None:
    headway = FakeHeadway()
    with ScriptedServer(headway) as first:
        place = [first.url]
        with Reporting(lambda: Address(place[0])) as sender:
            job = sender.start("command.cp")
            eventually(lambda: job.uuid)
            first.stop()
            with ScriptedServer(headway) as second:
                place[0] = second.url
                job.report(50)
                eventually(lambda: headway.only["progress"] == 50)
                job.finish(State.SUCCEEDED)
                sender.close()
    assert headway.only["state"] == "succeeded"


def test_not_knowing_where_the_server_is_is_trouble_like_any_other() -> None:
    def lost() -> Address:
        raise InvalidInput("no idea")

    with Reporting(lost) as sender:
        job = sender.start("command.cp")
        assert "no idea" in str(eventually(lambda: job.problem))


def test_many_jobs_share_one_sender() -> None:
    headway = FakeHeadway()
    with ScriptedServer(headway) as server, reporting(server) as sender:
        jobs = [sender.start("command.cp", title=str(number)) for number in range(100)]
        eventually(lambda: all(job.uuid for job in jobs))
        assert [thread.name for thread in threading.enumerate()].count("headway-reporting") == 1
        for number, job in enumerate(jobs):
            job.report(number)
            job.finish(State.FAILED, str(number))
    assert sorted(int(each["error"]) for each in headway.rows.values()) == list(range(100))
    assert all(each["progress"] == int(each["title"]) for each in headway.rows.values())


def test_jobs_that_are_over_are_forgotten() -> None:
    with ScriptedServer(FakeHeadway()) as server, reporting(server) as sender:
        for _ in range(3):
            sender.start("command.cp").finish(State.SUCCEEDED)
        eventually(lambda: "jobs=0" in repr(sender))


class TestCancel:
    def test_it_is_delivered_while_the_job_says_nothing(self) -> None:
        headway, reasons = FakeHeadway(), list[str]()
        with ScriptedServer(headway) as server, reporting(server) as sender:
            job = sender.start("command.cp", on_stop=reasons.append)
            eventually(lambda: held(server))
            headway.change(headway.only, state="cancelling", cancelRequested=True)
            eventually(lambda: reasons)
            assert job.stop == "cancel_requested"
            job.finish(State.CANCELLED)
        assert reasons == ["cancel_requested"]
        assert headway.only["state"] == "cancelled"

    def test_a_server_that_does_not_wait_is_not_pestered(self) -> None:
        headway = FakeHeadway()

        def hasty(asked: Asked) -> Reply | Drop | Hang:
            asked.query.pop("wait", None)
            return headway(asked)

        with ScriptedServer(hasty) as server, reporting(server) as sender:
            job = sender.start("command.cp")
            eventually(lambda: len(server.asked_for("PATCH", "/activities")) == 2)
            headway.change(headway.only, state="cancelling", cancelRequested=True)
            eventually(lambda: job.stop)
        assert len(server.asked_for("PATCH")) < 20

    def test_a_failing_reaction_stops_nothing_else(self, caplog: pytest.LogCaptureFixture) -> None:
        def fail(reason: str) -> None:
            raise ValueError("oops")

        headway = FakeHeadway()
        with ScriptedServer(headway) as server, reporting(server) as sender:
            job = sender.start("command.cp", on_stop=fail)
            eventually(lambda: held(server))
            headway.change(headway.only, state="cancelling", cancelRequested=True)
            eventually(lambda: job.stop)
            job.finish(State.CANCELLED)
        assert headway.only["state"] == "cancelled"
        assert "a job's reaction to a stop failed" in caplog.text

    def test_an_activity_given_up_by_force_stops_the_job(self) -> None:
        headway = FakeHeadway()
        with ScriptedServer(headway) as server, reporting(server) as sender:
            job = sender.start("command.cp", on_loss=OnLoss.CONTINUE)
            eventually(lambda: held(server))
            headway.change(headway.only, state="lost", error="abandoned")
            assert eventually(lambda: job.stop) == "abandoned"


def test_a_job_that_outlives_its_record_goes_on_under_another() -> None:
    headway = FakeHeadway()
    with ScriptedServer(headway) as server, reporting(server) as sender:
        job = sender.start("command.cp", on_loss=OnLoss.CONTINUE)
        job.report(60)
        former = eventually(lambda: job.uuid)
        headway.change(headway.only, state="lost", error="lease_expired")
        eventually(lambda: job.uuid not in (None, former))
        job.finish(State.SUCCEEDED)
    again = headway.rows[str(job.uuid)]
    assert (again["state"], again["progress"], again["Context"]["continues"]) == ("succeeded", 60, former)
    assert headway.rows[former]["state"] == "lost"


class TestClose:
    @staticmethod
    def closing(server: ScriptedServer | str, act: Callable[[Reporting], None], timeout: float = 5.0) -> float:
        """Seconds that closing took."""
        sender = reporting(server)
        act(sender)
        began = time.monotonic()
        sender.close(timeout)
        return time.monotonic() - began

    def test_without_a_server_it_does_not_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("headway.client.jobs.sender.UNRECORDED", 3_600.0)
        self.closing(
            f"http://127.0.0.1:{free_port()}", lambda sender: sender.start("a").finish(State.SUCCEEDED), 3_600.0
        )

    def test_with_one_that_hangs_it_waits_no_longer_than_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("headway.client.jobs.sender.UNRECORDED", 0.1)
        with ScriptedServer(lambda asked: Hang()) as server:
            assert self.closing(server, lambda sender: sender.start("a").finish(State.SUCCEEDED), 3_600.0) < 3_600.0

    def test_one_that_restarts_is_waited_for(self) -> None:
        headway, port = FakeHeadway(), free_port()
        with reporting(f"http://127.0.0.1:{port}") as sender:
            with ScriptedServer(headway, port=port):
                job = sender.start("command.cp")
                eventually(lambda: job.uuid)
            job.finish(State.SUCCEEDED)
            closing = threading.Thread(target=sender.close, args=(60.0,))
            closing.start()
            with ScriptedServer(headway, port=port):
                closing.join(60.0)
        assert headway.only["state"] == "succeeded"

    def test_a_job_that_never_said_how_it_ended_is_lost(self) -> None:
        headway = FakeHeadway()
        with ScriptedServer(headway) as server, reporting(server) as sender:
            job = sender.start("command.cp")
            eventually(lambda: job.uuid)
        assert (headway.only["state"], headway.only["error"]) == ("lost", "process_exited")

    @pytest.mark.parametrize(("last_words", "state"), [("job.finish(State.SUCCEEDED)", "succeeded"), ("", "lost")])
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_a_program_that_forgets_it_does_it_at_exit(self, host: str, last_words: str, state: str) -> None:
        headway = FakeHeadway()
        with ScriptedServer(headway) as server:
            script = (
                "from headway.client import Reporting\n"
                "from headway.client.address import Address\n"
                "from headway.core.activity import State\n"
                f"job = Reporting(Address('http://{host}:{server.port}')).start('a.b')\n"
                f"{last_words}\n"
            )
            done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert headway.only["state"] == state

    def test_it_may_be_done_twice_and_reports_after_it_are_harmless(self) -> None:
        sender = reporting(f"http://127.0.0.1:{free_port()}")
        job = sender.start("command.cp")
        sender.close()
        sender.close()
        job.report(10)
        job.finish(State.SUCCEEDED)
        with pytest.raises(RuntimeError):
            sender.start("command.cp")

    def test_a_sender_without_jobs_starts_no_thread(self) -> None:
        before = threading.active_count()
        with reporting("http://127.0.0.1:1"):
            assert threading.active_count() == before


def test_the_handle_says_what_is_wrong() -> None:
    with (
        ScriptedServer(lambda asked: refused(401, "not_authenticated", "bad token")) as server,
        reporting(server) as sender,
    ):
        job = sender.start("command.cp")
        problem: HeadwayError = eventually(lambda: job.problem)
    assert problem.message == "bad token"
    assert "t0k3n" not in repr(sender) + repr(job) + repr(problem)
