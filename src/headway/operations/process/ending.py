"""What the end of a command says of its operation."""

from __future__ import annotations

import signal

from headway.core.activity import State
from headway.core.errors import HeadwayError
from headway.operations.process.exits import ExitStatus

OURS = (signal.SIGTERM, signal.SIGKILL)
"""What a stop sends."""


class CommandFailed(HeadwayError):
    """The command has failed."""

    code = "command_failed"

    def __init__(self, reason: str, exit_status: ExitStatus, stderr: str) -> None:
        super().__init__(f"{reason}: {stderr}" if stderr else reason)
        self.exit_status = exit_status
        """How it ended."""
        self.stderr = stderr
        """The last lines of its errors, as far as they went through this process."""


def ending(status: ExitStatus, *, asked_to_stop: bool) -> tuple[State, str | None]:
    """How a command has ended, for the record: the state, and why it failed.

    Only what ended because of a stop was cancelled: with an exit code of its own, or by a signal of ours. What finished
    all the same succeeded; what crashed failed.
    """
    if status.code == 0:
        return State.SUCCEEDED, None
    if asked_to_stop and (status.signal is None or status.signal in OURS):
        return State.CANCELLED, None
    if status.signal is None:
        return State.FAILED, f"exit status {status.code}"
    return State.FAILED, f"killed by {_name(status.signal)}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
