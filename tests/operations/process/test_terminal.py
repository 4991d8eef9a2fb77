"""On a terminal, a command runs as if nobody stood between."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import pytest

from tests.operations.process import census
from tests.operations.process.screen import Run, Screen, login, run
from tests.operations.process.waiting import until

MEGABYTE = 1 << 20


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "report"


def has_ended(running: Run) -> bool:
    return running.popen.poll() is not None


def is_shown(screen: Screen, size: int) -> bool:
    return len(screen.output) == size


def python(text: str, *arguments: object) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", textwrap.dedent(text), *map(str, arguments)]


async def test_it_has_a_terminal(screen: Screen, env: dict[str, str], report: Path) -> None:
    command = ["sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo all; : </dev/tty && echo mine; exit 5"]
    with run(screen, report, command, env) as running:
        outcome = await running.outcome()
    await screen.shows_only(b"all\r\nmine\r\n")
    assert (outcome["code"], outcome["signal"]) == (5, None)


async def test_nothing_is_left_of_it(screen: Screen, env: dict[str, str], report: Path) -> None:
    with run(screen, report, ["true"], env) as running:
        outcome = await running.outcome()
    assert outcome["descriptors"] == []
    assert screen.modes() == screen.modes_before


async def test_it_is_the_foreground_job(screen: Screen, env: dict[str, str], report: Path) -> None:
    # rsync, wget and curl show their progress only then.
    command = python("import os; print(os.tcgetpgrp(1) == os.getpgrp() == os.getpid() != os.getsid(0))")
    with run(screen, report, command, env) as running:
        await running.outcome()
    await screen.shows_only(b"True\r\n")


async def test_signals_are_as_they_would_be(screen: Screen, env: dict[str, str], report: Path) -> None:
    command = ["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]
    with login(screen, command, env) as direct:
        await until(lambda: direct.poll() is not None, "it ends")
    await until(lambda: screen.output.count(b"\r\n") == 2, "both lines are shown")
    expected = screen.output
    with run(screen, report, command, env) as running:
        await running.outcome()
    await screen.shows_only(expected * 2)


async def test_exit_codes_and_signals_pass_through(screen: Screen, env: dict[str, str], tmp_path: Path) -> None:
    for script, code, signum in (("exit 200", 200, None), ("kill -USR1 $$", 138, signal.SIGUSR1)):
        with run(screen, tmp_path / f"report-{code}", ["sh", "-c", script], env) as running:
            outcome = await running.outcome()
        assert (outcome["code"], outcome["signal"]) == (code, signum)


async def test_a_command_that_does_not_exist_leaves_the_terminal_as_it_was(
    screen: Screen, env: dict[str, str], report: Path
) -> None:
    for command, error in (("no-such-command", b"CommandNotFound"), ("/etc", b"CommandNotExecutable")):
        with run(screen, report, [command], env) as running:
            await until(partial(has_ended, running), "it ends")
        await screen.shows(error)
        assert screen.modes() == screen.modes_before


BULK = """
    import os, random, sys
    source = random.Random(1)
    size = int(sys.argv[1])
    while size:
        block = source.randbytes(min(size, 65536)).replace(b"\\n", b"n")
        size -= len(block)
        while block:
            block = block[os.write(1, block):]
"""


async def test_a_hundred_megabytes_arrive_byte_for_byte(screen: Screen, env: dict[str, str], report: Path) -> None:
    direct = subprocess.run(python(BULK, 100 * MEGABYTE), stdout=subprocess.PIPE, check=True).stdout
    with run(screen, report, python(BULK, 100 * MEGABYTE), env) as running:
        outcome = await running.outcome()
    await until(lambda: len(screen.output) >= len(direct), "all is shown")
    expected = hashlib.sha256(direct).hexdigest()
    assert hashlib.sha256(screen.output).hexdigest() == expected
    assert outcome["digests"]["1"] == expected


async def test_nothing_is_lost_when_it_writes_and_exits_at_once(
    screen: Screen, env: dict[str, str], tmp_path: Path
) -> None:
    for number in range(10):
        with run(screen, tmp_path / f"{number}", ["head", "-c", str(MEGABYTE), "/dev/zero"], env) as running:
            outcome = await running.outcome()
        assert outcome["sizes"]["1"] == MEGABYTE
        await until(partial(is_shown, screen, (number + 1) * MEGABYTE), "all is shown")


async def test_the_window_has_its_size_and_changes_are_followed(
    screen: Screen, env: dict[str, str], report: Path
) -> None:
    screen.resize(33, 111)
    script = 'trap "stty size" WINCH; stty size; while :; do sleep 0.01; done'
    with run(screen, report, ["sh", "-c", script], env) as running:
        await screen.shows("33 111")
        screen.resize(44, 122)
        await screen.shows("44 122")
        screen.type("\x03")
        assert (await running.outcome())["signal"] == signal.SIGINT


async def test_ctrl_c_is_for_the_command_alone(screen: Screen, env: dict[str, str], report: Path) -> None:
    script = 'trap "echo caught; exit 4" INT; echo ready; while :; do sleep 0.01; done'
    with run(screen, report, ["sh", "-c", script], env) as running:
        await screen.shows("ready")
        screen.type("\x03")
        assert (await running.outcome())["code"] == 4
    await screen.shows_only(b"ready\r\n^Ccaught\r\n")


async def test_ctrl_backslash_ends_it_as_it_would(screen: Screen, env: dict[str, str], report: Path) -> None:
    with run(screen, report, ["sh", "-c", "ulimit -c 0; echo ready; exec sleep 1000"], env) as running:
        await screen.shows("ready")
        screen.type("\x1c")
        assert (await running.outcome())["signal"] == signal.SIGQUIT


async def test_ctrl_d_ends_the_input(screen: Screen, env: dict[str, str], report: Path) -> None:
    with run(screen, report, ["sh", "-c", "echo ready; wc -c"], env) as running:
        await screen.shows("ready")
        screen.type("hello\n")
        screen.type("\x04")
        assert (await running.outcome())["code"] == 0
    await screen.shows_only(b"ready\r\nhello\r\n6\r\n")


async def test_what_was_typed_ahead_is_not_lost(screen: Screen, env: dict[str, str], report: Path) -> None:
    screen.type("early\n")
    with run(screen, report, ["sh", "-c", "read line; echo got $line"], env) as running:
        assert (await running.outcome())["code"] == 0
    await screen.shows(b"got early\r\n")


async def test_a_pasted_text_arrives_line_by_line(screen: Screen, env: dict[str, str], report: Path) -> None:
    text = b"".join(b"line %06d of a text that is pasted, one of many\n" % number for number in range(2500))
    assert len(text) > 100_000
    command = ["sh", "-c", "stty -echo; echo ready; head -c $1 | sha256sum", "sh", str(len(text))]
    with run(screen, report, command, env) as running:
        await screen.shows("ready")
        await paste(screen, text)
        await running.outcome()
    await screen.shows(hashlib.sha256(text).hexdigest().encode())


async def test_any_bytes_can_be_typed_to_what_reads_them_raw(screen: Screen, env: dict[str, str], report: Path) -> None:
    data = bytes(range(256)) * 4096
    command = ["sh", "-c", "stty raw -echo; echo ready; head -c $1 | sha256sum", "sh", str(len(data))]
    with run(screen, report, command, env) as running:
        await screen.shows("ready")
        await paste(screen, data)
        await running.outcome()
    await screen.shows(hashlib.sha256(data).hexdigest().encode())


async def paste(screen: Screen, data: bytes) -> None:
    # It blocks: a terminal takes no more than is read at the other end.
    await asyncio.to_thread(screen.type, data)


async def test_each_stream_goes_where_it_went(screen: Screen, env: dict[str, str], tmp_path: Path) -> None:
    command = ["sh", "-c", "test -t 1 || echo file; test -t 2 && echo screen >&2"]
    with open(tmp_path / "out", "wb") as out, run(screen, tmp_path / "report", command, env, stdout=out) as running:
        outcome = await running.outcome()
    assert (tmp_path / "out").read_bytes() == b"file\n"
    await screen.shows_only(b"screen\r\n")
    assert outcome["sizes"] == {"1": 5, "2": 7}


async def test_input_that_is_a_pipe_stays_it(screen: Screen, env: dict[str, str], report: Path) -> None:
    data = os.urandom(MEGABYTE)
    command = ["sh", "-c", "test -p /dev/stdin && test -t 1 && sha256sum"]
    with run(screen, report, command, env, stdin=subprocess.PIPE) as running:
        assert running.popen.stdin is not None
        running.popen.stdin.write(data)
        running.popen.stdin.close()
        assert (await running.outcome())["code"] == 0
        assert screen.modes() == screen.modes_before
    await screen.shows_only(hashlib.sha256(data).hexdigest().encode() + b"  -\r\n")


async def test_with_input_from_a_pipe_ctrl_c_still_reaches_it(
    screen: Screen, env: dict[str, str], report: Path
) -> None:
    script = 'trap "echo caught; exit 4" INT; echo ready; while :; do sleep 0.01; done'
    with run(screen, report, ["sh", "-c", script], env, stdin=subprocess.DEVNULL) as running:
        await screen.shows("ready")
        assert not screen.raw
        screen.type("\x03")
        assert (await running.outcome())["code"] == 4


async def test_with_input_from_a_pipe_it_can_still_ask_for_a_password(
    screen: Screen, env: dict[str, str], report: Path
) -> None:
    asking = python("""
        import getpass
        print("<" + getpass.getpass("Password: ") + ">")
        input()
    """)
    with run(screen, report, asking, env, stdin=subprocess.PIPE) as running:
        await screen.shows("Password: ")
        await until(lambda: screen.raw, "the keyboard is read")
        screen.type("secret\n")
        await screen.shows("<secret>")
        await until(lambda: not screen.raw, "the keyboard is given back")
        assert running.popen.stdin is not None
        running.popen.stdin.write(b"\n")
        running.popen.stdin.close()
        await running.outcome()
    assert screen.output.count(b"secret") == 1


async def test_the_window_is_followed_when_only_errors_are_shown(
    screen: Screen, env: dict[str, str], tmp_path: Path
) -> None:
    script = 'trap "stty size <&2 >&2" WINCH; echo ready >&2; while :; do sleep 0.01; done'
    command = ["sh", "-c", script]
    with open(tmp_path / "out", "wb") as out, run(screen, tmp_path / "report", command, env, stdout=out) as running:
        await screen.shows("ready")
        screen.resize(10, 20)
        await screen.shows("10 20")
        os.kill(running.popen.pid, signal.SIGTERM)
        assert (await running.outcome())["signal"] == signal.SIGTERM


async def test_a_terminal_is_found_though_no_stream_is_one(screen: Screen, env: dict[str, str], report: Path) -> None:
    nowhere = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with run(screen, report, ["sh", "-c", "echo hidden; echo shown >/dev/tty"], env, **nowhere) as running:
        outcome = await running.outcome()
    await screen.shows_only(b"shown\r\n")
    assert outcome["descriptors"] == []


async def test_without_any_terminal_output_is_piped(env: dict[str, str], report: Path) -> None:
    driver = Path(__file__).with_name("driver.py")
    done = subprocess.run(
        [sys.executable, str(driver), str(report), "sh", "-c", "test -t 1 || echo piped"],
        env=env,
        start_new_session=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"piped\n"
    assert json.loads(report.read_text())["sizes"]["1"] == 6


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
async def test_signals_to_us_go_to_the_command_and_the_terminal_is_restored(
    signum: signal.Signals, screen: Screen, env: dict[str, str], report: Path
) -> None:
    with run(screen, report, ["sh", "-c", "ulimit -c 0; echo ready; exec sleep 1000"], env) as running:
        await screen.shows("ready")
        assert screen.raw
        os.kill(running.popen.pid, signum)
        assert (await running.outcome())["signal"] == signum
    assert screen.modes() == screen.modes_before


async def test_the_terminal_is_restored_when_the_program_around_it_fails(
    screen: Screen, env: dict[str, str], tag: str
) -> None:
    failing = textwrap.dedent("""
        import asyncio, termios
        from headway.operations.process import Process, Tee, Terminal

        async def main():
            await Process.start(["sleep", "1000"], stdout=Tee(1), terminal=Terminal.find())
            if not termios.tcgetattr(0)[3] & termios.ICANON:
                raise RuntimeError("on purpose")

        asyncio.run(main())
    """)
    with login(screen, [sys.executable, "-c", failing], env) as popen:
        await until(lambda: popen.poll() is not None, "it ends")
    await screen.shows("on purpose")
    assert screen.modes() == screen.modes_before
    await until(lambda: not census.tagged(tag), "the command has got the hang-up")


async def test_when_we_are_killed_the_command_gets_a_hang_up(screen: Screen, env: dict[str, str], report: Path) -> None:
    script = 'trap "echo hung up >$1; exit" HUP; echo ready; while :; do sleep 0.01; done'
    with run(screen, report, ["sh", "-c", script, "sh", f"{report}.hup"], env) as running:
        await screen.shows("ready")
        running.popen.kill()
        await until(Path(f"{report}.hup").exists, "it is told")


async def test_when_the_window_is_closed_the_command_gets_a_hang_up(env: dict[str, str], report: Path) -> None:
    screen = Screen()
    with run(screen, report, ["sh", "-c", "echo ready; sleep 1000"], env) as running:
        await screen.shows("ready")
        screen.hang_up()
        assert (await running.outcome())["signal"] == signal.SIGHUP
    screen.close()


async def test_a_stop_ends_all_of_it(screen: Screen, env: dict[str, str], tag: str, report: Path) -> None:
    script = 'trap "" TERM HUP; setsid -f sh -c "trap \\"\\" TERM; echo daemon; sleep 1000"; cat; sleep 1000'
    with run(screen, report, ["sh", "-c", script], env) as running:
        await screen.shows("daemon")
        await running.running()
        os.kill(running.popen.pid, signal.SIGUSR1)
        outcome = await running.outcome()
        assert census.tagged(tag) == []
    assert outcome["signal"] == signal.SIGKILL
    assert "killed" in outcome["stopped"][0]
    assert screen.modes() == screen.modes_before


async def test_a_background_process_that_keeps_the_terminal_does_not_keep_us(
    screen: Screen, env: dict[str, str], tag: str, report: Path
) -> None:
    with run(screen, report, ["sh", "-c", "sleep 1000 & echo done"], env) as running:
        assert (await running.outcome())["code"] == 0
    await screen.shows_only(b"done\r\n")
    [left] = census.tagged(tag)
    os.kill(left, signal.SIGKILL)
    await until(lambda: not census.runs(left), "it is gone")


async def test_when_our_session_leader_is_killed_we_still_learn_how_the_command_ended(
    screen: Screen, env: dict[str, str], report: Path
) -> None:
    script = 'trap "sleep 0.1; exit 6" HUP; echo ready; while :; do sleep 0.01; done'
    with run(screen, report, ["sh", "-c", script], env) as running:
        await screen.shows("ready")
        job = await running.running()
        os.kill(os.getsid(job), signal.SIGKILL)
        assert (await running.outcome())["code"] == 6
    assert screen.modes() == screen.modes_before


async def test_without_pseudo_terminals_the_command_runs_all_the_same(
    screen: Screen, env: dict[str, str], report: Path
) -> None:
    # The site module of this folder takes them away.
    (report.parent / "sitecustomize.py").write_text(
        textwrap.dedent("""
        import os

        def openpty():
            raise OSError(6, "no such device")

        os.openpty = openpty
        """)
    )
    paths = os.pathsep.join([str(report.parent), env.get("PYTHONPATH", "")])
    with run(screen, report, ["sh", "-c", "test -t 1 || echo piped"], {**env, "PYTHONPATH": paths}) as running:
        assert (await running.outcome())["code"] == 0
    await screen.shows(b"piped\r\n")
    assert screen.modes() == screen.modes_before
