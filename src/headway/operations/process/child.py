"""The first process of an operation, as a child: started, waited for, reaped."""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from headway.operations.process.command import Command
from headway.operations.process.exits import ExitStatus, child_exit

Streams = tuple[int | None, int | None, int | None]
"""Standard input, output and error of a process; None: ours."""

OnSuspended = Callable[[], Awaitable[None]]


class Leader(Protocol):
    """The first process of an operation. Until reaped, its number means it and its group, and nothing else."""

    pid: int
    session: int
    helpers: tuple[int, ...]
    """Processes of ours in its session."""

    async def exited(self, on_suspended: OnSuspended) -> ExitStatus:
        """Wait until it has ended. Await `on_suspended` each time Ctrl-Z has stopped it, which lasts until `resume`."""

    def resume(self) -> None:
        """Let it go on if it is suspended; else, when it will be the next time."""

    def reap(self) -> None:
        """To be called when it has ended."""


class Child:
    """A child of this process; leads a session without a terminal, so that no key and no hang-up reaches it."""

    helpers: tuple[int, ...] = ()

    def __init__(self, command: Command, streams: Streams) -> None:
        self._popen = spawn(command, command.argv, streams)
        self.pid: int = self._popen.pid
        self.session: int = self.pid

    async def exited(self, on_suspended: OnSuspended) -> ExitStatus:
        """Wait until it has ended; no Ctrl-Z suspends it."""
        return await child_exit(self.pid)

    def resume(self) -> None:
        """No Ctrl-Z reaches it."""

    def reap(self) -> None:
        """To be called when it has ended."""
        self._popen.wait()


def spawn(
    command: Command, argv: Sequence[str], streams: Streams, extra: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start `argv` as the leader of a new session and group, in the place and environment of `command`.

    Raises SpawnError.
    """
    stdin, stdout, stderr = streams
    try:
        return subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=command.cwd,
            env=command.environment,
            pass_fds=(*command.pass_fds, *extra),
            start_new_session=True,
        )
    except OSError as error:
        raise command.refusal(error.errno or 0) from error
