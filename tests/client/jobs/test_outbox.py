"""The record of one job on its way to a server, whatever the server does."""

import json
import math
from itertools import count
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from headway.client.errors import NoConnection, Unreachable
from headway.client.exchange import Answer, Request
from headway.client.jobs.new_record import NewRecord
from headway.client.jobs.outbox import (
    HEARTBEAT,
    INTERVAL,
    LATE,
    MAX_ADVISED,
    MAX_RETRY,
    REFUSED,
    RETRY,
    OnLoss,
    Outbox,
)
from headway.client.jobs.parts import PARTS
from headway.core.activity import State
from headway.core.lifecycle import Report
from headway.wire.decode import row_from
from tests.client.scripted_server import OTHER, UUID, row

BEGAN = 1_700_000_000.0
GONE = Unreachable("nobody there")


def outbox(on_loss: OnLoss = OnLoss.STOP) -> Outbox:
    keys = (f"key-{number}" for number in count(1))
    record = NewRecord("command.cp", Report(title="cp", context={"host": "a"}))
    return Outbox(record, 0.0, BEGAN, on_loss=on_loss, new_key=lambda: next(keys), jitter=lambda: 1.0)


def shown(uuid: str = UUID, **members: Any) -> Answer:
    container = {"size": 1, "Activity": [row(uuid, **members)]}
    return Answer(200, {"content-type": "application/json"}, json.dumps({"MediaContainer": container}).encode())


def refusal(status: int, reason: str, **headers: str) -> Answer:
    body = {"errors": [{"code": 0, "reason": reason, "message": reason, "status": status}]}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/json", **named}, json.dumps(body).encode())


def recorded(on_loss: OnLoss = OnLoss.STOP) -> Outbox:
    box = outbox(on_loss)
    box.next(0.0)
    box.answered(shown(), 0.0)
    return box


def sent(request: Request) -> Any:
    return json.loads(request.body or b"null")


def key(request: Request) -> str:
    return dict(request.headers)["Idempotency-Key"]


class TestStart:
    def test_it_is_due_at_once(self) -> None:
        box = outbox()
        assert box.due() == 0.0
        request = box.next(0.0)
        assert (request.method, sent(request)["title"]) == ("POST", "cp")

    def test_it_is_said_again_with_the_same_key_and_words(self) -> None:
        box = outbox()
        first = box.next(0.0)
        box.unanswered(GONE, 0.0)
        box.report(Report(progress=50.0))
        second = box.next(box.due())
        assert (key(first), first.body) == (key(second), second.body)

    def test_waits_grow_and_are_bounded(self) -> None:
        box, waits = outbox(), []
        for _ in range(8):
            before = box.due()
            box.next(before)
            box.unanswered(GONE, before)
            waits.append(box.due() - before)
        assert waits[:3] == [RETRY, 2 * RETRY, 4 * RETRY]
        assert waits[-1] == MAX_RETRY

    @pytest.mark.parametrize(("status", "reason"), [(429, "too_many"), (503, "unavailable"), (507, "storage_full")])
    def test_a_full_server_is_given_the_time_it_asks_for(self, status: int, reason: str) -> None:
        box = outbox()
        box.next(0.0)
        box.answered(refusal(status, reason, retry_after="7"), 0.0)
        assert box.due() == 7.0
        box.next(7.0)
        box.answered(refusal(status, reason, retry_after="86400"), 7.0)
        assert box.due() == 7.0 + MAX_ADVISED

    @pytest.mark.parametrize(("status", "reason"), [(401, "not_authenticated"), (403, "not_allowed"), (400, "x")])
    def test_a_refusal_for_good_is_met_rarely_but_on_and_on(self, status: int, reason: str) -> None:
        box = outbox()
        box.next(0.0)
        box.answered(refusal(status, reason), 0.0)
        assert box.due() == REFUSED
        assert box.problem is not None
        assert not box.over

    def test_a_late_one_says_when_the_job_really_began(self) -> None:
        box = outbox()
        box.unanswered(GONE, 0.0)
        box.next(LATE + 1)
        box.answered(shown(), LATE + 1)
        context = sent(box.next(LATE + 2))["Context"]
        assert context == {"startedAt": "2023-11-14T22:13:20.000+00:00"}

    def test_a_prompt_one_does_not(self) -> None:
        assert recorded().due() == HEARTBEAT


class TestReports:
    def test_the_latest_word_wins(self) -> None:
        box = recorded()
        for percent in range(50):
            box.report(Report(progress=float(percent)))
        assert box.due() == INTERVAL
        assert sent(box.next(INTERVAL)) == {"progress": 49.0}

    def test_what_did_not_arrive_is_said_again_unless_there_is_newer(self) -> None:
        box = recorded()
        box.report(Report(progress=10.0, subtitle="a"))
        box.next(1.0)
        box.report(Report(progress=20.0))
        box.unanswered(GONE, 1.0)
        assert sent(box.next(box.due())) == {"progress": 20.0, "subtitle": "a"}

    def test_silence_is_broken_by_a_sign_of_life(self) -> None:
        box = recorded()
        assert box.due() == HEARTBEAT
        assert sent(box.next(HEARTBEAT)) == {}

    def test_a_report_that_the_server_finds_wrong_is_dropped_and_the_job_goes_on(self) -> None:
        box = recorded()
        box.report(Report(progress=10.0))
        box.next(1.0)
        box.answered(refusal(400, "invalid_input"), 1.0)
        assert box.due() == 1.0 + HEARTBEAT
        assert sent(box.next(box.due())) == {}

    def test_while_a_lease_runs_no_advice_makes_it_wait_for_long(self) -> None:
        box = recorded()
        box.next(0.0)
        box.answered(refusal(503, "unavailable", retry_after="600"), 0.0)
        assert box.due() <= HEARTBEAT

    def test_a_proxy_s_404_is_no_word_of_headway_s(self) -> None:
        box = recorded(OnLoss.CONTINUE)
        box.next(0.0)
        box.answered(Answer(404, {"content-type": "text/html"}, b"<h1>404</h1>"), 0.0)
        assert box.uuid == UUID

    def test_garbage_in_place_of_an_answer_is_waited_out(self) -> None:
        box = recorded()
        box.report(Report(progress=10.0))
        box.next(1.0)
        box.answered(Answer(200, {"content-type": "text/html"}, b"<h1>Welcome</h1>"), 1.0)
        assert sent(box.next(box.due())) == {"progress": 10.0}


class TestEnd:
    def test_it_carries_the_last_news(self) -> None:
        box = recorded()
        box.report(Report(progress=99.0))
        box.finish(State.FAILED, "exit status 3")
        assert box.due() == 0.0
        assert sent(box.next(0.0)) == {"progress": 99.0, "state": "failed", "error": "exit status 3"}
        box.answered(shown(state="failed"), 0.0)
        assert (box.over, box.due(), box.problem) == (True, math.inf, None)

    def test_the_first_word_counts(self) -> None:
        box = recorded()
        box.finish(State.SUCCEEDED)
        box.finish(State.LOST, "process_exited")
        assert sent(box.next(0.0))["state"] == "succeeded"

    def test_one_that_comes_before_the_start_was_recorded_follows_it(self) -> None:
        box = outbox()
        box.finish(State.SUCCEEDED)
        assert box.next(0.0).method == "POST"
        box.answered(shown(), 0.0)
        assert sent(box.next(0.0)) == {"state": "succeeded"}

    def test_one_whose_answer_was_lost_turns_out_to_be_on_record(self) -> None:
        box = recorded()
        box.finish(State.SUCCEEDED)
        box.next(0.0)
        box.unanswered(GONE, 0.0)
        box.next(1.0)
        box.answered(refusal(409, "already_ended"), 1.0)
        assert box.next(1.0).method == "GET"
        box.answered(shown(state="succeeded"), 1.0)
        assert (box.over, box.problem) == (True, None)

    def test_the_state_it_ended_in_is_known_afterwards(self) -> None:
        box = recorded()
        box.finish(State.FAILED, "no disk")
        box.next(0.0)
        box.answered(shown(state="failed"), 0.0)
        assert (box.over, box.state) == (True, "failed")

    def test_an_end_that_somebody_else_recorded_stands(self) -> None:
        box = recorded()
        box.finish(State.SUCCEEDED)
        box.next(0.0)
        box.answered(refusal(409, "already_ended"), 0.0)
        box.next(0.0)
        box.answered(shown(state="failed"), 0.0)
        assert box.over
        assert "somebody else" in str(box.problem)

    def test_a_stop_without_a_cancel_on_record_is_a_failure(self) -> None:
        box = recorded()
        box.finish(State.CANCELLED)
        box.next(0.0)
        box.answered(refusal(409, "illegal_transition"), 0.0)
        assert sent(box.next(0.0))["state"] == "failed"

    def test_children_that_still_run_are_waited_for(self) -> None:
        box = recorded()
        box.finish(State.SUCCEEDED)
        box.next(0.0)
        box.answered(refusal(409, "children_running"), 0.0)
        assert sent(box.next(box.due()))["state"] == "succeeded"

    def test_and_what_was_said_before_the_end_is_shown_meanwhile(self) -> None:
        box = recorded()
        box.report(Report(subtitle="renaming"))
        box.finish(State.SUCCEEDED)
        box.next(0.0)
        box.answered(refusal(409, "children_running"), 0.0)
        assert sent(box.next(box.due())) == {"subtitle": "renaming"}
        box.answered(shown(), 1.0)
        assert sent(box.next(box.due())) == {"state": "succeeded"}
        box.answered(refusal(409, "children_running"), 1.0)
        assert box.due() > 1.0
        assert sent(box.next(box.due())) == {"state": "succeeded"}

    def test_that_of_a_whole_waits_until_its_parts_are_on_record(self) -> None:
        whole, part = recorded(), outbox()
        whole.adopt(part)
        whole.finish(State.SUCCEEDED)
        assert (whole.depends, whole.due()) == (True, HEARTBEAT)
        assert sent(whole.next(HEARTBEAT)) == {}
        whole.answered(shown(), HEARTBEAT)
        part.next(HEARTBEAT)
        part.answered(shown(OTHER), HEARTBEAT)
        assert not whole.depends
        assert sent(whole.next(whole.due())) == {"state": "succeeded"}

    def test_parts_that_are_on_record_are_forgotten(self) -> None:
        whole = recorded()
        for _ in range(1_000):
            whole.adopt(recorded())
        assert len(whole._parts) <= PARTS

    def test_but_not_for_what_the_server_will_not_record(self) -> None:
        whole, part = recorded(), outbox()
        whole.adopt(part)
        whole.finish(State.SUCCEEDED)
        part.next(0.0)
        part.answered(refusal(403, "not_allowed"), 0.0)
        assert whole.due() == 0.0


class TestCancel:
    def test_the_reply_to_a_report_tells_of_it(self) -> None:
        box = recorded()
        box.report(Report(progress=1.0))
        box.next(1.0)
        box.answered(shown(state="cancelling", cancelRequested=True), 1.0)
        assert box.stop == "cancel_requested"

    def test_so_does_anything_else_that_is_seen_of_it(self) -> None:
        box = recorded()
        box.seen(row_from(row(state="cancelling", cancelRequested=True)), 1.0)
        assert box.stop == "cancel_requested"

    def test_what_is_seen_of_another_activity_means_nothing(self) -> None:
        box = recorded()
        box.seen(row_from(row(OTHER, state="cancelling", cancelRequested=True)), 1.0)
        assert box.stop is None


class TestLoss:
    @staticmethod
    def lose(box: Outbox, reason: str, **members: Any) -> None:
        box.next(1.0)
        box.answered(refusal(409, "lease_lost"), 1.0)
        assert box.next(1.0).method == "GET"
        box.answered(shown(state="lost", error=reason, **members), 1.0)

    def test_a_worker_stops(self) -> None:
        box = recorded(OnLoss.STOP)
        self.lose(box, "lease_expired")
        assert (box.stop, box.over) == ("lease_lost", True)

    def test_a_job_that_nobody_else_does_goes_on_under_a_new_activity(self) -> None:
        box = recorded(OnLoss.CONTINUE)
        box.report(Report(progress=40.0, subtitle="x"))
        self.lose(box, "lease_expired")
        assert (box.stop, box.over, box.uuid) == (None, False, None)
        again = box.next(box.due())
        assert sent(again)["Context"] == {"continues": UUID, "host": "a"}
        assert key(again) == "key-2"
        box.answered(shown(OTHER), 5.0)
        told = sent(box.next(box.due()))
        assert (told["progress"], told["subtitle"]) == (40.0, "x")

    def test_one_given_up_by_force_stops_whatever_it_is(self) -> None:
        box = recorded(OnLoss.CONTINUE)
        self.lose(box, "abandoned")
        assert (box.stop, box.over) == ("abandoned", True)

    def test_one_that_was_being_cancelled_stays_lost(self) -> None:
        box = recorded(OnLoss.CONTINUE)
        self.lose(box, "lease_expired", cancelRequested=True)
        assert (box.stop, box.over) == ("cancel_requested", True)

    def test_an_end_that_comes_too_late_gets_a_record_of_its_own(self) -> None:
        box = recorded(OnLoss.CONTINUE)
        box.finish(State.SUCCEEDED)
        self.lose(box, "lease_expired")
        assert box.next(box.due()).method == "POST"
        box.answered(shown(OTHER), 60.0)
        assert sent(box.next(60.0))["state"] == "succeeded"

    def test_a_server_that_forgets_is_told_again(self) -> None:
        box = recorded(OnLoss.STOP)
        box.report(Report(progress=40.0))
        box.next(1.0)
        box.answered(refusal(404, "not_found"), 1.0)
        assert box.next(box.due()).method == "POST"
        box.answered(shown(OTHER), 1.5)
        assert sent(box.next(box.due()))["progress"] == 40.0

    def test_one_that_forgets_all_the_time_is_told_ever_more_rarely(self) -> None:
        box, now, starts = recorded(), 0.0, []
        for _ in range(8):
            box.next(now := box.due())
            box.answered(refusal(404, "not_found"), now)
            starts.append(box.due() - now)
            box.next(now := box.due())
            box.answered(shown(), now)
        assert starts == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0])

    def test_an_answer_about_the_former_record_is_ignored(self) -> None:
        box = recorded(OnLoss.CONTINUE)
        box.next(1.0)
        box.seen(row_from(row(state="lost", error="lease_expired")), 1.0)
        box.answered(refusal(409, "lease_lost"), 1.0)
        assert box.next(box.due()).method == "POST"


class TestHurry:
    def test_it_tries_at_once_and_then_every_moment(self) -> None:
        box = recorded()
        box.next(0.0)
        for _ in range(9):
            box.unanswered(GONE, 0.0)
        box.finish(State.SUCCEEDED)
        box.hurry(1.0)
        assert box.due() == 1.0
        box.next(1.0)
        box.unanswered(GONE, 1.0)
        assert box.due() <= 1.0 + RETRY
        assert not box.hopeless

    def test_a_job_that_no_server_has_heard_of_is_tried_until_there_is_nobody_to_tell(self) -> None:
        box = outbox()
        box.next(0.0)
        box.unanswered(GONE, 0.0)
        box.finish(State.SUCCEEDED)
        box.hurry(1.0)
        assert not box.hopeless
        box.next(1.0)
        box.unanswered(GONE, 1.0)
        assert not box.hopeless
        box.next(2.0)
        box.unanswered(NoConnection("refused"), 2.0)
        assert box.hopeless

    def test_there_is_no_hope_with_a_server_that_refuses(self) -> None:
        box = recorded()
        box.finish(State.SUCCEEDED)
        box.hurry(1.0)
        box.next(1.0)
        box.answered(refusal(401, "not_authenticated"), 1.0)
        assert box.hopeless


class AgainstAServer(RuleBasedStateMachine):
    """A server that answers, loses answers, restarts, forgets and expires leases, in any order: at the end, once it
    answers again, the newest record tells how the job ended, and nothing was started twice under one key.
    """

    def __init__(self) -> None:
        super().__init__()
        self.box = outbox(OnLoss.CONTINUE)
        self.now = 0.0
        self.by_key: dict[str, str] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.progress: float | None = None
        self.finished = False

    def serve(self, request: Request) -> Answer:
        if request.method == "POST":
            uuid = self.by_key.setdefault(key(request), f"{len(self.by_key):08d}-0000-4000-8000-000000000000")
            self.records.setdefault(uuid, {"state": "running", "progress": None})
            return shown(uuid, state=self.records[uuid]["state"])
        uuid = request.path.rpartition("/")[2]
        record = self.records.get(uuid)
        if record is None:
            return refusal(404, "not_found")
        if request.method == "PATCH":
            if record["state"] == "lost":
                return refusal(409, "lease_lost")
            if record["state"] != "running":
                return refusal(409, "already_ended")
            record.update(sent(request))
        return shown(uuid, state=record["state"], error="lease_expired")

    def step(self, *, arrives: bool = True, returns: bool = True) -> None:
        self.now = max(self.now, self.box.due())
        request = self.box.next(self.now)
        answer = self.serve(request) if arrives else None
        if answer is None or not returns:
            self.box.unanswered(GONE, self.now)
        else:
            self.box.answered(answer, self.now)

    @precondition(lambda self: not self.box.over)
    @rule()
    def exchange(self) -> None:
        self.step()

    @precondition(lambda self: not self.box.over)
    @rule()
    def lose_the_request(self) -> None:
        self.step(arrives=False)

    @precondition(lambda self: not self.box.over)
    @rule()
    def lose_the_answer(self) -> None:
        self.step(returns=False)

    @precondition(lambda self: not self.finished)
    @rule(progress=st.integers(0, 99))
    def report(self, progress: int) -> None:
        self.progress = float(progress)
        self.box.report(Report(progress=self.progress))

    @rule()
    def finish(self) -> None:
        self.finished = True
        self.box.finish(State.SUCCEEDED)

    @precondition(lambda self: not self.box.over)
    @rule()
    def lease_expires(self) -> None:
        for record in self.records.values():
            if record["state"] == "running":
                record["state"] = "lost"

    @precondition(lambda self: not self.finished)
    @rule()
    def server_forgets(self) -> None:
        self.records.clear()

    @invariant()
    def at_most_one_record_is_running(self) -> None:
        assert sum(record["state"] == "running" for record in self.records.values()) <= 1

    def teardown(self) -> None:
        self.finish()
        for _ in range(20):
            if self.box.over:
                break
            self.step()
        assert self.box.over
        assert self.box.uuid is not None
        record = self.records[self.box.uuid]
        assert (record["state"], record["progress"]) == ("succeeded", self.progress)


TestAgainstAServer = AgainstAServer.TestCase
