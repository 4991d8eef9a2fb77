"""``headway serve`` as a whole: its folder, its end, and its return after a crash."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from headway.core.activity import State
from headway.core.policy import Role
from headway.hub import Activities
from headway.server.data import DataError
from headway.server.serve import CannotServe
from headway.server.service import StreamLimits
from headway.server.standalone import Settings, serve
from headway.stores import StoreError
from tests.server.harness import DEADLINE, connected
from tests.server.whole import EVENTS, JSON, Events, Whole, head, make_tokens, standalone

PROGRAM = """
import asyncio, pathlib, sys
from headway.server.standalone import Settings, serve

async def job(activities):
    async with activities.start("server.job", owner=2) as activity:
        await asyncio.Event().wait()

folder = pathlib.Path(sys.argv[1])
sys.exit(asyncio.run(serve(Settings(data=folder, port=0), lambda urls: print(urls[0], flush=True), job)))
"""


@asynccontextmanager
async def process(data: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, Whole]]:
    """The server as a process of its own; killed at the end if it still runs."""
    tokens = make_tokens(data, {"alice": Role.USER}) if not (data / "identity.db").exists() else {}
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(data), stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE):
            url = (await server.stdout.readline()).decode().strip()
        assert url, "it did not start"
        yield server, Whole(int(url.rpartition(":")[2]), None, None, tokens, data)  # type: ignore[arg-type]
    finally:
        with suppress(ProcessLookupError):
            server.kill()
        await server.wait()


def nothing(urls: list[str]) -> None:
    """For a server that is not expected to get so far."""


async def test_while_it_runs_its_folder_tells_where(tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    async with standalone(data) as whole:
        told = json.loads((data / "server.json").read_bytes())
        assert told == {"url": whole.url, "pid": os.getpid()}
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in data.iterdir()}
        assert {"identity.db", "admin.token", "headway.db", "server.json"} <= set(modes)
        assert {name: mode for name, mode in modes.items() if mode} == {}
    assert not (data / "server.json").exists()


async def test_a_second_server_on_the_same_folder_is_told_so_and_changes_nothing(whole: Whole) -> None:
    address = (whole.data / "server.json").read_bytes()
    with pytest.raises(StoreError, match=r"^[^\n]+$") as refused:
        await serve(Settings(data=whole.data, port=0), nothing)
    assert str(whole.data) in str(refused.value)
    assert (whole.data / "server.json").read_bytes() == address
    uuid = (await whole.start())["uuid"]
    assert await whole.listed() == [uuid]


async def test_a_port_in_use_leaves_the_folder_free(whole: Whole, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(CannotServe, match="in use"):
            await serve(Settings(data=tmp_path, port=whole.port), nothing)
    assert not (tmp_path / "server.json").exists()
    async with standalone(tmp_path) as other:
        assert (await other.ask("GET", "/activities", "admin")).status == 200


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((DataError, StoreError), match="file"):
        await serve(Settings(data=tmp_path / "file" / "data", port=0), nothing)


@pytest.mark.parametrize("name", ["a b", "100%25", "what?", "# one", "ümläut"])
async def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    async with standalone(tmp_path / name, {}):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "headway.db").exists()


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    async with standalone(tmp_path) as whole:
        identity = (await whole.ask("GET", "/identity", None, [JSON])).json
        running = await whole.start(title="Films", Context={"key": "1"}, headers=[("Idempotency-Key", "k")])
        await whole.change(running["uuid"], progress=40)
        ended = (await whole.start())["uuid"]
        await whole.change(ended, state="succeeded")
        cursor = (await whole.ask("GET", "/activities", "alice")).headers["x-headway-cursor"]
        tokens = whole.tokens
    async with standalone(tmp_path, {}) as whole:
        whole.tokens = tokens
        assert (await whole.ask("GET", "/identity", None, [JSON])).json == identity
        (row,) = (await whole.ask("GET", "/activities", "alice", [JSON])).rows
        assert (row["uuid"], row["progress"], row["title"]) == (running["uuid"], 40, "Films")
        assert (await whole.ask("GET", f"/activities/{ended}", "alice", [JSON])).row["state"] == "succeeded"
        assert (await whole.start(title="Films", Context={"key": "1"}, headers=[("Idempotency-Key", "k")]))[
            "uuid"
        ] == running["uuid"]
        async with whole.events("alice", f"?since={cursor}") as stream:
            assert (await stream.event()).id == cursor
            await whole.change(running["uuid"], state="succeeded")
            assert (await stream.next()).told == ("ended", running["uuid"])


async def test_a_job_runs_under_it_and_is_stopped_with_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    begun, reports = asyncio.Event(), []

    async def job(activities: Activities) -> None:
        async with activities.start("server.job") as activity:
            begun.set()
            reports.append(activity.uuid)
            await asyncio.Event().wait()

    server: asyncio.Task[int] = asyncio.create_task(serve(Settings(data=tmp_path, port=0), nothing, job))
    await begun.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    assert await server == 0
    async with Activities(f"sqlite:{tmp_path}") as activities:
        activity = await activities.get(reports[0])
        assert (activity.state, activity.cancel and activity.cancel.reason) == (State.CANCELLED, "server_shutdown")
    assert "failed" not in caplog.text


async def test_a_job_that_fails_is_logged_and_the_server_runs_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failed = asyncio.Event()

    async def job(activities: Activities) -> None:
        failed.set()
        raise ValueError("no such folder")

    url: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(Settings(data=tmp_path, port=0), url.set_result, job))
    await url
    await failed.wait()
    assert not server.done()
    os.kill(os.getpid(), signal.SIGTERM)
    assert await server == 0
    assert "no such folder" in caplog.text


async def test_sigterm_ends_it_cleanly_with_streams_open(tmp_path: Path) -> None:
    async with (
        standalone(tmp_path, streams=StreamLimits(farewell=0.1)) as whole,  # asserts that the exit code is 0
        whole.events("alice") as stream,
        whole.socket("alice") as socket,
    ):
        await stream.event()
        os.kill(os.getpid(), signal.SIGTERM)
        assert (await stream.block()).startswith(b"retry: ")
        assert await stream.block() == b""
        assert await socket.client.close_code() == 1012


# kill -9


async def follow(
    whole: Whole, cursor: str | None, seen: list[tuple[str, str, str]], ready: asyncio.Event
) -> str | None:
    """Read lifecycle events after a cursor until the server dies; the cursor of the last."""
    headers = [] if cursor is None else [("Last-Event-ID", cursor)]
    async with connected(whole.port) as client:
        client.send(whole.request("GET", EVENTS, "alice", headers))
        stream = Events(client, *(await head(client)))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                event = await stream.event()
                assert event.type in ("activity", "ping"), event
                ready.set()
                if event.type == "activity":
                    seen.append((*event.told, event.row["type"]))
                cursor = event.id or cursor
    return cursor


async def work(whole: Whole, started: list[str], ended: list[str]) -> None:
    """Start, cancel and end until the server dies; what was acknowledged."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            row: Any = await whole.start(cancellable=True)
            started.append(row["uuid"])
            await whole.change(row["uuid"], progress=50)
            answer = await whole.ask("DELETE", f"/activities/{row['uuid']}", "alice")
            assert answer.status == 200
            if len(started) % 3:
                await whole.change(row["uuid"], state="cancelled")
                ended.append(row["uuid"])


async def test_after_kill_9_streams_resume_and_tell_each_lifecycle_event_once(tmp_path: Path) -> None:
    seen: list[tuple[str, str, str]] = []
    started: list[str] = []
    ended: list[str] = []
    cursor: str | None = None
    tokens: dict[str, str] = {}
    for round in range(4):
        async with process(tmp_path) as (server, whole):
            tokens.update(whole.tokens)
            whole.tokens = tokens
            while not await whole.listed("alice", "?type=server.job"):
                await asyncio.sleep(0.005)
            ready = asyncio.Event()
            following = asyncio.create_task(follow(whole, cursor, seen, ready))
            await ready.wait()
            working = asyncio.create_task(work(whole, started, ended))
            enough = len(ended) + 10
            async with asyncio.timeout(DEADLINE):
                while len(ended) < enough:
                    await asyncio.sleep(0.005)
            if round == 3:  # the last time, all is told before the end
                working.cancel()
                mark = (await whole.start())["uuid"]
                async with asyncio.timeout(DEADLINE):
                    while ("started", mark, "test.work") not in seen:
                        await asyncio.sleep(0.005)
            server.kill()
            await server.wait()
            await asyncio.gather(working, return_exceptions=True)
            cursor = await following

    lifecycle = Counter((kind, uuid) for kind, uuid, _ in seen if kind != "updated")
    assert [event for event, times in lifecycle.items() if times > 1] == []
    assert {uuid for kind, uuid in lifecycle if kind == "started"} >= set(started)
    assert {uuid for kind, uuid in lifecycle if kind == "ended"} >= set(ended)
    # What ran in the servers that were killed ended when the next one came up. (The first began before we looked.)
    jobs = Counter(kind for kind, _, type in seen if type == "server.job" and kind != "updated")
    assert jobs == {"started": 3, "ended": 3}


@pytest.mark.parametrize(("files", "streams", "enough"), [(1_000, 744, True), (1_000, 745, False)])
async def test_fewer_files_than_streams_are_told_with_the_way_out(
    tmp_path: Path, files: int, streams: int, enough: bool, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("headway.server.serve.raise_open_files", lambda: files)
    async with standalone(tmp_path, streams=StreamLimits(total=streams)):
        told = [record.getMessage() for record in caplog.records if record.name == "headway.server"]
    assert told == [
        "only 1000 of 1001 files may be open: enough for 744 connections, and not for 745 streams; raise the "
        "hard limit (ulimit -Hn, LimitNOFILE=) or lower --max-streams"
    ] * (not enough)
