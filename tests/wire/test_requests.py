"""Each line of bad input has its clear answer, and good input comes out clean."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.activity import DEFAULT_GRACE, DEFAULT_STALL, State
from headway.core.errors import InvalidInput
from headway.core.lifecycle import Report, start
from headway.core.text import clean
from headway.wire.formats import Format
from headway.wire.plex import encode_row
from headway.wire.requests import Change, NewActivity, parse_change, parse_changes, parse_new_activity
from tests.wire.strategies import UUID, any_text

PARSERS: list[Callable[[bytes], object]] = [parse_new_activity, parse_change, parse_changes]


def new(**members: Any) -> NewActivity:
    return parse_new_activity(json.dumps({"type": "test.work", **members}).encode())


def change(**members: Any) -> Change:
    return parse_change(json.dumps(members).encode())


# The documents themselves.

DOCUMENTS: list[tuple[bytes, str]] = [
    (b"", "the body is empty; a JSON object was expected"),
    (b" \n", "the body is empty; a JSON object was expected"),
    (b"[]", "the body must be a JSON object, not []"),
    (b"null", "the body must be a JSON object, not null"),
    (b'"type"', 'the body must be a JSON object, not "type"'),
    (b"12", "the body must be a JSON object, not 12"),
    (b"{", "not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
    (b'{"title": "a"\n "b"}', "not JSON: Expecting ',' delimiter at line 2, column 2"),
    (b'{"title": "a"} x', "not JSON: Extra data at line 1, column 16"),
    (b'{"title": "a\nb"}', "not JSON: Invalid control character at at line 1, column 13"),
    (b"{\"title\": 'a'}", "not JSON: Expecting value at line 1, column 11"),
    (b'{"progress": 01}', "not JSON: Expecting ',' delimiter at line 1, column 15"),
    (b"<Activity/>", "not JSON: Expecting value at line 1, column 1"),
    (b'{"title":"\xff"}', "the body is not UTF-8: invalid start byte at byte 10"),
    (b'{"title":"\xed\xa0\x80"}', "the body is not UTF-8: invalid continuation byte at byte 10"),
    ('{"title":"a"}'.encode("utf-16"), "the body is not UTF-8: invalid start byte at byte 0"),
    (b"\xef\xbb\xbf{}", "the body begins with a byte order mark; JSON has none (RFC 8259, section 8.1)"),
    (b"[" * 17, "nested more than 16 deep at line 1, column 17"),
    (b'{"Context":\n ' + b'{"a":[' * 40_000, "nested more than 16 deep at line 2, column 49"),
    (b'{"progress": NaN}', "progress: NaN is not JSON"),
    (b'{"progress": Infinity}', "progress: Infinity is not JSON"),
    (b'{"Context": {"a": -Infinity}}', "Context.a: -Infinity is not JSON"),
    (b'{"progress": 1, "progress": 2}', 'the member "progress" is given twice'),
    (b'{"progress": 1, "pro\\u0067ress": 2}', 'the member "progress" is given twice'),
    (b'{"Context": {"a": 1, "b": 2, "a": 1}}', 'Context: the member "a" is given twice'),
    (b'{"completed": 9007199254740993}', "completed: the integer 9007199254740993 is beyond ±2^53"),
    (b'{"completed": -9007199254740993}', "completed: the integer -9007199254740993 is beyond ±2^53"),
    (
        b'{"Context": {"a": [0, 1' + b"0" * 5000 + b"]}}",
        "Context.a[1]: the integer 10000000000000000000000… is beyond ±2^53",
    ),
    (b'{"completed": 1e999}', "completed: the number 1e999 is too large"),
]


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(("body", "message"), DOCUMENTS)
def test_a_bad_document_is_refused_with_the_place(parse: Callable[[bytes], object], body: bytes, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(body)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "evil", [b'"' + b'\\"' * 500_000, b'"\\' * 500_000, b'"' * 65_000, b'{"":' * 16_000, b"\\" * 65_000]
)
def test_a_document_made_to_be_slow_is_refused_like_any_other(evil: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_change(evil)


def test_brackets_within_text_are_not_depth() -> None:
    assert change(title='[[[[[[[[[[[[[[[[[[[[{\\"[').report.title == '[[[[[[[[[[[[[[[[[[[[{\\"['


def test_depth_of_sixteen_is_not_too_deep() -> None:
    with pytest.raises(InvalidInput, match=r"^Context\.a: must be text"):
        parse_change(b'{"Context":{"a":' + b"[" * 14 + b"]" * 14 + b"}}")


@given(st.binary(max_size=200) | st.text('{}[]":,\\ua1e-. tru', max_size=80).map(str.encode))
def test_any_bytes_are_understood_or_refused(body: bytes) -> None:
    for parse in PARSERS:
        try:
            parse(body)
        except InvalidInput as error:
            assert error.message
            error.message.encode()


# The members.

BOTH: list[tuple[dict[str, Any], str]] = [
    ({"titel": "a"}, '"titel": no such member; did you mean title?'),
    ({"context": {}}, '"context": no such member; did you mean Context?'),
    ({"Progress": 1}, '"Progress": no such member; did you mean progress?'),
    ({"colour": UUID}, '"colour": no such member; there are title, subtitle, '),
    ({"\x1b[31m\ud800": 1}, '"\\u001b[31m�": no such member; '),
    ({"progress": 101}, "progress: must be a number from -1 to 100, not 101"),
    ({"progress": 100.5}, "progress: must be a number from -1 to 100, not 100.5"),
    ({"progress": -2}, "progress: must be a number from -1 to 100, not -2"),
    ({"progress": -0.5}, "progress: must be from 0 to 100, or -1 for indeterminate, not -0.5"),
    ({"progress": "50"}, 'progress: must be a number from -1 to 100, not "50"'),
    ({"progress": True}, "progress: must be a number from -1 to 100, not true"),
    ({"progress": None}, "progress: must be a number from -1 to 100, not null; leave the member out instead"),
    ({"progress": [1]}, "progress: must be a number from -1 to 100, not [1]"),
    ({"completed": -1}, "completed: must be a number from 0 to 2^53, not -1"),
    ({"total": "1"}, 'total: must be a number from 0 to 2^53, not "1"'),
    ({"total": False}, "total: must be a number from 0 to 2^53, not false"),
    ({"total": 1e300}, "total: must be a number from 0 to 2^53, not 1e+300"),
    ({"unit": "x" * 33}, "unit: must have at most 32 characters, not 33"),
    ({"title": 5}, "title: must be text, not 5"),
    ({"title": None}, "title: must be text, not null; leave the member out instead"),
    ({"title": "x" * 257}, "title: must have at most 256 characters, not 257"),
    ({"subtitle": "x" * 513}, "subtitle: must have at most 512 characters, not 513"),
    ({"subtitle": ["x" * 100]}, 'subtitle: must be text, not ["' + "x" * 57 + "…"),
    ({"Context": None}, "Context: must be an object, not null; leave the member out instead"),
    ({"Context": []}, "Context: must be an object, not []"),
    ({"Context": {"a": {}}}, "Context.a: must be text, a number, true or false, not {}"),
    ({"Context": {"a": []}}, "Context.a: must be text, a number, true or false, not []"),
    ({"Context": {"a": None}}, "Context.a: must be text, a number, true or false, not null; leave"),
    ({"Context": {"a": -1e300}}, "Context.a: a number must be within ±2^53, not -1e+300"),
    ({"Context": {"librarySectionID": 1}}, "Context.librarySectionID: must be text, not 1"),
    ({"Context": {f"k{n}": n for n in range(33)}}, "Context: must have at most 32 members, not 33"),
    ({"Context": {"a": "x" * 4089}}, "Context: must take at most 4096 bytes as JSON, not 4097"),
]
NEW: list[tuple[dict[str, Any], str]] = [
    ({"type": ""}, 'type: must be 1 to 128 characters out of A-Z a-z 0-9 . _ -, not ""'),
    ({"type": "a b"}, 'type: must be 1 to 128 characters out of A-Z a-z 0-9 . _ -, not "a b"'),
    ({"type": "a\n"}, 'type: must be 1 to 128 characters out of A-Z a-z 0-9 . _ -, not "a\\n"'),
    ({"type": "ä"}, 'type: must be 1 to 128 characters out of A-Z a-z 0-9 . _ -, not "ä"'),
    ({"type": "x" * 129}, "type: must be 1 to 128 characters out of A-Z a-z 0-9 . _ -, not "),
    ({"type": 1}, "type: must be 1 to 128 characters out of A-Z a-z 0-9 . _ -, not 1"),
    ({"type": None}, "type: must be 1 to 128 characters out of A-Z a-z 0-9 . _ -, not null; leave"),
    ({"cancellable": 1}, "cancellable: must be true or false, not 1"),
    ({"cancellable": "true"}, 'cancellable: must be true or false, not "true"'),
    ({"parentUUID": "x"}, 'parentUUID: must be the uuid of an activity, not "x"'),
    ({"parentUUID": 1}, "parentUUID: must be the uuid of an activity, not 1"),
    ({"userID": 0}, "userID: must be an integer of at least 1, not 0"),
    ({"userID": "1"}, 'userID: must be an integer of at least 1, not "1"'),
    ({"userID": 1.5}, "userID: must be an integer of at least 1, not 1.5"),
    ({"userID": True}, "userID: must be an integer of at least 1, not true"),
    ({"lease": 9.9}, "lease: must be a number from 10 to 86400, not 9.9"),
    ({"lease": 86401}, "lease: must be a number from 10 to 86400, not 86401"),
    ({"grace": -1}, "grace: must be a number from 0 to 300, not -1"),
    ({"grace": 301}, "grace: must be a number from 0 to 300, not 301"),
    ({"weight": 0}, "weight: must be a number from 0.001 to 1000000, not 0"),
    ({"weight": -1}, "weight: must be a number from 0.001 to 1000000, not -1"),
    ({"weight": 1e7}, "weight: must be a number from 0.001 to 1000000, not 10000000.0"),
    ({"weight": "2"}, 'weight: must be a number from 0.001 to 1000000, not "2"'),
    ({"weight": True}, "weight: must be a number from 0.001 to 1000000, not true"),
    ({"weight": None}, "weight: must be a number from 0.001 to 1000000, not null; leave the member out instead"),
    ({"timeout": 0}, "timeout: must be a number from 0.001 to 31622400, not 0"),
    ({"timeout": -5}, "timeout: must be a number from 0.001 to 31622400, not -5"),
    ({"timeout": 31622401}, "timeout: must be a number from 0.001 to 31622400, not 31622401"),
    ({"timeout": "60"}, 'timeout: must be a number from 0.001 to 31622400, not "60"'),
    ({"timeout": [60]}, "timeout: must be a number from 0.001 to 31622400, not [60]"),
    ({"timeout": None}, "timeout: must be a number from 0.001 to 31622400, not null; leave the member out instead"),
    ({"stall": 0}, "stall: must be a number from 1 to 86400, not 0"),
    ({"stall": 0.9}, "stall: must be a number from 1 to 86400, not 0.9"),
    ({"stall": 86401}, "stall: must be a number from 1 to 86400, not 86401"),
    ({"stall": False}, "stall: must be a number from 1 to 86400, not false"),
    ({"stall": None}, "stall: must be a number from 1 to 86400, not null; leave the member out instead"),
    ({"Weight": 1}, '"Weight": no such member; did you mean weight?'),
    ({"Response": {}}, '"Response": no such member; '),
    ({"state": "failed"}, '"state": no such member; '),
]
CHANGE: list[tuple[dict[str, Any], str]] = [
    ({"state": "running"}, 'state: must be one of succeeded, failed, cancelled, lost, not "running"'),
    ({"state": "cancelling"}, 'state: must be one of succeeded, failed, cancelled, lost, not "cancelling"'),
    ({"state": 1}, "state: must be one of succeeded, failed, cancelled, lost, not 1"),
    ({"error": "x"}, "error: only goes with a state of failed, cancelled or lost"),
    ({"error": "x", "state": "succeeded"}, "error: only goes with a state of failed, cancelled or lost"),
    ({"error": "x" * 2001, "state": "failed"}, "error: must have at most 2000 characters, not 2001"),
    ({"Response": {"a": "x" * 16384}}, "Response: must take at most 16384 bytes as JSON, not 16392"),
    ({"Response": []}, "Response: must be an object, not []"),
    ({"cancellable": True}, '"cancellable": no such member; '),
    ({"type": "a"}, '"type": no such member; '),
    ({"weight": 2}, '"weight": no such member; '),
    ({"timeout": 60}, '"timeout": no such member; '),
    ({"stall": 60}, '"stall": no such member; '),
]


@pytest.mark.parametrize(("members", "message"), BOTH + NEW)
def test_a_start_with_a_bad_member_is_refused_naming_it(members: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        new(**members)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(("members", "message"), BOTH + CHANGE)
def test_a_change_with_a_bad_member_is_refused_naming_it(members: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        change(**members)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("name", "value"),
    [("weight", 0.001), ("weight", 1e6), ("timeout", 0.001), ("timeout", 31_622_400), ("stall", 1), ("stall", 86_400)],
)
def test_the_limits_themselves_are_allowed(name: str, value: float) -> None:
    assert getattr(new(**{name: value}), name) == value


def test_a_start_that_asks_for_nothing_weighs_one_has_no_timeout_and_five_minutes_to_be_silent() -> None:
    asked = new()
    assert (asked.weight, asked.timeout, asked.stall) == (1.0, None, DEFAULT_STALL)


def test_a_start_needs_a_type() -> None:
    with pytest.raises(InvalidInput, match=r"^type: is missing$"):
        parse_new_activity(b"{}")


@pytest.mark.parametrize(
    "key", ["", "1a", "-a", ".a", "a b", "a:b", "ä", "a" * 65, "a\n", "a=", 'a"', "xmlns", "XML", "xMl.a", "\ud800"]
)
def test_a_context_key_that_is_no_attribute_name_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match=r"^Context: a member's name must be 1 to 64 characters"):
        new(Context={key: "x"})


# What is accepted.


def test_a_start_with_a_type_alone_has_the_defaults() -> None:
    assert new() == NewActivity(type="test.work", report=Report())
    assert new().grace == DEFAULT_GRACE
    assert new().cancellable is False
    assert new().lease is None


def test_a_start_with_everything() -> None:
    asked = new(
        title="t",
        subtitle="s",
        progress=12.5,
        completed=1,
        total=2.5,
        unit="files",
        cancellable=True,
        Context={"b": True, "a": "x"},
        parentUUID=UUID.upper(),
        userID=7,
        lease=30,
        grace=0,
    )
    assert asked == NewActivity(
        type="test.work",
        report=Report(
            title="t",
            subtitle="s",
            progress=12.5,
            completed=1,
            total=2.5,
            unit="files",
            context={"a": "x", "b": True},
        ),
        cancellable=True,
        parent=UUID,
        owner=7,
        lease=30,
        grace=0,
    )


def test_an_empty_change_is_a_heartbeat() -> None:
    assert change() == Change()
    assert change().is_heartbeat
    assert not change(subtitle="").is_heartbeat
    assert not change(state="succeeded").is_heartbeat


def test_a_change_with_an_end() -> None:
    assert change(state="failed", error="no\nroom", progress=50, Response={"size": 1}) == Change(
        report=Report(progress=50, response={"size": 1}), state=State.FAILED, error="no room"
    )


@pytest.mark.parametrize("progress", [-1, 0, 0.001, 100, 100.0])
def test_progress_at_its_bounds_is_accepted(progress: float) -> None:
    assert change(progress=progress).report.progress == progress


def test_length_counts_after_cleaning() -> None:
    assert new(title="x" * 256 + "\u202e" * 10).report.title == "x" * 256
    with pytest.raises(InvalidInput, match=r"not 300$"):
        new(title="\ufb2c" * 100)


def test_a_lone_surrogate_is_cleaned_not_refused() -> None:
    assert parse_change(b'{"title":"a\\ud800b","Context":{"k":"\\udfff"}}').report == Report(
        title="a�b", context={"k": "�"}
    )


def test_a_context_of_just_the_allowed_size_is_accepted() -> None:
    assert new(Context={"a": "x" * 4088}).report.context == {"a": "x" * 4088}
    assert len(new(Context={f"k{n}": n for n in range(32)}).report.context or {}) == 32


@given(st.dictionaries(st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z"), st.integers(0, 9), max_size=5))
def test_every_accepted_context_key_is_an_xml_attribute_name(context: dict[str, int]) -> None:
    try:
        report = new(Context=context).report
    except InvalidInput:
        assert any(key.lower().startswith("xml") for key in context)
        return
    element = ElementTree.fromstring(encode_row(start(UUID, "t", 1, 0.0, report=report), Format.XML))
    found = element.find("Context")
    assert (found.attrib if found is not None else {}) == {key: str(value) for key, value in context.items()}


@given(any_text, any_text)
def test_any_text_that_is_let_in_comes_out_the_same_in_json_and_xml(title: str, value: str) -> None:
    report = new(title=title, Context={"key": value}).report
    assert (report.title, report.context) == (clean(title), {"key": clean(value)})
    activity = start(UUID, "t", 1, 0.0, report=report)
    members = json.loads(encode_row(activity))
    element = ElementTree.fromstring(encode_row(activity, Format.XML))
    assert members["title"] == element.get("title") == clean(title)
    assert members["Context"]["key"] == element[0].get("key") == clean(value)
