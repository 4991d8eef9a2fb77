"""A command as an operation: started, watched, stopped so that nothing of it runs afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Collection, Mapping, Sequence

from headway.operations.process.child import Child, Leader
from headway.operations.process.command import Command
from headway.operations.process.escalation import Escalation, Stopped
from headway.operations.process.exits import ExitStatus
from headway.operations.process.lineage import Lineage, marked
from headway.operations.process.session import Job
from headway.operations.process.signals import Relay, handling
from headway.operations.process.subreaper import subreaper
from headway.operations.process.terminal import Terminal
from headway.operations.process.wiring import Output, Wiring


class Process:
    """A running command, made by `start`. It does not depend on who waits: `wait` and `stop` may be cancelled."""

    def __init__(self, leader: Leader, lineage: Lineage, wiring: Wiring, held: contextlib.ExitStack) -> None:
        self.pid: int = leader.pid
        """Of the command itself; also the id of its process group."""
        self.status: ExitStatus | None = None
        """How the command ended; None while it runs."""
        self._leader = leader
        self._lineage = lineage
        self._wiring = wiring
        self._escalation: Escalation | None = None
        self._stopping: asyncio.Task[Stopped] | None = None
        self._held = held
        self._over = asyncio.ensure_future(self._see_off())
        self._ended = asyncio.ensure_future(self._supervise())

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        stdin: int | None = None,
        stdout: Output = None,
        stderr: Output = None,
        terminal: Terminal | None = None,
        forward: Collection[signal.Signals] = (),
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        exclusive: bool = False,
    ) -> Process:
        """Start `argv`, found on the PATH of `env`, in a session and process group of its own.

        `stdin`, `stdout`, `stderr`: None to share ours, a descriptor, ``subprocess.DEVNULL``, or for output a `Tee`.
        `terminal`: the caller's, which a pseudo-terminal then stands in for. Tees that end on it become that
        pseudo-terminal, and so does `stdin` if `stdout` does (see `job_control`); without one every tee is a pipe.
        `forward`: signals to this process that are passed on to the command's group, unless they are ignored.
        `pass_fds`: further descriptors that it inherits. `exclusive`: this process starts nothing but this command.
        With `terminal` or `forward` only in the main thread.

        If this process is killed, the command goes on. It gets SIGPIPE from what was a pipe to us, and SIGHUP from what
        was a terminal, as when a terminal window is closed.

        Raises CommandNotFound, CommandNotExecutable, NoWorkingDirectory, or another SpawnError.
        """
        if (terminal or forward) and threading.current_thread() is not threading.main_thread():
            raise RuntimeError("signals are handled in the main thread: start there, or without terminal and forward")
        mark, environment = marked(os.environ if env is None else env)
        command = Command(argv, environment, cwd, pass_fds)
        command.check()
        relay = Relay()
        with contextlib.ExitStack() as held:
            held.enter_context(subreaper.used())
            held.enter_context(handling(dict.fromkeys(forward, relay)))
            wiring = Wiring(stdin, stdout, stderr, terminal, relay)
            held.callback(wiring.close)
            leader = await _start(command, wiring)
            lineage = Lineage(leader.pid, leader.session, mark, helpers=leader.helpers, exclusive=exclusive)
            held.enter_context(subreaper.watching(lineage))
            relay.connect(lineage.signal_group)
            wiring.started()
            return cls(leader, lineage, wiring, held.pop_all())

    async def wait(self) -> ExitStatus:
        """Wait until the command has ended and all that it wrote has been passed on; if it is being stopped, until
        nothing of it runs. What it left behind in the background goes on, and is reaped when it dies."""
        return await asyncio.shield(self._ended)

    async def over(self) -> ExitStatus:
        """As `wait`, but not for what it wrote, which is on its way for as long as nobody takes it."""
        return await asyncio.shield(self._over)

    async def stop(self, grace: float) -> Stopped:
        """Stop all of it: SIGTERM and SIGCONT, then, `grace` seconds later, SIGKILL. Afterwards nothing of it runs.

        Also what left the group; on systems without ``/proc`` only the group. Once the command has ended, what it left
        behind. Several calls are one stop, of the shortest grace. Returns when it is true, however long that takes: a
        process that runs as another user, or is stuck in the kernel, may keep it waiting.
        """
        if self._escalation is None or self._stopping is None or self._stopping.cancelled():
            self._escalation = Escalation(self._lineage, subreaper.ask, grace, ended=self.status is not None)
            self._stopping = asyncio.ensure_future(self._escalate(self._escalation))
            if not self._over.done():
                self._leader.resume()
        else:
            self._escalation.tighten(grace)
        stopped = await asyncio.shield(self._stopping)
        if not self._over.cancelled():
            await asyncio.shield(self._over)
        return stopped

    def send_signal(self, signum: int) -> None:
        """Signal the command's process group; nothing once it has ended."""
        self._lineage.signal_group(signum)

    async def _see_off(self) -> ExitStatus:
        self.status = status = await self._leader.exited(self._suspended)
        if self._stopping is not None:
            await asyncio.wait({self._stopping})
        self._bury()
        return status

    async def _supervise(self) -> ExitStatus:
        try:
            status = await self.over()
            await self._wiring.drained()
            return status
        finally:
            self._held.close()

    async def _escalate(self, escalation: Escalation) -> Stopped:
        with subreaper.used():
            stopped = await escalation.run()
            if self._over.cancelled():  # the loop is ending, and has cancelled all its tasks
                self._bury()
            return stopped

    def _bury(self) -> None:
        self._lineage.release()
        self._leader.reap()

    async def _suspended(self) -> None:
        # A process that is stopped itself could not be asked to stop anything: no stepping back any more.
        if self._wiring.control is not None and self._stopping is None:
            await self._wiring.control.suspend()
        self._leader.resume()


async def _start(command: Command, wiring: Wiring) -> Leader:
    if wiring.control is None:
        return Child(command, wiring.streams)
    return await Job.start(command, wiring.streams, wiring.control.slave)
