"""Which activities are wanted."""

from typing import Any

import pytest

from headway.client.live.narrowing import Narrowing
from headway.wire.decode import row_from
from tests.client.scripted_server import OTHER, UUID
from tests.client.streams import plex_row

SCAN = {"type": "library.update.section", "Context": {"librarySectionID": "3", "key": "x"}}
SECTION = {"context": {"librarySectionID": "3"}}


@pytest.mark.parametrize(
    ("wanted", "members", "admits", "excludes"),
    [
        ({}, SCAN, True, False),
        ({"type": "library.update.section", "uuid": UUID, **SECTION}, SCAN, True, False),
        ({"type": "butler"}, SCAN, False, True),
        ({"type": ""}, SCAN, False, True),
        ({"uuid": OTHER}, SCAN, False, True),
        (SECTION, {"Context": {"librarySectionID": 3}}, True, False),
        (SECTION, {"Context": {"librarySectionID": "4"}}, False, True),
        (SECTION, {}, False, False),
        (SECTION, {"Context": {"key": "x"}}, False, False),
        ({"context": {"key": "y", "other": "z"}}, SCAN, False, True),
        ({"context": {"exists": "1"}}, {"Context": {"exists": True}}, True, False),
        ({"context": {}}, {}, True, False),
    ],
)
def test_what_is_wanted_and_what_will_never_be(
    wanted: dict[str, Any], members: dict[str, Any], admits: bool, excludes: bool
) -> None:
    row, narrowing = row_from(plex_row(**members)), Narrowing(**wanted)
    assert (narrowing.admits(row), narrowing.excludes(row)) == (admits, excludes)
