"""Activities as the wire meets them: any text that was cleaned, any number, any bag."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st

from headway.core.activity import Activity, CancelRequest, State
from headway.core.progress import Progress
from headway.core.text import clean
from headway.wire.formats import Format
from headway.wire.plex import encode_list, encode_row

UUID = "c3f190e4-eabb-4b3d-8811-b7c1f183560e"

any_text = st.text(st.characters(), max_size=40) | st.text(st.characters(codec=None, categories=["Cs", "Cc", "Cn"]))
"""Also with lone surrogates, controls and what Unicode does not assign."""

clean_text = any_text.map(clean)
times = st.floats(0, 4e9)
counts = st.floats(0, allow_nan=False, allow_infinity=False) | st.integers(0, 2**53)
keys = st.from_regex(r"\A(?![Xx][Mm][Ll])[A-Za-z_][A-Za-z0-9_.-]{0,10}\Z")
scalars = clean_text | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
bags = st.none() | st.dictionaries(keys, scalars, max_size=5)


progress = st.builds(
    Progress,
    fraction=st.none() | st.floats(0, 1),
    completed=st.none() | counts,
    total=st.none() | counts,
    unit=st.none() | clean_text,
    rate=st.none() | st.floats(0, 1e12),
)

activities = st.builds(
    Activity,
    uuid=st.uuids().map(str),
    type=st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=20),
    owner=st.integers(1, 2**53),
    title=clean_text,
    subtitle=clean_text,
    cancellable=st.booleans(),
    state=st.sampled_from(State),
    progress=progress,
    context=bags,
    response=bags,
    error=st.none() | clean_text,
    parent=st.none() | st.uuids().map(str),
    cancel=st.none()
    | st.builds(CancelRequest, at=times, by=st.none() | st.integers(1, 99), reason=st.none() | clean_text),
    weight=st.just(1.0) | st.floats(0.001, 1_000_000),
    timeout=st.none() | st.floats(0.001, 1e7),
    overdue=st.booleans(),
    stalled=st.booleans(),
    lease=st.none() | st.floats(10, 86_400),
    started_at=times,
    updated_at=times,
    ended_at=st.none() | times,
    reported_at=st.none() | times,
)


def an_activity(**members: Any) -> Activity:
    """One with the members that every activity has, and those given."""
    default = {"uuid": UUID, "type": "test.work", "owner": 1, "started_at": 1.0, "updated_at": 2.0}
    return Activity(**{**default, **members})


def listed(*activities: Activity, format: Format = Format.JSON) -> bytes:
    """The body of a list."""
    return encode_list([encode_row(activity, format) for activity in activities], format)
