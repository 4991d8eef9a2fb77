"""Rows with anything in them: read or refused, never a crash later, and nothing that moves a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.client.live.narrowing import Narrowing
from headway.client.live.reconciling import Reconciler
from headway.client.live.replica import Replica
from headway.client.rows import has_ended, state_of
from headway.core.errors import HeadwayError
from headway.core.view import Kind
from headway.wire.decode import decode_list, decode_one
from headway.wire.errors import Unreadable
from headway.wire.notifications import ActivityNotification, decode_frame
from headway.wire.row import Row
from tests.cli.invoking import invoke
from tests.client.scripted_server import UUID, Asked, Reply, ScriptedServer, as_json, listed, refused, row
from tests.client.streams import STREAM, plex_row, snapshot

MEMBERS = [field.encode_name for field in msgspec.structs.fields(Row)]
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["NaN", "1e999", "-0", "0x10", "  7 ", "\x1b[2J", "\x9b31m", "\u202e", "9" * 5000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def is_harmless(text: str) -> bool:
    return not any(ord(each) < 32 or 127 <= ord(each) < 160 or each in "\u202a\u202b\u202d\u202e" for each in text)


def use(read: Row) -> None:
    """Everything that the client does with a row."""
    types = msgspec.structs.fields(Row)
    msgspec.convert(msgspec.structs.asdict(read), dict[str, Any])
    assert read.uuid
    for field in types:
        value = getattr(read, field.name)
        assert not isinstance(value, str) or is_harmless(value)
        for key, member in (value if isinstance(value, dict) else {}).items():
            assert is_harmless(key)
            assert not isinstance(member, str) or is_harmless(member)
    assert isinstance(read.progress, int)
    assert has_ended(read) in (True, False)
    assert state_of(read) is None or read.state is not None
    for key in read.context or {}:
        Narrowing(context={key: "x"}).admits(read)
    reconciler = Reconciler(Replica(), Narrowing(), lambda: 0.0)
    assert list(reconciler.listed([read]))
    assert list(reconciler.heard(ActivityNotification(Kind.ENDED, read)))
    msgspec.json.encode(read)
    repr(read)


@given(st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=5), ANYTHING), ANYTHING)
def test_a_row_of_anything_is_read_or_refused(members: dict[str, Any], uuid: Any) -> None:
    document = {"MediaContainer": {"size": "x", "Activity": [{"uuid": uuid, **members}]}}
    try:
        rows = decode_list(json.dumps(document).encode(), "application/json")
    except HeadwayError as error:
        assert is_harmless(error.message)
        return
    for each in rows:
        use(each)


@given(st.dictionaries(st.sampled_from(MEMBERS), st.text(max_size=20) | st.integers().map(str)))
def test_so_is_one_in_xml(members: dict[str, str]) -> None:
    from xml.sax.saxutils import quoteattr

    attributes = " ".join(f"{name}={quoteattr(value)}" for name, value in {"uuid": UUID, **members}.items())
    body = f"<MediaContainer><Activity {attributes}/></MediaContainer>"
    try:
        use(decode_one(body.encode(errors="surrogatepass"), "text/xml"))
    except Unreadable as error:
        assert is_harmless(error.message)


@given(ANYTHING, ANYTHING, ANYTHING)
def test_so_is_a_frame(type: Any, event: Any, members: Any) -> None:
    told = [{"event": event, "uuid": UUID, "Activity": members}]
    container = {"NotificationContainer": {"type": type, "ActivityNotification": told}}
    for document in (container, {"NotificationContainer": type}, type):
        try:
            notifications = decode_frame(json.dumps(document))
        except Unreadable as error:
            assert is_harmless(error.message)
        else:
            assert isinstance(notifications, list)


@pytest.mark.parametrize(
    ("progress", "read"),
    [
        *((7, 7), ("7", 7), ("7.9", 7), (7.9, 7), (None, -1), ("soon", -1), ("", -1), ("NaN", -1), ("inf", -1)),
        *(([], -1), ({}, -1), (True, -1), (10**400, 10**400), (-5, -5), ("1e3", 1000)),
    ],
)
def test_progress_is_a_number_or_unknown(progress: Any, read: int) -> None:
    body = json.dumps({"MediaContainer": {"Activity": [plex_row(progress=progress)]}}).encode()
    assert decode_one(body, "application/json").progress == read


EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\r\n"
EVIL_ROW = row(
    type=EVIL, title=EVIL, subtitle=EVIL, error=EVIL, unit=EVIL, completed=1, total=2, cancelReason=EVIL, state=EVIL
) | {"Context": {EVIL: EVIL}, "Response": {EVIL: EVIL}}


def evil(asked: Asked) -> Reply:
    if asked.method == "DELETE":
        return Reply(200, b"", {"X-Headway-State": "\x9b2Jowned", "Content-Type": "text/html"})
    if asked.path == "/identity":
        return as_json({"MediaContainer": {"machineIdentifier": EVIL, "version": EVIL}})
    if asked.path.startswith("/:/"):
        return Reply(200, [snapshot("c1", EVIL_ROW), b"event: \x9b2J\ndata: \x9b2J\n\n"], STREAM)
    return listed(EVIL_ROW)


@pytest.mark.parametrize(
    "command",
    [
        *(("ls",), ("ls", "--json"), ("show", UUID), ("show", UUID, "--json"), ("history",)),
        *(("cancel", UUID, "--wait", "0"), ("tree",), ("wait", UUID, "--timeout", "0.1")),
    ],
)
def test_nothing_of_it_reaches_a_terminal_raw(command: tuple[str, ...], tmp_path: Path) -> None:
    with ScriptedServer(evil) as server:
        result = invoke(tmp_path, *command, HEADWAY_URL=server.url)
    shown = result.stdout + result.stderr
    assert shown
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_nor_does_what_comes_on_a_stream(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headway.client.live.subscription.RETRY", 0.01)

    def once(asked: Asked) -> Reply:
        streams = server.asked_for("GET", "/:/")
        return evil(asked) if len(streams) < 2 else refused(401, "not_authenticated", EVIL)

    with ScriptedServer(once) as server:
        result = invoke(tmp_path, "watch", *options, HEADWAY_URL=server.url)
    shown = result.stdout + result.stderr
    assert "evil" in shown
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)
