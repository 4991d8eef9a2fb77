"""A command as an activity: how it ends is how the activity ends, and after `cancelled` nothing of it runs."""

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from headway import current, liveness
from headway.core.activity import Activity, State
from headway.core.errors import Cancelled, InvalidInput
from headway.core.policy import EVERYTHING
from headway.hub import Activities
from headway.operations.options import StartOptions
from headway.operations.process.command import CommandNotExecutable, CommandNotFound, NoWorkingDirectory, SpawnError
from headway.operations.process.ending import CommandFailed
from headway.operations.process.exits import ExitStatus
from headway.operations.process.operation import Invocation, ProcessOperation
from headway.operations.spawn import Spawned
from headway.ports import HistoryQuery
from headway.reporter import Reporter
from tests.hubs import FaultyStore, Hub, hub
from tests.operations.process import census
from tests.operations.process.host import ABRUPT
from tests.operations.process.test_stop import DAEMON, program, written_pid
from tests.operations.process.waiting import until, within

STUBBORN = 'trap "" TERM; touch "$1"; while :; do sleep 1000; done'
LONG = 1000.0
"""Seconds that no test waits for."""


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Each test on both kinds of event loop."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def activities(nothing_left: None) -> AsyncIterator[Hub]:
    async with hub() as opened:
        yield opened


class Runner:
    """Runs commands with the environment of the test."""

    def __init__(self, activities: Activities, env: dict[str, str]) -> None:
        self.activities = activities
        self.env = env

    async def __call__(
        self, *argv: str | Path, options: StartOptions | None = None, **invocation: Any
    ) -> Spawned[ExitStatus]:
        return await self.activities.spawn_process("t", argv, env=self.env, **invocation, **(options or {}))


@pytest.fixture
def run(activities: Hub, env: dict[str, str]) -> Runner:
    return Runner(activities, env)


async def ended(spawned: Spawned[ExitStatus]) -> Activity:
    return await within(spawned.wait())


def why(activity: Activity) -> str:
    """Why it failed, without the kind of error, which stands before it as with all errors on record."""
    assert activity.state is State.FAILED and activity.error is not None
    return re.sub(r"^[A-Z]\w+: ", "", activity.error)


async def cancelled(spawned: Spawned[ExitStatus]) -> Activity:
    """Cancel it, and make sure that it has stopped because of that."""
    await spawned.cancel(by=5, reason="enough")
    activity = await ended(spawned)
    assert (activity.state, activity.error) == (State.CANCELLED, None)
    assert activity.cancel is not None and (activity.cancel.by, activity.cancel.reason) == (5, "enough")
    with pytest.raises(Cancelled):
        await spawned.result()
    return activity


# How it ends


async def test_a_command_that_exits_with_0_has_succeeded(run: Runner) -> None:
    spawned = await run("true")
    assert await within(spawned.result()) == ExitStatus(0)
    assert (spawned.activity.state, spawned.activity.progress.percent) == (State.SUCCEEDED, 100)


async def test_a_command_that_exits_otherwise_has_failed_with_the_last_of_its_errors(run: Runner) -> None:
    spawned = await run("sh", "-c", "echo no; echo one >&2; printf '\\033[31mtwo\\033[0m\\n\\n' >&2; exit 3")
    with pytest.raises(CommandFailed) as failed:
        await within(spawned.result())
    assert (failed.value.exit_status, failed.value.stderr) == (ExitStatus(3), "one\ntwo")
    assert why(spawned.activity) == "exit status 3: one two"


async def test_a_command_that_is_killed_by_others_has_failed(run: Runner) -> None:
    assert why(await ended(await run("sh", "-c", "kill -KILL $$"))) == "killed by SIGKILL"
    assert why(await ended(await run("sh", "-c", "kill -TERM $$"))) == "killed by SIGTERM"


@pytest.mark.parametrize(
    ("argv", "cwd", "error"),
    [
        (["no-such-command"], None, CommandNotFound),
        (["/etc/passwd"], None, CommandNotExecutable),
        (["true"], "/no/such/folder", NoWorkingDirectory),
    ],
)
async def test_a_command_that_cannot_be_started_has_failed_and_its_record_says_why(
    activities: Hub, run: Runner, argv: Sequence[str], cwd: str | None, error: type[SpawnError]
) -> None:
    spawned = await run(*argv, cwd=cwd)
    with pytest.raises(error) as refused:
        await within(spawned.result())
    assert why(spawned.activity) == refused.value.message
    assert (await activities.story(spawned.uuid)) == ["started", "ended"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"argv": "ls -l"},
        {"argv": []},
        {"argv": ["ls"], "read_progress": "guess"},
        {"argv": ["ls"], "stdin": subprocess.PIPE},
        {"argv": ["ls"], "stdout": subprocess.PIPE},
        {"argv": ["ls"], "on_line": Runner.__call__},
    ],
)
async def test_what_can_only_be_a_mistake_is_refused_before_anything_is_on_record(
    activities: Hub, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput):
        await activities.spawn_process("t", **wrong)
    assert await activities.told() == []


async def test_the_start_is_on_record_before_the_command_runs(env: dict[str, str], tmp_path: Path) -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        store.hold()
        starting = asyncio.ensure_future(Runner(activities, env)("touch", tmp_path / "ran"))
        await until(lambda: store.commits)
        assert not (tmp_path / "ran").exists() and census.tagged(env[census.TAG]) == []
        store.release()
        assert (await ended(await within(starting))).state is State.SUCCEEDED
        assert (tmp_path / "ran").exists()


# How it is stopped


async def test_a_cancel_stops_it(run: Runner, tag: str) -> None:
    spawned = await run("sh", "-c", "sleep 1000 & sleep 1000 | sleep 1000")
    await until(lambda: len(census.tagged(tag)) == 4, "all four run")
    await cancelled(spawned)
    assert census.tagged(tag) == []


async def test_what_ignores_sigterm_and_forks_twice_is_killed_when_the_grace_is_over(
    run: Runner, tag: str, tmp_path: Path
) -> None:
    script = f'trap "" TERM; ( (setsid sh -c \'{STUBBORN}\' far "$1.far" &) & ); {STUBBORN}'
    spawned = await run("sh", "-c", script, "near", tmp_path / "near", options={"grace": 0.3})
    await until(lambda: (tmp_path / "near").exists() and (tmp_path / "near.far").exists(), "both have set the trap")
    await cancelled(spawned)
    assert census.tagged(tag) == []


async def test_a_daemon_that_left_the_session_and_ignores_sigterm_is_killed(
    run: Runner, tag: str, tmp_path: Path
) -> None:
    spawned = await run(*program(DAEMON, tmp_path / "pid"), options={"grace": 0.3})
    daemon = await written_pid(tmp_path / "pid")
    await cancelled(spawned)
    assert not census.runs(daemon) and census.tagged(tag) == []


async def test_a_child_that_is_stopped_ends_within_the_grace(run: Runner, tag: str, tmp_path: Path) -> None:
    spawned = await run("sh", "-c", "(kill -STOP 0) & wait; sleep 1000", options={"grace": 300})
    await until(lambda: {(census.states(pid) or "?")[0] for pid in census.tagged(tag)} == {"T"}, "all are stopped")
    await cancelled(spawned)
    assert census.tagged(tag) == []


async def test_without_a_grace_it_is_killed_at_once(run: Runner, tag: str, tmp_path: Path) -> None:
    spawned = await run("sh", "-c", STUBBORN, "stubborn", tmp_path / "ready", options={"grace": 0})
    await until((tmp_path / "ready").exists, "the trap is set")
    await cancelled(spawned)
    assert census.tagged(tag) == []


async def test_twenty_at_once_are_stopped_at_once(run: Runner, tag: str, tmp_path: Path) -> None:
    commands: list[list[str]] = [
        ["sleep", "1000"],
        ["sh", "-c", STUBBORN, "stubborn", "{}"],
        program(DAEMON, "{}"),
        ["sh", "-c", "(kill -STOP 0) & wait; sleep 1000"],
    ]
    places = [tmp_path / str(number) for number in range(20)]
    all_of_them = [
        await run(*(word.replace("{}", str(place)) for word in commands[number % 4]), options={"grace": 0.5})
        for number, place in enumerate(places)
    ]
    ready = [place for number, place in enumerate(places) if number % 4 in (1, 2)]
    await until(lambda: all(place.exists() for place in ready), "all run")
    await asyncio.gather(*map(cancelled, all_of_them))
    assert census.tagged(tag) == []


async def test_work_that_is_finished_on_sigterm_has_succeeded_with_the_request_on_record(
    run: Runner, tmp_path: Path
) -> None:
    script = 'trap "exit 0" TERM; touch "$1"; while :; do sleep 0.01; done'
    spawned = await run("sh", "-c", script, "finishing", tmp_path / "ready")
    await until((tmp_path / "ready").exists, "the trap is set")
    await spawned.cancel()
    assert await within(spawned.result()) == ExitStatus(0)
    assert spawned.activity.state is State.SUCCEEDED and spawned.activity.cancel is not None


async def test_cleaning_up_with_an_exit_code_of_its_own_is_a_cancel(run: Runner, tmp_path: Path) -> None:
    script = 'trap "sleep 0.3; touch $1.clean; exit 3" TERM; touch "$1"; while :; do sleep 0.01; done'
    spawned = await run("sh", "-c", script, "cleaning", tmp_path / "ready", options={"grace": 300})
    await until((tmp_path / "ready").exists, "the trap is set")
    await cancelled(spawned)
    assert (tmp_path / "ready.clean").exists()


async def test_what_crashes_instead_of_stopping_has_failed(run: Runner, tmp_path: Path) -> None:
    script = 'exec 2>&-; trap "kill -SEGV $$" TERM; touch "$1"; while :; do sleep 0.01; done'
    spawned = await run("sh", "-c", script, "crashing", tmp_path / "ready")
    await until((tmp_path / "ready").exists, "the trap is set")
    await spawned.cancel()
    activity = await ended(spawned)
    assert why(activity) == "killed by SIGSEGV"
    assert activity.cancel is not None


async def test_one_that_is_asked_before_it_runs_never_runs(
    activities: Hub, env: dict[str, str], tmp_path: Path
) -> None:
    asked = ProcessOperation()
    asked.request_stop(await activities.run())
    await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await asked.run(Invocation(["touch", str(tmp_path / "ran")], env=env), current())
    assert not (tmp_path / "ran").exists()


async def test_one_that_is_asked_again_with_less_grace_hurries(
    activities: Hub, env: dict[str, str], tag: str, tmp_path: Path
) -> None:
    asked, stubborn = ProcessOperation(), ["sh", "-c", STUBBORN, "stubborn", str(tmp_path / "ready")]
    running = asyncio.ensure_future(asked.run(Invocation(stubborn, env=env), current()))
    await until((tmp_path / "ready").exists, "the trap is set")
    asked.request_stop(await activities.run(grace=300))
    asked.request_stop(await activities.run(grace=0))
    with pytest.raises(asyncio.CancelledError):
        await within(running)
    assert census.tagged(tag) == []


async def test_a_child_of_what_is_cancelled_while_it_starts_is_stopped(env: dict[str, str], tag: str) -> None:
    store = FaultyStore()
    async with hub(store) as activities:
        parent = await activities.run()
        store.holding = lambda write: write.activity.parent is not None
        store.hold()
        starting = asyncio.ensure_future(Runner(activities, env)("sleep", "1000", options={"parent": parent.uuid}))
        await until(lambda: len(store.commits) > 1, "the start is on its way")
        await activities.request_cancel(parent.uuid)
        store.release()
        assert (await ended(await within(starting))).state is State.CANCELLED
        assert census.tagged(tag) == []
        await activities.finish(parent.uuid, State.CANCELLED)


async def test_one_that_ends_at_the_moment_of_the_cancel_ends_once_and_truly(
    activities: Hub, run: Runner, tag: str
) -> None:
    for round_number in range(60):
        code = round_number % 2
        reading, writing = os.pipe()
        spawned = await run("sh", "-c", f"read line; exit {code}", stdin=reading)
        os.close(reading)
        cancel = asyncio.ensure_future(spawned.cancel())
        for _ in range(random.randrange(30)):
            await asyncio.sleep(0)
        os.close(writing)
        activity = await ended(spawned)
        assert await within(cancel) is not None
        assert census.tagged(tag) == []
        # Whichever was first, the state fits what happened: the exit code 0 is never called a cancel.
        result = (await asyncio.gather(spawned.result(), return_exceptions=True))[0]
        fitting = {ExitStatus: State.SUCCEEDED, Cancelled: State.CANCELLED, CommandFailed: State.FAILED}
        assert fitting[type(result)] is activity.state
        assert (await activities.story(spawned.uuid)).count("ended") == 1


async def test_closing_the_hub_stops_it_the_same_way(env: dict[str, str], tag: str) -> None:
    async with hub() as activities:
        spawned = await Runner(activities, env)("sleep", "1000", options={"cancellable": False})
    activity = await ended(spawned)
    assert activity.state is State.CANCELLED
    assert activity.cancel is not None and (activity.cancel.by, activity.cancel.reason) == (None, "server_shutdown")
    assert census.tagged(tag) == []


async def test_what_does_not_stop_is_killed_before_the_hub_is_closed_however_long_its_grace(
    env: dict[str, str], tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "SHUTDOWN_GRACE", 10.0)
    monkeypatch.setattr(liveness, "CONFIRMATION", 9.8)
    async with hub() as activities:
        spawned = await Runner(activities, env)(
            "sh", "-c", STUBBORN, "stubborn", tmp_path / "ready", options={"grace": 300}
        )
        await until((tmp_path / "ready").exists, "the trap is set")
    assert (await ended(spawned)).state is State.CANCELLED
    assert census.tagged(tag) == []


# Where it is started


async def test_a_program_without_an_event_loop_runs_and_stops_commands(env: dict[str, str], tag: str) -> None:
    def synchronous() -> tuple[State, State]:
        with Activities() as activities:
            runner = Runner(activities, env)
            quick = activities.call(runner, "true")
            long = activities.call(runner, "sleep", "1000")
            activities.call(long.cancel)
            return activities.call(quick.wait).state, activities.call(long.wait).state

    assert await within(asyncio.to_thread(synchronous)) == (State.SUCCEEDED, State.CANCELLED)
    assert census.tagged(tag) == []


async def test_a_command_may_be_watched_from_another_loop_than_the_hubs(activities: Hub, run: Runner, tag: str) -> None:
    started = threading.Event()
    uuids = []

    async def elsewhere() -> State:
        spawned = await run("sleep", "1000")
        uuids.append(spawned.uuid)
        started.set()
        return (await spawned.wait()).state

    async with asyncio.TaskGroup() as group:
        other = group.create_task(asyncio.to_thread(asyncio.run, elsewhere()))
        await asyncio.to_thread(started.wait, 30)
        await activities.request_cancel(uuids[0])
        assert await within(other) is State.CANCELLED
    assert census.tagged(tag) == []


# What it prints


async def test_its_output_goes_where_ours_goes_byte_for_byte(run: Runner, capfdbinary: Any) -> None:
    await ended(await run("sh", "-c", r"printf 'out\377\000'; printf 'err\r' >&2"))
    assert capfdbinary.readouterr() == (b"out\xff\0", b"err\r")


async def test_output_that_is_not_wanted_is_still_read(run: Runner, capfdbinary: Any) -> None:
    nowhere = subprocess.DEVNULL
    spawned = await run("sh", "-c", "echo out; echo why >&2; exit 1", stdout=nowhere, stderr=nowhere)
    assert why(await ended(spawned)) == "exit status 1: why"
    assert capfdbinary.readouterr() == (b"", b"")


async def test_a_file_is_written_by_the_command_and_need_not_stay_open_here(run: Runner, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        spawned = await run("sh", "-c", "sleep 0.2; echo out; echo err >&2; exit 1", stdout=file, stderr=file)
    assert why(await ended(spawned)) == "exit status 1"
    assert (tmp_path / "out").read_text() == "out\nerr\n"


async def test_errors_may_go_with_the_output(run: Runner, capfdbinary: Any) -> None:
    spawned = await run("sh", "-c", "echo out; echo why >&2; exit 1", stderr=subprocess.STDOUT)
    assert why(await ended(spawned)) == "exit status 1: out why"
    assert capfdbinary.readouterr() == (b"out\nwhy\n", b"")


async def test_there_is_no_input_unless_one_is_given(run: Runner, tmp_path: Path, capfdbinary: Any) -> None:
    (tmp_path / "in").write_text("given")
    with (tmp_path / "in").open() as file:
        given = await run("cat", stdin=file)
    await ended(given)
    await ended(await run("cat"))
    assert capfdbinary.readouterr().out == b"given"


@pytest.mark.parametrize("rule", ["auto", "percent"])
async def test_progress_that_a_known_tool_prints_is_reported(activities: Hub, run: Runner, rule: str) -> None:
    script = 'for n in 10 20 30 40; do echo "copying: $n%"; done; sleep 1000'
    spawned = await run("sh", "-c", script, read_progress=rule, stdout=subprocess.DEVNULL)
    await until(lambda: activities.preview(spawned.activity).progress.percent == 40, "it is reported")
    await cancelled(spawned)


async def test_progress_is_not_read_where_nobody_wants_it(run: Runner) -> None:
    activity = await ended(await run("sh", "-c", "echo 10%; echo 20%; echo 30%; exit 1", read_progress="none"))
    assert (activity.reported_at, activity.progress.percent) == (None, -1)


async def test_a_status_line_left_unfinished_is_read_as_well(activities: Hub, run: Runner) -> None:
    spawned = await run("sh", "-c", "printf '\\r70%%'; sleep 1000", read_progress="percent", stdout=subprocess.DEVNULL)
    await until(lambda: activities.preview(spawned.activity).progress.percent == 70, "it is reported")
    await cancelled(spawned)


async def test_lines_of_both_streams_are_handed_on_within_the_activity(activities: Hub, run: Runner) -> None:
    seen: list[tuple[str, str, bool]] = []

    def on_line(activity: Reporter, line: str) -> None:
        seen.append((activity.uuid, line, current() is activity))
        activity.report(subtitle=line)

    script = r"printf 'one\r\ntwo\rthree\n\n\377four'; printf 'five\nsix' >&2"
    spawned = await run("sh", "-c", script, on_line=on_line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    activity = await ended(spawned)
    lines = ["one", "two", "three", "", "\ufffdfour"], ["five", "six"]
    assert {(uuid, within) for uuid, _, within in seen} == {(spawned.uuid, True)}
    for stream in lines:  # each in its order; between the two there is none
        assert [line for _, line, _ in seen if line in stream] == stream
    assert activity.subtitle == seen[-1][1] and len(seen) == 7


async def test_a_look_at_its_lines_that_fails_does_not_disturb_it(
    run: Runner, capfdbinary: Any, caplog: pytest.LogCaptureFixture
) -> None:
    seen = []

    def on_line(activity: Reporter, line: str) -> None:
        seen.append(line)
        raise ZeroDivisionError

    spawned = await run("sh", "-c", "echo one; echo two; echo why >&2; exit 1", on_line=on_line)
    assert why(await ended(spawned)) == "exit status 1: why"
    assert len(seen) == 1
    assert capfdbinary.readouterr() == (b"one\ntwo\n", b"why\n")
    assert [record.exc_info is not None for record in caplog.records] == [True]


@pytest.fixture
def reader() -> Iterator[BinaryIO]:
    """The other end of a pipe that our own output goes to."""
    reading, writing = os.pipe()
    ours = os.dup(1)
    os.dup2(writing, 1)
    os.close(writing)
    with open(reading, "rb") as file:
        yield file
        os.dup2(ours, 1)
        os.close(ours)


async def test_a_command_outlives_whoever_read_our_output(run: Runner, reader: BinaryIO) -> None:
    reader.close()
    activity = await ended(await run("sh", "-c", "echo one; sleep 0.1; echo two"))
    assert activity.state is State.SUCCEEDED


async def test_nobody_reading_our_output_does_not_keep_it_from_being_cancelled(
    run: Runner, reader: BinaryIO, tag: str
) -> None:
    spawned = await run("yes")
    await until(
        lambda: [census.states(pid) for pid in census.tagged(tag)] == [("S", os.getpid())], "all pipes are full"
    )
    await cancelled(spawned)
    assert census.tagged(tag) == []


async def test_what_no_system_can_start_leaves_nothing_behind(run: Runner) -> None:
    spawned = await run("true", "\0")
    with pytest.raises(ValueError, match="null byte"):
        await within(spawned.result())
    assert spawned.activity.state is State.FAILED


# What becomes of it when its host ends

IGNORING = 'trap "" TERM; echo ready; while :; do sleep 1000; done'
HOST = [sys.executable, str(Path(__file__).with_name("host.py"))]


@asynccontextmanager
async def hosted(moment: str, folder: Path, env: dict[str, str], *argv: str) -> AsyncIterator[subprocess.Popen[str]]:
    """A program that runs a command, once the moment has come; killed at the end of the block."""
    environment = {**env, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [*HOST, moment, str(folder / "data"), *argv]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as host:
        try:
            assert host.stdout is not None
            said = await within(asyncio.to_thread(host.stdout.readline))
            assert bool(said) is (moment not in ABRUPT)
            yield host
        finally:
            host.kill()


async def history(folder: Path) -> list[tuple[str, str | None, list[str]]]:
    """State, error and new events of all that the next program finds that opens the store."""
    async with Hub(f"sqlite:{folder / 'data'}") as activities:
        ended = await activities.history(HistoryQuery(EVERYTHING))
        return [(each.state.value, each.error, await activities.story(each.uuid)) for each in ended]


@pytest.mark.parametrize("moment", ["starting", "running", "cancelling", "ending"])
async def test_when_the_host_is_killed_it_is_lost_once(
    moment: str, env: dict[str, str], tag: str, tmp_path: Path
) -> None:
    async with hosted(moment, tmp_path, env, *(["true"] if moment == "ending" else ["sh", "-c", IGNORING])):
        pass
    while left := census.tagged(tag):  # nobody is there to stop it; and one that is looked at may just begin another
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert await history(tmp_path) == [("lost", "server_restart", ["started", "ended"])]
    assert await history(tmp_path) == [("lost", "server_restart", [])]


async def test_when_the_host_is_killed_afterwards_its_end_stands(env: dict[str, str], tmp_path: Path) -> None:
    async with hosted("ended", tmp_path, env, "true"):
        pass
    assert await history(tmp_path) == [("succeeded", None, ["started", "ended"])]


async def test_a_host_whose_event_loop_ends_stops_it_although_nobody_has_closed_anything(
    env: dict[str, str], tag: str, tmp_path: Path
) -> None:
    async with hosted("leaving", tmp_path, env, "sh", "-c", IGNORING) as host:
        await within(asyncio.to_thread(host.wait))
    assert census.tagged(tag) == []
