"""What is asked of a server, and what its answers become."""

import json
import pickle
from typing import Any

import pytest

from headway.client import calls
from headway.client.errors import Redirected
from headway.client.exchange import Answer
from headway.core.activity import State
from headway.core.errors import (
    HeadwayError,
    InvalidInput,
    LeaseLost,
    NotAuthenticated,
    NotCancellable,
    NotFound,
    StorageFull,
    TooMany,
)
from headway.core.lifecycle import Report
from headway.wire.errors import Unreadable
from headway.wire.requests import parse_change, parse_new_activity
from tests.client.scripted_server import OTHER, UUID, row

JSON = {"content-type": "application/json"}


def answer(document: Any, status: int = 200, headers: dict[str, str] = JSON) -> Answer:
    return Answer(status, headers, json.dumps(document).encode())


def one(**members: Any) -> Answer:
    return answer({"MediaContainer": {"size": 1, "Activity": [row(**members)]}})


def test_a_start_says_what_the_server_reads() -> None:
    report = Report(title="Copying", progress=-1, context={"host": "a"})
    call = calls.start("command.cp", report, cancellable=True, lease=30.0, grace=5.0, key="k")
    assert ("Idempotency-Key", "k") in call.request.headers
    new = parse_new_activity(call.request.body or b"")
    assert (new.type, new.cancellable, new.lease, new.grace) == ("command.cp", True, 30.0, 5.0)
    assert new.report == report


def test_a_start_of_a_part_says_its_share_and_its_times() -> None:
    call = calls.start("command.cp", parent=UUID, weight=2.5, timeout=90.0, stall=20.0)
    new = parse_new_activity(call.request.body or b"")
    assert (new.parent, new.weight, new.timeout, new.stall) == (UUID, 2.5, 90.0, 20.0)


def test_a_report_says_what_the_server_reads() -> None:
    report = Report(completed=3, total=10, unit="files", subtitle="c", response={"n": 1})
    change = parse_change(calls.change(UUID, report, state=State.FAILED, error="exit status 3").request.body or b"")
    assert (change.report, change.state, change.error) == (report, State.FAILED, "exit status 3")


def test_a_sign_of_life_is_an_empty_report() -> None:
    assert parse_change(calls.change(UUID).request.body or b"").is_heartbeat


def test_waiting_is_asked_for_in_the_query_and_granted_in_the_patience() -> None:
    request = calls.get(UUID, wait=2.5, known="running").request
    assert dict(request.query) == {"wait": "2.5", "state": "running"}
    assert request.patience == 2.5


def test_whole_seconds_have_no_point() -> None:
    assert dict(calls.cancel(UUID, wait=10.0, force=True).request.query) == {"wait": "10", "force": "1"}


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    assert calls.get("../identity?x=/y").request.path == "/activities/..%2Fidentity%3Fx%3D%2Fy"


def test_a_stream_begins_with_a_snapshot_or_after_a_cursor() -> None:
    assert dict(calls.stream_query()) == {"filters": "activity", "snapshot": "1"}
    assert dict(calls.stream_query(since="abc", type="a.b")) == {"filters": "activity", "since": "abc", "type": "a.b"}


def test_a_list_comes_with_its_cursor() -> None:
    call = calls.list_activities(context={"librarySectionID": "3"})
    assert dict(call.request.query) == {"Context.librarySectionID": "3"}
    page = call.read(
        answer({"MediaContainer": {"size": 1, "Activity": [row()]}}, headers={**JSON, "x-headway-cursor": "c9"})
    )
    assert (page.cursor, [each.uuid for each in page.rows]) == ("c9", [UUID])


def test_of_a_server_that_gives_all_only_what_was_asked_for_is_taken() -> None:
    rows = [row(UUID, title="Scanning Films", Context={"librarySectionID": "3"}), row(OTHER, type="butler", state=None)]
    whole = answer({"MediaContainer": {"size": 2, "Activity": [{k: v for k, v in r.items() if v} for r in rows]}})

    def listed(**wanted: Any) -> list[str]:
        return [each.uuid for each in calls.list_activities(**wanted).read(whole).rows]

    assert listed() == [UUID, OTHER]
    assert listed(type="butler") == listed(state=State.RUNNING, type="butler") == [OTHER]
    assert listed(text="FILMS") == listed(context={"librarySectionID": "3"}) == [UUID]
    assert listed(context={"librarySectionID": "4"}) == listed(parent=OTHER) == listed(state=State.CANCELLING) == []


def test_one_activity_is_a_list_of_one() -> None:
    assert calls.get(UUID).read(one(state="cancelling")).state == "cancelling"
    with pytest.raises(Unreadable):
        calls.get(UUID).read(answer({"MediaContainer": {"size": 0}}))


def test_a_cancel_tells_the_state() -> None:
    assert calls.cancel(UUID).read(Answer(200, {"x-headway-state": "cancelled"})).state == "cancelled"
    assert calls.cancel(UUID).read(Answer(200, {})).state is None


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (400, "invalid_input", InvalidInput),
        (401, "not_authenticated", NotAuthenticated),
        (404, "not_found", NotFound),
        (409, "lease_lost", LeaseLost),
        (429, "too_many", TooMany),
        (507, "storage_full", StorageFull),
    ],
)
def test_a_refusal_becomes_its_error(status: int, reason: str, error: type[HeadwayError]) -> None:
    document = {"errors": [{"code": 1, "reason": reason, "message": "because", "status": status}]}
    with pytest.raises(error, match="because"):
        calls.get(UUID).read(answer(document, status))


def test_html_in_place_of_json_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        calls.list_activities().read(Answer(200, {"content-type": "text/html"}, b"<html>"))


def test_a_redirect_is_told_without_its_query() -> None:
    with pytest.raises(Redirected, match=r"302 .*: http://evil\.example/x$"):
        calls.get(UUID).read(Answer(302, {"location": "http://evil.example/x?token=secret"}))


@pytest.mark.parametrize(
    ("value", "seconds"), [("3", 3.0), (" 12 ", 12.0), ("soon", None), ("-1", None), ("9" * 9, None)]
)
def test_retry_after_is_read_where_it_is_seconds(value: str, seconds: float | None) -> None:
    assert Answer(503, {"retry-after": value}).retry_after == seconds


def test_a_page_that_refuses_a_cancel_says_that_it_cannot_be_cancelled() -> None:
    page = Answer(400, {"content-type": "text/html"}, b"<html><head><title>Bad Request</title></head></html>")
    with pytest.raises(NotCancellable) as raised:
        calls.cancel(UUID).read(page)
    assert raised.value.message == "This activity cannot be cancelled."
    again = pickle.loads(pickle.dumps(raised.value))
    assert (type(again), again.answer) == (type(raised.value), page)
    told = answer({"errors": [{"code": 4000, "message": "wait: -1", "status": 400, "reason": "invalid_input"}]}, 400)
    with pytest.raises(InvalidInput, match="wait: -1"):
        calls.cancel(UUID).read(told)


def test_output_is_text_and_does_nothing_to_a_terminal() -> None:
    call = calls.output(UUID)
    assert call.request.path == f"/activities/{UUID}/output"
    plain = {"content-type": "text/plain;charset=utf-8"}
    assert call.read(Answer(200, plain, "one\n\ttwö \x1b[1m\u202e\r\n".encode())) == "one\n\ttwö \ufffd[1m\n"
    assert call.read(Answer(200, plain, b"")) == ""
    with pytest.raises(Unreadable, match="text/html"):
        call.read(Answer(200, {"content-type": "text/html"}, b"<html>"))
    with pytest.raises(NotFound):
        call.read(answer({"errors": [{"code": 4040, "message": "no", "status": 404, "reason": "not_found"}]}, 404))
