"""The first process of an operation, as the foreground job of a terminal's session."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence

from headway.operations.process import proc, session_leader
from headway.operations.process.child import OnSuspended, Streams, spawn
from headway.operations.process.command import Command, SpawnError
from headway.operations.process.exits import ExitStatus, child_exit, readable


class Job:
    """A command behind a session leader of ours, which tells what becomes of it (see `session_leader`)."""

    def __init__(self, leader: SessionLeader, pid: int) -> None:
        self._leader = leader
        self.pid = pid
        self.session: int = leader.pid
        self.helpers: tuple[int, ...] = (leader.pid,)

    @classmethod
    async def start(cls, command: Command, streams: Streams, terminal: int) -> Job:
        """Start it with the slave side `terminal` as the terminal that controls it. Raises SpawnError."""
        leader = SessionLeader(command, streams, terminal)
        with contextlib.ExitStack() as undo:
            undo.callback(leader.give_up)
            word, _, number = (await leader.news()).partition(" ")
            if word == "failed":
                raise command.refusal(int(number))
            if word != "started":
                raise SpawnError(f"{command.argv[0]}: its session could not be started with {sys.executable}")
            undo.pop_all()
        return cls(leader, int(number))

    async def exited(self, on_suspended: OnSuspended) -> ExitStatus:
        """See ``child.Leader``."""
        while (line := await self._leader.news()) == "suspended":
            await on_suspended()
        word, _, number = line.partition(" ")
        if word == "exited":
            return ExitStatus.of(int(number))
        # Somebody killed the session leader. Its job is an orphan, perhaps ours.
        return await child_exit(self.pid)

    def resume(self) -> None:
        """See ``child.Leader``."""
        self._leader.resume()

    def reap(self) -> None:
        """See ``child.Leader``."""
        self._leader.close()
        proc.reap(self.pid)


class SessionLeader:
    """Our side of the program in `session_leader`."""

    def __init__(self, command: Command, streams: Streams, terminal: int) -> None:
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as undo:
            self._status, their_status = os.pipe()
            their_control, self._control = os.pipe()
            for descriptor in (their_status, their_control):
                theirs.callback(os.close, descriptor)
            for descriptor in (self._status, self._control):
                undo.callback(os.close, descriptor)
            passed = (terminal, their_status, their_control)
            self._popen = spawn(command, _argv(command.argv, passed), streams, passed)
            undo.pop_all()
        os.set_blocking(self._status, False)
        self._text = b""
        self.pid: int = self._popen.pid

    async def news(self) -> str:
        """The next line that it tells; empty if it has died."""
        while b"\n" not in self._text:
            await readable(self._status)
            told = os.read(self._status, 1024)
            if not told:
                return ""
            self._text += told
        line, _, self._text = self._text.partition(b"\n")
        return line.decode()

    def resume(self) -> None:
        """Let the job go on if it is suspended; else, when it will be the next time."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._control, b"\0")

    def give_up(self) -> None:
        """End it and a job that it may have started without our having been told."""
        for entry in proc.everything():
            if entry.session == self.pid:
                proc.send(entry, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """It has done its work."""
        self._popen.kill()
        self._popen.wait()
        os.close(self._status)
        os.close(self._control)


def _argv(command: Sequence[str], descriptors: Sequence[int]) -> list[str]:
    # Isolated and without site: it starts in 10 ms and nothing in the caller's environment changes what it does.
    program = [sys.executable, "-I", "-S", session_leader.__file__]
    return [*program, *map(str, descriptors), *command]
