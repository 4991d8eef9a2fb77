"""`headway show`."""

import json
import re
from pathlib import Path

from tests.cli.invoking import invoke
from tests.client.scripted_server import OTHER, UUID, ScriptedServer, listed, refused, row

FULL = row(
    title="Copying",
    subtitle="b.txt",
    state="failed",
    progress=40,
    completed=4,
    total=10,
    unit="files",
    error="exit status 3",
    startedAt=1_000,
    endedAt=1_063,
    parentUUID=OTHER,
    cancelRequested=True,
    cancelRequestedAt=1_050,
    cancelledBy=7,
    Context={"host": "a"},
    Response={"bytes": 12},
)


def test_all_there_is_to_know(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed(FULL)) as server:
        result = invoke(tmp_path, "show", UUID, "--url", server.url)
    facts = dict(line.split(maxsplit=1) for line in result.output.splitlines())
    assert facts["state"] == "✘ failed"
    assert facts["progress"] == "40%, 4 files of 10 files"
    assert (facts["error"], facts["time"], facts["uuid"]) == ("exit status 3", "1m03s", UUID)
    assert (facts["context.host"], facts["response.bytes"]) == ("a", "12")
    assert facts["asked"].endswith("by user 7")


def test_what_was_asked_for_at_the_start_is_shown_too(tmp_path: Path) -> None:
    told = row(state="running", stalled=True, parentUUID=OTHER, weight=2.5, timeout=90, lastReportAt=1_000)
    with ScriptedServer(lambda asked: listed(told)) as server:
        result = invoke(tmp_path, "show", UUID, "--url", server.url)
    lines = [line.split("  ") for line in result.output.splitlines()]
    facts = {line[0]: line[-1].strip() for line in lines}
    assert (facts["state"], facts["timeout"], facts["weight"]) == ("◍ stalled", "1m30s", "2.5")
    assert facts["part of"] == OTHER
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d, \d+d\d\dh ago", facts["last word"])


def test_json_is_the_row(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: listed(FULL)) as server:
        assert json.loads(invoke(tmp_path, "show", UUID, "--json", "--url", server.url).output) == FULL


def test_what_nobody_knows_is_an_error(tmp_path: Path) -> None:
    with ScriptedServer(lambda asked: refused(404, "not_found", "There is no such activity.")) as server:
        result = invoke(tmp_path, "show", UUID, "--url", server.url)
    assert (result.exit_code, result.stderr) == (1, "Error: There is no such activity.\n")
