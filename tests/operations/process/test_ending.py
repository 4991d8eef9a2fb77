"""What is recorded of a command's end."""

import signal

import pytest

from headway.core.activity import State
from headway.operations.process.ending import CommandFailed, ending
from headway.operations.process.exits import ExitStatus


@pytest.mark.parametrize(
    ("returncode", "asked", "state", "error"),
    [
        (0, False, State.SUCCEEDED, None),
        (0, True, State.SUCCEEDED, None),
        (3, False, State.FAILED, "exit status 3"),
        (3, True, State.CANCELLED, None),
        (-signal.SIGTERM, False, State.FAILED, "killed by SIGTERM"),
        (-signal.SIGTERM, True, State.CANCELLED, None),
        (-signal.SIGKILL, True, State.CANCELLED, None),
        (-signal.SIGSEGV, True, State.FAILED, "killed by SIGSEGV"),
        (-40, False, State.FAILED, "killed by signal 40"),
    ],
)
async def test_how_it_ended(returncode: int, asked: bool, state: State, error: str | None) -> None:
    assert ending(ExitStatus.of(returncode), asked_to_stop=asked) == (state, error)


async def test_why_it_failed_comes_with_the_last_of_its_errors() -> None:
    failed = CommandFailed("exit status 3", ExitStatus.of(3), "disk full")
    assert (failed.message, failed.exit_status.code, failed.stderr) == ("exit status 3: disk full", 3, "disk full")
    assert CommandFailed("killed by SIGSEGV", ExitStatus.of(-11), "").message == "killed by SIGSEGV"
