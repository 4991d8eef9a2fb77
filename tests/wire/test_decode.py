"""What the client reads: our answers, a real Plex's, and what is neither."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.activity import Activity, Scalar
from headway.core.scalars import shown
from headway.wire.decode import decode_identity, decode_list, decode_one, row_from
from headway.wire.errors import Unreadable
from headway.wire.formats import Format
from headway.wire.row import Row, row_of
from tests.wire.strategies import UUID, activities, an_activity, listed

JSON, XML = Format.JSON.content_type, Format.XML.content_type

PLEX_JSON = b"""{"MediaContainer":{"size":2,"Activity":[
 {"uuid":"d6199ba1-fb5e-4cae-bf17-1a5369c1cf1e","type":"provider.epg.load","cancellable":false,"userID":1,
  "title":"Refreshing EPG","subtitle":"Downloaded 173 airings","progress":7},
 {"uuid":"c3f190e4-eabb-4b3d-8811-b7c1f183560e","type":"library.update.section","cancellable":true,"userID":2,
  "title":"Scanning Photos","subtitle":"","progress":-1,"Context":{"librarySectionID":"1"}}]}}"""
PLEX_XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<MediaContainer size="2">
<Activity uuid="d6199ba1-fb5e-4cae-bf17-1a5369c1cf1e" type="provider.epg.load" cancellable="0" userID="1"
 title="Refreshing EPG" subtitle="Downloaded 173 airings" progress="7">
</Activity>
<Activity uuid="c3f190e4-eabb-4b3d-8811-b7c1f183560e" type="library.update.section" cancellable="1" userID="2"
 title="Scanning Photos" subtitle="" progress="-1">
<Context librarySectionID="1" />
</Activity>
</MediaContainer>
"""
PLEX_ROWS = [
    Row(
        uuid="d6199ba1-fb5e-4cae-bf17-1a5369c1cf1e",
        type="provider.epg.load",
        cancellable=False,
        user=1,
        title="Refreshing EPG",
        subtitle="Downloaded 173 airings",
        progress=7,
    ),
    Row(
        uuid="c3f190e4-eabb-4b3d-8811-b7c1f183560e",
        type="library.update.section",
        cancellable=True,
        user=2,
        title="Scanning Photos",
        subtitle="",
        progress=-1,
        context={"librarySectionID": "1"},
    ),
]


def test_what_a_real_plex_answers_is_read_from_both_forms() -> None:
    assert decode_list(PLEX_JSON, JSON) == PLEX_ROWS
    assert decode_list(PLEX_XML, "text/xml;charset=utf-8") == PLEX_ROWS
    assert decode_list(PLEX_XML, "application/xml") == PLEX_ROWS


@pytest.mark.parametrize("form", [Format.JSON, Format.XML])
def test_an_empty_list_is_no_rows(form: Format) -> None:
    assert decode_list(listed(format=form), form.content_type) == []


def as_text(bag: dict[str, Scalar] | None) -> dict[str, str] | None:
    return None if bag is None else {key: shown(value) for key, value in bag.items()}


@given(st.lists(activities, max_size=3))
def test_json_gives_back_the_rows_that_were_written(written: list[Activity]) -> None:
    assert decode_list(listed(*written), JSON) == [row_of(activity) for activity in written]


@given(activities)
def test_xml_gives_the_same_row_as_json_but_for_types_within_bags(activity: Activity) -> None:
    from_json = decode_one(listed(activity), JSON)
    from_xml = decode_one(listed(activity, format=Format.XML), XML)
    for name in Row.__struct_fields__:
        value = getattr(from_json, name)
        assert getattr(from_xml, name) == (as_text(value) if name in ("context", "response") else value)


def test_one_activity_is_a_list_of_one() -> None:
    assert decode_one(listed(an_activity(title="t")), JSON).title == "t"
    with pytest.raises(Unreadable, match=r"^one activity was expected, 0 came$"):
        decode_one(listed(), JSON)


def test_a_missing_content_type_is_taken_for_json() -> None:
    assert decode_list(PLEX_JSON, None) == PLEX_ROWS


@pytest.mark.parametrize(
    ("body", "content_type", "why"),
    [
        (b"<html></html>", JSON, "not JSON: "),
        (b"<html></html>", "text/html", "JSON or XML was expected, text/html came; is this a media server?"),
        (b"", JSON, "not JSON: "),
        (b"[]", JSON, "JSON, but not an object"),
        (b"{}", JSON, "a MediaContainer was expected"),
        (b'{"MediaContainer":[]}', JSON, "a MediaContainer was expected"),
        (b'{"MediaContainer":{"Activity":[7]}}', JSON, "an activity that is not an object"),
        (b'{"MediaContainer":{"Activity":[{"type":"a"}]}}', JSON, "an activity without a uuid"),
        (b'{"a":' * 100_000, JSON, "not JSON: "),
        (b"<html></html>", XML, "a MediaContainer was expected, html came"),
        (b"{}", XML, "not well-formed XML: "),
        (b"\xff", JSON, "not JSON: "),
    ],
)
def test_what_is_no_list_is_refused_saying_what_came(body: bytes, content_type: str, why: str) -> None:
    with pytest.raises(Unreadable) as caught:
        decode_list(body, content_type)
    assert caught.value.message.startswith(why)


BARE = Row(uuid=UUID, type="", cancellable=False, user=0, title="", subtitle="", progress=-1)


@pytest.mark.parametrize(
    ("members", "field", "value"),
    [
        ({"progress": "7"}, "progress", 7),
        ({"progress": 7.9}, "progress", 7),
        ({"progress": "7.9"}, "progress", 7),
        ({"progress": "full"}, "progress", -1),
        ({"progress": None}, "progress", -1),
        ({"progress": True}, "progress", -1),
        ({"cancellable": 1}, "cancellable", True),
        ({"cancellable": "1"}, "cancellable", True),
        ({"cancellable": "true"}, "cancellable", True),
        ({"cancellable": "0"}, "cancellable", False),
        ({"cancellable": []}, "cancellable", False),
        ({"userID": "3"}, "user", 3),
        ({"userID": "9007199254740993"}, "user", 9007199254740992),
        ({"title": 5}, "title", "5"),
        ({"title": None}, "title", ""),
        ({"title": ["x"]}, "title", ""),
        ({"title": "a\x1b[2Jb"}, "title", "a�[2Jb"),
        ({"Context": []}, "context", None),
        ({"Context": {}}, "context", None),
        ({"Context": "x"}, "context", None),
        ({"Context": {"a": None, "b": [], "c": 1, "d": "\x07"}}, "context", {"c": 1, "d": "�"}),
        ({"Context": [{"a": "1"}]}, "context", {"a": "1"}),
        ({"Response": {"a": True}}, "response", {"a": True}),
        ({"state": "dreaming"}, "state", "dreaming"),
        ({"fraction": "nan"}, "fraction", None),
        ({"fraction": "1e999"}, "fraction", None),
        ({"fraction": "0.25"}, "fraction", 0.25),
        ({"total": 10**400}, "total", None),
        ({"overdue": "1"}, "overdue", True),
        ({"stalled": True}, "stalled", True),
        ({"stalled": "1"}, "stalled", True),
        ({"stalled": "0"}, "stalled", False),
        ({"stalled": "long"}, "stalled", False),
        ({"weight": 2.5}, "weight", 2.5),
        ({"weight": "2.5"}, "weight", 2.5),
        ({"weight": "heavy"}, "weight", None),
        ({"timeout": 90}, "timeout", 90),
        ({"timeout": "90"}, "timeout", 90),
        ({"timeout": True}, "timeout", None),
        ({"cancelledBy": "2"}, "cancelled_by", 2),
        ({"somethingNew": {"deep": [1]}}, "title", ""),
    ],
)
def test_an_odd_member_is_read_as_well_as_can_be_or_counts_as_absent(
    members: dict[str, Any], field: str, value: object
) -> None:
    row = row_from({"uuid": UUID, **members})
    assert getattr(row, field) == value
    assert [name for name in Row.__struct_fields__ if getattr(row, name) != getattr(BARE, name)] in ([], [field])


def test_an_identity_without_anything_is_read() -> None:
    assert decode_identity(b'{"MediaContainer":{"claimed":false}}', JSON).claimed is False


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(Row.__struct_encode_fields__), inner),
)


@given(any_json)
def test_any_object_is_a_row_or_refused(members: object) -> None:
    try:
        row = row_from(members)
    except Unreadable:
        return
    assert row.uuid
    assert isinstance(row.progress, int)
