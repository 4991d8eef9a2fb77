"""Under an interactive shell, a command behind us is suspended and continued as it would be without us."""

import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.operations.process import census
from tests.operations.process.screen import DRIVER, Screen, login, run
from tests.operations.process.waiting import until


class Shell:
    """An interactive bash on a screen, that runs the driver."""

    def __init__(self, screen: Screen, report: Path) -> None:
        self.screen = screen
        self.report = report
        self._prompts = 0

    async def prompt(self) -> None:
        """Wait for the next prompt."""
        self._prompts += 1
        await self.screen.shows("PROMPT>", times=self._prompts)

    async def enter(self, line: str) -> None:
        """Enter a line at the prompt."""
        await self.prompt()
        self.screen.type(line + "\n")

    async def run(self, script: str, after: str = "") -> tuple[int, int]:
        """Run a script under the driver; process ids of the driver and the script."""
        command = [sys.executable, str(DRIVER), str(self.report), "sh", "-c", script]
        await self.enter(f"{shlex.join(command)} {after}".strip())
        running = Path(f"{self.report}.running")
        await until(running.exists, "the command runs")
        driver, job = map(int, running.read_text().split())
        return driver, job


def state(pid: int) -> str:
    return (census.states(pid) or "-")[0]


@pytest.fixture
async def shell(screen: Screen, env: dict[str, str], tmp_path: Path) -> AsyncIterator[Shell]:
    env = {**env, "PS1": "PROMPT>", "HISTFILE": "/dev/null", "TERM": "dumb"}
    program = ["bash", "--noprofile", "--norc", "--noediting", "-i"]
    with login(screen, program, env) as bash:
        opened = Shell(screen, tmp_path / "report")
        yield opened
        screen.type("\nexit\nexit\n")
        await until(lambda: bash.poll() is not None, "the shell ends")


# No shell: one that starts a command by vfork while it is stopped hangs, without us as well.
TICKS = """
import itertools, time
for number in itertools.count(1):
    print("ti" + f"ck{number}", flush=True)
    time.sleep(0.05)
"""
TICKING = f"exec {shlex.join([sys.executable, '-I', '-S', '-c', TICKS])}"


async def test_ctrl_z_suspends_all_of_us_and_fg_continues(shell: Shell) -> None:
    driver, job = await shell.run(TICKING)
    await shell.screen.shows("tick3")
    shell.screen.type("\x1a")
    await shell.screen.shows("Stopped")
    assert (state(job), state(driver)) == ("T", "T")
    shown = shell.screen.output.count(b"tick")
    await shell.enter("echo mi''ne")
    await shell.screen.shows("mine")
    assert shell.screen.output.count(b"tick") == shown
    await shell.enter("fg")
    await shell.screen.shows("tick", times=shown + 3)
    assert shell.screen.raw
    shell.screen.type("\x03")
    await shell.enter("echo code $?")
    await shell.screen.shows("code 130")
    await shell.prompt()


async def test_it_can_be_suspended_again_and_again(shell: Shell) -> None:
    _, job = await shell.run(TICKING)
    for time in range(1, 6):
        await shell.screen.shows("tick", times=shell.screen.output.count(b"tick") + 2)
        shell.screen.type("\x1a")
        await shell.screen.shows("Stopped", times=time)
        assert state(job) == "T"
        await shell.enter("fg")
    await shell.screen.shows("tick", times=shell.screen.output.count(b"tick") + 2)
    shell.screen.type("\x03")
    await shell.prompt()


async def test_what_it_says_on_ctrl_z_is_shown_before_the_shell_takes_over(shell: Shell) -> None:
    # As an editor does: it leaves the screen in order, then stops itself.
    program = """
import os, signal, time

def leave(*_):
    print("x" * 200_000 + "leav" + "ing", flush=True)
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    print("ba" + "ck", flush=True)

signal.signal(signal.SIGTSTP, leave)
print("rea" + "dy", flush=True)
while True:
    time.sleep(0.01)
"""
    (shell.report.with_name("editor.py")).write_text(program)
    await shell.run(f"exec {sys.executable} {shell.report.with_name('editor.py')}")
    await shell.screen.shows("ready")
    shell.screen.type("\x1a")
    await shell.screen.shows("Stopped")
    assert shell.screen.output.index(b"leaving") < shell.screen.output.index(b"Stopped")
    await shell.enter("fg")
    await shell.screen.shows("back")
    shell.screen.type("\x03")
    await shell.prompt()


async def test_bg_continues_it_and_leaves_the_keyboard_to_the_shell(shell: Shell) -> None:
    _, job = await shell.run(TICKING)
    await shell.screen.shows("tick3")
    shell.screen.type("\x1a")
    await shell.screen.shows("Stopped")
    await shell.enter("bg")
    shown = shell.screen.output.count(b"tick")
    await shell.screen.shows("tick", times=shown + 3)
    assert not shell.screen.raw
    await shell.enter("echo mi''ne")
    await shell.screen.shows("mine")
    await shell.enter("fg")
    await until(lambda: shell.screen.raw, "the keyboard is the command's")
    shell.screen.type("\x03")
    await until(lambda: not census.runs(job), "Ctrl-C has reached it")
    await shell.prompt()


async def test_one_that_is_started_in_the_background_waits_for_the_keyboard(shell: Shell) -> None:
    driver, job = await shell.run("read line; echo got $line", after="&")
    await shell.enter("echo mi''ne")
    await shell.screen.shows("mine")
    assert (state(driver), state(job)) == ("S", "S")
    await shell.enter("fg")
    await until(lambda: shell.screen.raw, "the keyboard is the command's")
    shell.screen.type("wo\x7forld\n")
    await shell.screen.shows("got world")
    await shell.prompt()


async def test_a_pipeline_is_suspended_and_continued_as_one(shell: Shell) -> None:
    driver, job = await shell.run(TICKING, after="| sed -u s/tick/tock/")
    await shell.screen.shows("tock3")
    shell.screen.type("\x1a")
    await shell.screen.shows("Stopped")
    assert (state(job), state(driver)) == ("T", "T")
    await shell.enter("fg")
    await shell.screen.shows("tock", times=shell.screen.output.count(b"tock") + 3)
    shell.screen.type("\x03")
    await until(lambda: not census.runs(job), "Ctrl-C has reached it")
    await shell.prompt()


async def test_a_suspended_one_can_be_ended(shell: Shell) -> None:
    driver, job = await shell.run(TICKING)
    await shell.screen.shows("tick3")
    shell.screen.type("\x1a")
    await shell.screen.shows("Stopped")
    await shell.enter("kill %1")
    await until(lambda: not census.runs(job) and not census.runs(driver), "both have ended")
    await shell.prompt()


async def test_one_that_is_stopped_from_elsewhere_does_not_stop_us(shell: Shell) -> None:
    driver, job = await shell.run(TICKING)
    await shell.screen.shows("tick3")
    os.kill(job, signal.SIGSTOP)
    await until(lambda: state(job) == "T", "it is stopped")
    os.kill(driver, signal.SIGUSR1)  # a stop, which needs us
    await until(lambda: not census.runs(job), "it has ended")
    await shell.prompt()
    assert b"terminated" in shell.report.read_bytes()


async def test_without_a_shell_that_could_continue_it_ctrl_z_stops_nothing(
    screen: Screen, env: dict[str, str], tmp_path: Path
) -> None:
    program = """
import signal, time
signal.signal(signal.SIGCONT, lambda *_: print("again", flush=True))
print("ready", flush=True)
while True:
    time.sleep(0.01)
"""
    command = [sys.executable, "-I", "-S", "-c", program]
    with run(screen, tmp_path / "report", command, env) as running:
        await screen.shows("ready")
        screen.type("\x1a")
        await screen.shows("again")
        screen.type("\x03")
        await running.outcome()
    assert screen.modes() == screen.modes_before


async def test_a_shell_under_us_has_job_control_of_its_own(screen: Screen, env: dict[str, str], tmp_path: Path) -> None:
    env = {**env, "PS1": "INNER>", "HISTFILE": "/dev/null", "TERM": "dumb"}
    inner = ["bash", "--noprofile", "--norc", "--noediting", "-i"]
    with run(screen, tmp_path / "report", inner, env) as running:
        await screen.shows("INNER>")
        screen.type("sleep 1000\n")
        await until(lambda: "sleep" in map(census.name, census.tagged(env[census.TAG])), "it sleeps")
        screen.type("\x1a")
        await screen.shows("Stopped")
        screen.type("kill %1\nexit\nexit\n")
        await running.outcome()
    assert b"no job control" not in screen.output
