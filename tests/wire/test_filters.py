"""The filters argument in every spelling that clients use."""

from __future__ import annotations

import pytest

from headway.wire.filters import DEFAULT, EVERYTHING, parse_filters

TABLE: list[tuple[list[str], set[str], set[str]]] = [
    # values, admitted, hidden
    ([], {"activity", "timeline", "snapshot"}, {"log"}),
    ([""], {"activity", "log"}, set()),
    (["", ""], {"activity", "log"}, set()),
    (["activity"], {"activity"}, {"log", "timeline"}),
    (["activity,timeline"], {"activity", "timeline"}, {"log"}),
    (["activity", "timeline"], {"activity", "timeline"}, {"log"}),
    ([" activity , timeline "], {"activity", "timeline"}, {"log"}),
    (["-log"], {"activity", "timeline"}, {"log"}),
    (["-activity,timeline"], {"log"}, {"activity", "timeline"}),
    (["-activity", "timeline"], {"log"}, {"activity", "timeline"}),
    (["-activity,-timeline"], {"log"}, {"activity", "timeline"}),
    (["activity,-timeline"], {"activity"}, {"timeline", "log"}),
    (["", "activity"], {"activity"}, {"log"}),
    (["activity,,"], {"activity"}, {"log"}),
    (["log"], {"log"}, {"activity"}),
    (["-"], {"activity", "log"}, set()),
    ([","], {"activity", "log"}, set()),
    (["ACTIVITY"], {"ACTIVITY"}, {"activity"}),
]


@pytest.mark.parametrize(("values", "admitted", "hidden"), TABLE)
def test_filters_admit_and_hide(values: list[str], admitted: set[str], hidden: set[str]) -> None:
    wanted = parse_filters(values)
    assert {type for type in admitted | hidden if wanted.admits(type)} == admitted


def test_equal_wishes_are_equal() -> None:
    assert parse_filters(["a,b"]) == parse_filters(["b", "a"])
    assert hash(parse_filters(["a,b"])) == hash(parse_filters(["b", "a"]))
    assert parse_filters([]) == DEFAULT == parse_filters(["-log"])
    assert parse_filters([""]) == EVERYTHING
