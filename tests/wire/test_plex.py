"""Rows and lists, byte for byte as Plex writes them, and ours behind Plex's members."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.activity import Activity, CancelRequest, State
from headway.core.progress import Children, Progress
from headway.core.scalars import shown
from headway.core.view import Kind
from headway.wire import row
from headway.wire.formats import Format
from headway.wire.plex import encode_list, encode_notification, encode_row
from headway.wire.row import Row
from tests.wire.strategies import UUID, activities, an_activity, listed

EPG = an_activity(
    uuid="d6199ba1-fb5e-4cae-bf17-1a5369c1cf1e",
    type="provider.epg.load",
    title="Refreshing EPG",
    subtitle="Downloaded 173 airings",
    progress=Progress(0.07),
)
CREDITS = an_activity(
    uuid="e3c8fe07-675b-47d0-b957-8ab8c20d0d18",
    type="media.generate.credits",
    title="Detecting Credits",
    subtitle="Firefly S01 E05",
    progress=Progress(None),
)
SCAN = an_activity(
    uuid="c3f190e4-eabb-4b3d-8811-b7c1f183560e",
    type="library.update.section",
    title="Scanning Photos",
    subtitle="4th Birthday",
    progress=Progress(0.3),
    context={"librarySectionID": "1"},
)
EVERYTHING = an_activity(
    title="t",
    subtitle="s",
    cancellable=True,
    state=State.CANCELLING,
    progress=Progress(1 / 3, completed=4.0, total=12, unit="files", rate=0.123456789),
    context={"z": "1", "a": True},
    response={"size": 12.0, "name": "x"},
    cancel=CancelRequest(at=3.00049, by=7, reason="too slow"),
    overdue=True,
    stalled=True,
    error="broken",
    parent="6f7c9a1b-5f56-4009-b7c2-374cd148b67f",
    weight=2.5,
    timeout=90.0,
    lease=30.0,
    started_at=1700000000.0,
    updated_at=1700000000.12345,
    reported_at=1700000000.5,
    ended_at=1700000001.25,
)


def test_a_json_list_is_byte_for_byte_what_plex_writes_with_our_members_behind() -> None:
    ours = b'"state":"running","startedAt":1,"updatedAt":2'
    assert listed(EPG, CREDITS) == (
        b'{"MediaContainer":{"size":2,"Activity":['
        b'{"uuid":"d6199ba1-fb5e-4cae-bf17-1a5369c1cf1e","type":"provider.epg.load","cancellable":false,"userID":1,'
        b'"title":"Refreshing EPG","subtitle":"Downloaded 173 airings","progress":7,'
        + ours.replace(b'ng",', b'ng","fraction":0.07,')
        + b'},{"uuid":"e3c8fe07-675b-47d0-b957-8ab8c20d0d18","type":"media.generate.credits","cancellable":false,'
        b'"userID":1,"title":"Detecting Credits","subtitle":"Firefly S01 E05","progress":-1,' + ours + b"}]}}"
    )


def test_an_xml_list_is_byte_for_byte_what_plex_writes_with_our_members_behind() -> None:
    assert listed(SCAN, format=Format.XML) == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<MediaContainer size="1">\n'
        b'<Activity uuid="c3f190e4-eabb-4b3d-8811-b7c1f183560e" type="library.update.section" cancellable="0"'
        b' userID="1" title="Scanning Photos" subtitle="4th Birthday" progress="30"'
        b' state="running" fraction="0.3" startedAt="1" updatedAt="2">\n'
        b'<Context librarySectionID="1" />\n'
        b"</Activity>\n"
        b"</MediaContainer>\n"
    )


def test_an_empty_list_has_a_size_and_no_activity() -> None:
    assert listed() == b'{"MediaContainer":{"size":0}}'
    assert listed(format=Format.XML) == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<MediaContainer size="0">\n</MediaContainer>\n'
    )


def test_all_members_come_in_the_documented_order() -> None:
    assert encode_row(EVERYTHING) == (
        b'{"uuid":"c3f190e4-eabb-4b3d-8811-b7c1f183560e","type":"test.work","cancellable":true,"userID":1,"title":"t",'
        b'"subtitle":"s","progress":33,"Context":{"a":true,"z":"1"},"Response":{"name":"x","size":12},'
        b'"state":"cancelling","fraction":0.333333,"completed":4,"total":12,"unit":"files","rate":0.123457,"eta":64.8,'
        b'"etaLow":4.993,"etaHigh":840.928,'
        b'"cancelRequested":true,"cancelRequestedAt":3,"cancelledBy":7,"cancelReason":"too slow","overdue":true,'
        b'"stalled":true,"error":"broken","parentUUID":"6f7c9a1b-5f56-4009-b7c2-374cd148b67f","weight":2.5,'
        b'"timeout":90,"lease":30,"startedAt":1700000000,'
        b'"updatedAt":1700000000.123,"lastReportAt":1700000000.5,"endedAt":1700000001.25}'
    )


def test_what_is_as_usual_is_not_said() -> None:
    usual = json.loads(encode_row(an_activity(weight=1.0, timeout=None, stalled=False)))
    assert not {"weight", "timeout", "stalled"} & set(usual)


@pytest.mark.parametrize(("fraction", "said"), [(0.9999999, 0.999999), (0.9999994, 0.999999), (1.0, 1), (0.5, 0.5)])
def test_only_what_is_complete_has_a_fraction_of_one(fraction: float, said: float) -> None:
    assert json.loads(encode_row(an_activity(progress=Progress(fraction))))["fraction"] == said


def test_a_rate_is_never_told_in_units_that_it_is_not_of() -> None:
    """Beside children a count tells of a part of the work, and the rate is that of the whole."""
    alone = Progress(0.5, completed=5, unit="files", rate=2.0)
    beside = msgspec.structs.replace(alone, children=Children(1.0, 0.5))
    assert json.loads(encode_row(an_activity(progress=alone)))["rate"] == 2
    assert "rate" not in json.loads(encode_row(an_activity(progress=beside)))


def test_xml_has_the_same_members_in_the_same_order_as_json() -> None:
    element = ElementTree.fromstring(encode_row(EVERYTHING, Format.XML))
    members = json.loads(encode_row(EVERYTHING))
    bags = {name: members.pop(name) for name in ("Context", "Response")}
    assert list(element.attrib) == list(members)
    assert element.attrib == {name: shown(value) for name, value in members.items()}
    assert {child.tag: child.attrib for child in element} == {
        name: {key: shown(value) for key, value in bag.items()} for name, bag in bags.items()
    }


@pytest.mark.parametrize("format", [Format.JSON, Format.XML])
def test_a_list_of_a_thousand_rows_is_its_rows_joined(format: Format) -> None:
    row = encode_row(SCAN, format)
    separator = b"," if format is Format.JSON else b""
    assert separator.join([row] * 1000) in encode_list([row] * 1000, format)


def test_a_notification_has_three_members_and_a_cursor_only_when_given() -> None:
    assert encode_notification(Kind.STARTED, UUID, b"{}") == (
        b'{"event":"started","uuid":"c3f190e4-eabb-4b3d-8811-b7c1f183560e","Activity":{}}'
    )
    assert encode_notification(Kind.ENDED, UUID, b"{}", 'a"b').endswith(b',"Activity":{},"cursor":"a\\"b"}')


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_left_out(value: float) -> None:
    activity = an_activity(
        progress=Progress(None, completed=value, total=value, rate=value), context={"a": value}, lease=value
    )
    members = json.loads(encode_row(activity))
    assert not {"completed", "total", "rate", "eta", "Context", "lease"} & set(members)


def test_a_count_too_large_to_have_units_stays_a_float() -> None:
    assert b'"completed":1e300' in encode_row(an_activity(progress=Progress(None, completed=1e300)))


@given(activities)
def test_any_activity_keeps_the_types_that_clients_rely_on(activity: Activity) -> None:
    members = json.loads(encode_row(activity), parse_constant=pytest.fail)
    assert [type(members[name]) for name in ("uuid", "type", "title", "subtitle")] == [str] * 4
    assert type(members["cancellable"]) is bool
    assert type(members["userID"]) is type(members["progress"]) is int
    assert -1 <= members["progress"] <= 100
    assert "null" not in [json.dumps(value) for value in members.values()]
    for name in ("Context", "Response"):
        assert list(members.get(name, {})) == sorted(members.get(name, {}))
        assert name not in members or (isinstance(members[name], dict) and members[name])


@given(st.lists(activities, max_size=3))
def test_any_list_is_well_formed_xml_with_every_text_intact(listed_activities: list[Activity]) -> None:
    container = ElementTree.fromstring(listed(*listed_activities, format=Format.XML))
    assert container.get("size") == str(len(listed_activities))
    for element, activity in zip(container, listed_activities, strict=True):
        assert element.get("title") == activity.title
        assert element.get("subtitle") == activity.subtitle
        assert element.get("error") == activity.error
        context = element.find("Context")
        assert (context.attrib if context is not None else {}) == {
            key: shown(value if not isinstance(value, float) else json.loads(encode_row(activity))["Context"][key])
            for key, value in (activity.context or {}).items()
        }


def test_the_documentation_names_every_member_we_add() -> None:
    documented = row.__doc__ or ""
    plex = ("uuid", "type", "cancellable", "userID", "title", "subtitle", "progress", "Context", "Response")
    added = [name for name in Row.__struct_encode_fields__ if name not in plex]
    assert [name for name in added if name not in documented] == []


@pytest.mark.parametrize(
    ("state", "percent"),
    [(State.SUCCEEDED, 100), (State.FAILED, 99), (State.CANCELLED, 99), (State.LOST, 99), (State.RUNNING, 100)],
)
def test_among_the_ended_only_success_reads_100(state: State, percent: int) -> None:
    full = msgspec.structs.replace(EVERYTHING, state=state, progress=Progress(1.0))
    assert json.loads(encode_row(full))["progress"] == percent
