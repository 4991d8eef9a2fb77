"""Outcomes of many changes: what is written is read again."""

from __future__ import annotations

import json

import pytest

from headway.core import errors
from headway.core.errors import HeadwayError
from headway.wire.batch import decode_outcomes, encode_outcomes
from headway.wire.errors import Unreadable

ROW = b'{"uuid":"a","type":"t"}'


def test_errors_are_read_as_what_they_were() -> None:
    refused: dict[str, HeadwayError] = {"b": errors.LeaseLost("gone"), "c": errors.NotFound()}
    told = decode_outcomes(encode_outcomes([ROW], refused))
    assert list(told.rows) == ["a"]
    assert {uuid: (type(error), error.message) for uuid, error in told.errors.items()} == {
        "b": (errors.LeaseLost, "gone"),
        "c": (errors.NotFound, "There is no such activity."),
    }


def test_without_errors_there_is_no_such_member() -> None:
    assert "errors" not in json.loads(encode_outcomes([ROW], {}))
    assert json.loads(encode_outcomes([], {})) == {"MediaContainer": {"size": 0}}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"MediaContainer":{},"errors":{}}', b"<html></html>"])
def test_what_is_something_else_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        decode_outcomes(body)


def test_what_makes_no_sense_among_the_errors_is_passed_over() -> None:
    body = b'{"MediaContainer":{},"errors":[5,{},{"uuid":7},{"uuid":"a","status":"x"},{"uuid":"b","status":409}]}'
    told = decode_outcomes(body)
    assert {uuid: type(error) for uuid, error in told.errors.items()} == {"a": HeadwayError, "b": errors.Conflict}
