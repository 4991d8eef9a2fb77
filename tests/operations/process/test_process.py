"""Starting a command, its streams, and its end."""

import asyncio
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from headway.operations.process import (
    CommandNotExecutable,
    CommandNotFound,
    ExitStatus,
    NoWorkingDirectory,
    Process,
    Tee,
    inherited,
)
from tests.operations.process import census
from tests.operations.process.waiting import until, within

MEGABYTE = 1 << 20


@pytest.fixture
def file(tmp_path: Path) -> Iterator[IO[bytes]]:
    """Somewhere for output to go."""
    with open(tmp_path / "output", "w+b", buffering=0) as opened:
        yield opened


def content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def python(text: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", textwrap.dedent(text)]


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("exit 0", ExitStatus(0)),
        ("exit 7", ExitStatus(7)),
        ("exit 255", ExitStatus(255)),
        ("exit 143", ExitStatus(143)),
        ("kill -TERM $$", ExitStatus(143, signal.SIGTERM)),
        ("kill -KILL $$", ExitStatus(137, signal.SIGKILL)),
        ("ulimit -c 0; kill -SEGV $$", ExitStatus(139, signal.SIGSEGV)),
    ],
)
async def test_the_exit_status_is_a_shells(script: str, status: ExitStatus) -> None:
    process = await Process.start(["sh", "-c", script])
    assert await within(process.wait()) == status
    assert process.status == status


async def test_there_is_no_status_while_it_runs() -> None:
    process = await Process.start(["sleep", "1000"])
    assert process.status is None
    await within(process.stop(30))


@pytest.mark.parametrize("command", ["no-such-command-anywhere", "/no/such/file", "/etc/passwd/file"])
async def test_a_command_that_does_not_exist_is_not_found(command: str) -> None:
    with pytest.raises(CommandNotFound, match=command):
        await Process.start([command], stdout=Tee())


async def test_a_file_that_is_no_program_is_not_executable(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    with pytest.raises(CommandNotExecutable, match="denied"):
        await Process.start([str(tmp_path / "text")])
    (tmp_path / "text").chmod(0o755)
    with pytest.raises(CommandNotExecutable, match="format"):
        await Process.start([str(tmp_path / "text")])
    with pytest.raises(CommandNotExecutable):
        await Process.start([str(tmp_path)])


async def test_a_script_without_its_interpreter_is_not_executable(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(CommandNotExecutable, match="interpreter"):
        await Process.start([str(script)])
    with pytest.raises(CommandNotExecutable, match="interpreter"):
        await Process.start(["script"], env={"PATH": str(tmp_path)})


async def test_a_folder_that_does_not_exist_is_said_to_be_the_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in ("missing", "file"):
        with pytest.raises(NoWorkingDirectory, match=folder):
            await Process.start(["true"], cwd=tmp_path / folder)


async def test_a_command_has_a_word() -> None:
    with pytest.raises(ValueError, match="at least one"):
        await Process.start([])
    with pytest.raises(ValueError, match="null"):
        await Process.start(["echo", "\0"], stdout=Tee())


async def test_it_runs_in_the_folder_and_the_environment_it_is_given(tmp_path: Path, file: IO[bytes]) -> None:
    env = {"PATH": os.environ["PATH"], "MINE": "yes"}
    process = await Process.start(["sh", "-c", "pwd; echo $MINE"], cwd=tmp_path, env=env, stdout=file.fileno())
    await within(process.wait())
    assert content(file).decode() == f"{tmp_path}\nyes\n"


async def test_no_word_is_ever_read_by_a_shell(file: IO[bytes]) -> None:
    words = ["$(id)", "; id", "`id`", "*", "a b", "", "é\n"]
    process = await Process.start(["printf", "%s|", *words], stdout=Tee(file.fileno()))
    await within(process.wait())
    assert content(file).decode() == "".join(f"{word}|" for word in words)


async def test_signals_that_python_ignores_are_not_ignored_by_the_command(file: IO[bytes]) -> None:
    process = await Process.start(["grep", "SigIgn", "/proc/self/status"], stdout=Tee(file.fileno()))
    await within(process.wait())
    ignored = int(content(file).split()[1], 16)
    assert ignored & (1 << (signal.SIGPIPE - 1)) == 0


async def test_a_descriptor_that_we_were_given_can_be_passed_on(file: IO[bytes]) -> None:
    reading, writing = os.pipe()
    assert reading not in inherited()
    os.set_inheritable(reading, True)
    assert reading in inherited()
    os.write(writing, b"passed on")
    os.close(writing)
    process = await Process.start(["cat", f"/dev/fd/{reading}"], stdout=Tee(file.fileno()), pass_fds=[reading])
    await within(process.wait())
    os.close(reading)
    assert content(file) == b"passed on"


async def test_a_stream_that_is_not_teed_is_the_file_itself(file: IO[bytes]) -> None:
    for number, stream in ((1, "stdout"), (2, "stderr")):
        tell = python(f"import os, sys; print(os.readlink('/proc/self/fd/{number}'), file=sys.{stream})")
        if number == 1:
            process = await Process.start(tell, stdout=file.fileno(), stderr=Tee())
        else:
            process = await Process.start(tell, stdout=Tee(), stderr=file.fileno())
        await within(process.wait())
    assert content(file).decode() == f"{file.name}\n" * 2


BULK = """
    import hashlib, os, random, sys
    stream, seed, size = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    source = random.Random(seed)
    while size:
        block = source.randbytes(min(size, source.randrange(1, 200_000)))
        size -= len(block)
        while block:
            block = block[os.write(stream, block):]
"""


def bulk(seed: int, size: int) -> bytes:
    """The digest of what BULK writes."""
    source, digest = random.Random(seed), hashlib.sha256()
    while size:
        block = source.randbytes(min(size, source.randrange(1, 200_000)))
        size -= len(block)
        digest.update(block)
    return digest.digest()


async def test_a_hundred_megabytes_arrive_byte_for_byte_each_in_its_own_stream(tmp_path: Path) -> None:
    size = 100 * MEGABYTE
    seen = [hashlib.sha256(), hashlib.sha256()]
    writer = python(BULK)
    both = ["sh", "-c", '"$@" 1 1 $SIZE & "$@" 2 2 $SIZE; wait', "sh", *writer]
    with open(tmp_path / "out", "wb") as out, open(tmp_path / "err", "wb") as err:
        process = await Process.start(
            both,
            stdout=Tee(out.fileno(), seen[0].update),
            stderr=Tee(err.fileno(), seen[1].update),
            env={**os.environ, "SIZE": str(size)},
        )
        assert (await within(process.wait())).code == 0
    for name, digest, seed in (("out", seen[0], 1), ("err", seen[1], 2)):
        expected = bulk(seed, size)
        with open(tmp_path / name, "rb") as written:
            assert hashlib.file_digest(written, "sha256").digest() == expected
        assert digest.digest() == expected


async def test_a_megabyte_of_input_passes_through(file: IO[bytes]) -> None:
    data = os.urandom(MEGABYTE)
    with tempfile.TemporaryFile() as source:
        source.write(data)
        source.seek(0)
        process = await Process.start(["cat"], stdin=source.fileno(), stdout=Tee(file.fileno()))
        await within(process.wait())
    assert content(file) == data


async def test_nothing_is_lost_when_it_writes_and_exits_at_once(file: IO[bytes]) -> None:
    command = ["head", "-c", str(MEGABYTE), "/dev/zero"]
    for _ in range(50):
        seen: list[bytes] = []
        process = await Process.start(command, stdout=Tee(file.fileno(), seen.append))
        await within(process.wait())
        assert len(b"".join(seen)) == MEGABYTE
    assert len(content(file)) == 50 * MEGABYTE


async def test_output_is_passed_on_before_it_ends(file: IO[bytes]) -> None:
    process = await Process.start(["sh", "-c", "printf begun; sleep 1000"], stdout=Tee(file.fileno()))
    await until(lambda: content(file) == b"begun", "it is there")
    assert process.status is None
    await within(process.stop(30))


async def test_a_background_process_that_keeps_a_stream_open_does_not_keep_us(
    env: dict[str, str], tag: str, file: IO[bytes]
) -> None:
    process = await Process.start(["sh", "-c", "sleep 1000 & echo done"], stdout=Tee(file.fileno()), env=env)
    assert (await within(process.wait())).code == 0
    assert content(file) == b"done\n"
    assert len(census.tagged(tag)) == 1
    await within(process.stop(30))


async def test_a_background_process_that_writes_for_ever_does_not_keep_us(env: dict[str, str], tag: str) -> None:
    seen: list[bytes] = []
    process = await Process.start(["sh", "-c", "yes & echo first; exit 3"], stdout=Tee(None, seen.append), env=env)
    assert (await within(process.wait())).code == 3
    assert b"first\n" in b"".join(seen)
    await until(lambda: census.tagged(tag) == [], "the pipe it wrote to broke")


async def test_a_callback_that_fails_is_left_out_and_the_job_goes_on(
    file: IO[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def failing(data: bytes) -> None:
        calls.append(data)
        raise ValueError("on purpose")

    process = await Process.start(
        ["sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.1; done"], stdout=Tee(file.fileno(), failing)
    )
    assert (await within(process.wait())).code == 0
    assert content(file) == b"1\n2\n3\n"
    assert calls == [b"1\n"]
    assert "on purpose" in caplog.text


async def test_when_the_reader_of_its_output_leaves_the_command_learns_of_it() -> None:
    reading, writing = os.pipe()
    process = await Process.start(["yes"], stdout=Tee(writing))
    os.close(reading)
    assert (await within(process.wait())).signal == signal.SIGPIPE
    os.close(writing)


async def read(descriptor: int, size: int) -> None:
    """Read so many bytes."""
    os.set_blocking(descriptor, False)
    left = size

    def some() -> bool:
        nonlocal left
        with contextlib.suppress(BlockingIOError):
            left -= len(os.read(descriptor, left))
        return left == 0

    await until(some, "all has come")


async def test_a_slow_reader_slows_the_command_and_not_the_loop(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    marker = tmp_path / "written"
    process = await Process.start(
        ["sh", "-c", 'head -c 1000000 /dev/zero; touch "$1"', "sh", str(marker)], stdout=Tee(writing)
    )
    for received in range(0, 1_000_000, 10_000):
        assert not (marker.exists() and received < 500_000), "there is no room for so much between us"
        await read(reading, 10_000)
    await within(process.wait())
    os.close(reading)
    os.close(writing)


async def test_a_destination_that_somebody_made_non_blocking_loses_nothing() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    process = await Process.start(["head", "-c", "1000000", "/dev/zero"], stdout=Tee(writing))
    await read(reading, 1_000_000)
    await within(process.wait())
    os.close(reading)
    os.close(writing)


async def test_waiting_can_be_given_up_without_harm_to_the_command(env: dict[str, str]) -> None:
    process = await Process.start(["sleep", "1000"], env=env)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await process.wait()
    assert census.runs(process.pid)
    await within(process.stop(30))


async def test_a_signal_goes_to_the_whole_group(env: dict[str, str], tag: str) -> None:
    process = await Process.start(["sh", "-c", "sleep 1000 & sleep 1000"], env=env)
    await until(lambda: len(census.tagged(tag)) == 3, "all run")
    process.send_signal(signal.SIGUSR1)
    assert (await within(process.wait())).signal == signal.SIGUSR1
    await until(lambda: census.tagged(tag) == [], "all are gone")
    process.send_signal(signal.SIGUSR1)


async def test_signals_to_us_can_be_forwarded(env: dict[str, str], tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    script = 'trap "exit 9" TERM; touch "$1"; while :; do sleep 0.01; done'
    command = ["sh", "-c", script, "sh", str(tmp_path / "ready")]
    process = await Process.start(command, forward=[signal.SIGTERM], env=env)
    await until((tmp_path / "ready").exists, "the trap is set")
    os.kill(os.getpid(), signal.SIGTERM)
    assert (await within(process.wait())).code == 9
    assert signal.getsignal(signal.SIGTERM) == before


async def test_what_we_ignore_is_not_forwarded_and_the_command_ignores_it_too(
    env: dict[str, str], file: IO[bytes]
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        command = ["sh", "-c", "grep SigIgn /proc/self/status; sleep 1000"]
        process = await Process.start(command, forward=[signal.SIGHUP], stdout=Tee(file.fileno()), env=env)
        await until(lambda: content(file), "it tells")
        os.kill(os.getpid(), signal.SIGHUP)
        assert int(content(file).split()[1], 16) & 1
        assert (await within(process.stop(30))).outcome == "terminated"
        assert (await within(process.wait())).signal == signal.SIGTERM
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_signals_can_be_forwarded_only_in_the_main_thread() -> None:
    def start() -> None:
        asyncio.run(_start_forwarding())

    with pytest.raises(RuntimeError, match="main thread"):
        await asyncio.to_thread(start)


async def _start_forwarding() -> None:
    await Process.start(["true"], forward=[signal.SIGTERM])


async def test_it_can_be_used_in_a_loop_of_another_thread(env: dict[str, str]) -> None:
    async def work() -> ExitStatus:
        process = await Process.start(["sh", "-c", "exit 4"], env=env, stdout=Tee())
        return await process.wait()

    assert (await asyncio.to_thread(asyncio.run, work())).code == 4


async def test_many_at_once(env: dict[str, str]) -> None:
    processes = [await Process.start(["sh", "-c", f"exit {number}"], env=env, stdout=Tee()) for number in range(60)]
    assert [(await within(process.wait())).code for process in processes] == list(range(60))


async def test_when_we_are_killed_the_command_goes_on(env: dict[str, str], tag: str) -> None:
    program = """
import asyncio
from headway.operations.process import Process

async def main():
    process = await Process.start(["sleep", "1000"])
    print(process.pid, flush=True)
    await within(process.wait())

asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], env=env, stdout=subprocess.PIPE) as us:
        assert us.stdout is not None
        job = int(await asyncio.to_thread(us.stdout.readline))
        us.kill()
        us.wait()
    assert census.runs(job)
    os.kill(job, signal.SIGKILL)
    await until(lambda: not census.tagged(tag), "it is gone")
