"""Rows: each record is encoded once for everyone who is sent it."""

from __future__ import annotations

import pytest

from headway.core.activity import Activity
from headway.core.lifecycle import as_started
from headway.server import rows
from headway.server.rows import Rows
from headway.wire.formats import Format
from headway.wire.plex import encode_row
from tests.wire.strategies import an_activity, listed


class Counting:
    """Encodes, and remembers what."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Format]] = []

    def __call__(self, activity: Activity, format: Format) -> bytes:
        self.done.append((activity.uuid, format))
        return encode_row(activity, format)


def test_a_record_is_encoded_once_a_format() -> None:
    encode, activity = Counting(), an_activity(uuid="a")
    kept = Rows(encode)
    for _ in range(3):
        assert kept.row(activity) == encode_row(activity)
        assert kept.row(activity, Format.XML) == encode_row(activity, Format.XML)
    assert encode.done == [("a", Format.JSON), ("a", Format.XML)]


def test_a_newer_record_takes_the_place_of_the_older() -> None:
    kept = Rows()
    old, new = an_activity(title="old", revision=1), an_activity(title="new", revision=2)
    assert [b'"old"' in kept.row(old), b'"new"' in kept.row(new), b'"old"' in kept.row(old)] == [True] * 3


def test_a_record_rewound_to_its_start_is_another() -> None:
    kept, activity = Rows(), an_activity(error="broken", revision=1, started_revision=1)
    assert b"broken" in kept.row(activity)
    assert b"broken" not in kept.row(as_started(activity))


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "CAPACITY", 10)
    encode = Counting()
    kept = Rows(encode)
    many = [an_activity(uuid=f"{number}") for number in range(100)]
    for activity in many:
        kept.row(activity)
    assert max(len(each) for each in kept._kept.values()) <= 10
    assert [kept.row(activity) for activity in many] == [encode_row(activity) for activity in many]


@pytest.mark.parametrize("format", [Format.JSON, Format.XML])
def test_a_list_is_what_it_would_be_without_it(format: Format) -> None:
    kept, activities = Rows(), [an_activity(uuid=f"{number}") for number in range(3)]
    assert kept.list(activities, format) == kept.list(activities, format) == listed(*activities, format=format)
    assert kept.list([], format) == listed(format=format)
