"""``activities.spawn_process(...)``: a command as an operation of this process."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from headway.core.activity import Activity, State
from headway.core.errors import InvalidInput
from headway.operations.options import StartOptions
from headway.operations.process.ending import CommandFailed, ending
from headway.operations.process.escalation import Stopped
from headway.operations.process.exits import ExitStatus
from headway.operations.process.keeping import Keeper, Write
from headway.operations.process.output import OnLine, Output, last_words
from headway.operations.process.process import Process
from headway.operations.process.progress.reader import RULES
from headway.operations.process.pump import OnOutput, Tee
from headway.operations.spawn import Spawned, is_coroutine_function, supervised
from headway.operations.start import Start
from headway.reporter import Reporter

if TYPE_CHECKING:
    from headway.hub import Activities

HURRY = 1.0
"""Seconds that a command gets to stop when the event loop that it is watched from ends."""

PATIENCE = 1.0
"""Seconds that what a stopped command wrote may take to be passed on."""


class HasDescriptor(Protocol):
    """An open file."""

    def fileno(self) -> int:
        """Its descriptor."""


Stream = HasDescriptor | int | None
"""A file that is open while the command is started, or its descriptor; or ``subprocess.DEVNULL``, ``STDOUT``."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What to run, and what becomes of what it prints; see ``Activities.spawn_process``."""

    argv: Sequence[str | os.PathLike[str]]
    cwd: str | os.PathLike[str] | None = None
    env: Mapping[str, str] | None = None
    stdin: Stream = None
    stdout: Stream = None
    stderr: Stream = None
    progress: str = "auto"
    on_line: OnLine | None = None
    keep_output: bool = True

    def check(self) -> None:
        """Refuse what is wrong in the program that asks, before anything is on record. Raises ``InvalidInput``."""
        if isinstance(self.argv, str | bytes) or not self.argv:
            raise InvalidInput("argv: a command is a list of words, such as ['ls', '-l']; no shell reads it")
        if self.progress not in RULES:
            raise InvalidInput(f"progress: there is no rule {self.progress!r}; there are {', '.join(RULES)}")
        if self.on_line is not None and is_coroutine_function(self.on_line):
            raise InvalidInput("on_line: it is called in a thread, and cannot be a coroutine function")
        if subprocess.PIPE in (self.stdin, self.stdout, self.stderr):
            raise InvalidInput("nobody would be at the other end of a pipe: see `on_line` for what a command prints")

    async def start(self, output: Output) -> Process:
        """Raises SpawnError."""
        return await Process.start(
            [os.fspath(word) for word in self.argv],
            # Not ours: several commands would take the input from one another, and from us.
            stdin=subprocess.DEVNULL if self.stdin is None else _descriptor(self.stdin),
            stdout=_end(self.stdout, 1, output.look(1, errors=self.stderr == subprocess.STDOUT)),
            stderr=_end(self.stderr, 2, output.look(2, errors=True)),
            cwd=self.cwd,
            env=self.env,
        )


class ProcessOperation:
    """A command that can be asked to stop, from the moment on when its activity is on record."""

    def __init__(self) -> None:
        """To be made on the event loop that the command is watched from, which may be another than the hub's."""
        self._loop = asyncio.get_running_loop()
        self._asked = asyncio.Event()
        self._grace = math.inf
        self._process: Process | None = None
        self._stops: list[asyncio.Task[Stopped]] = []

    def __repr__(self) -> str:
        return f"<ProcessOperation pid={self._process and self._process.pid} stopping={bool(self._stops)}>"

    def request_stop(self, activity: Activity) -> None:
        """Send SIGTERM, and SIGKILL when the activity's grace is over. From the hub's loop."""
        with suppress(RuntimeError):  # that loop has ended, and the command before it
            self._loop.call_soon_threadsafe(self._ask, activity.grace)

    async def run(self, invocation: Invocation, reporter: Reporter, keep: Write | None = None) -> ExitStatus:
        """Run it to its end, when nothing of it is left that was to be stopped. ``keep``: takes what it prints.

        Returns only if it succeeded. Raises SpawnError, ``CommandFailed``, and CancelledError if it was stopped.
        """
        keeper = None if keep is None else Keeper(keep)
        transcript = None if keeper is None else keeper.transcript
        output = Output(reporter, invocation.progress, invocation.on_line, transcript)
        if self._asked.is_set():
            raise asyncio.CancelledError
        self._process = process = await invocation.start(output)
        if self._asked.is_set():  # meanwhile
            self._ask(self._grace)
        beside = [asyncio.ensure_future(output.meter.watch())]
        if keeper is not None:
            beside.append(asyncio.ensure_future(keeper.run()))
        try:
            status = await self._over(process)
            await self._passed_on(process)
        finally:
            for each in beside:
                each.cancel()
        output.meter.flush(0.0)
        if keeper is not None:
            await keeper.tell()
        return self._judged(status, output)

    def _judged(self, status: ExitStatus, output: Output) -> ExitStatus:
        state, reason = ending(status, asked_to_stop=bool(self._stops))
        if state is State.CANCELLED:
            raise asyncio.CancelledError
        if reason is not None:
            raise CommandFailed(reason, status, last_words(output.errors))
        return status

    def _ask(self, grace: float) -> None:
        """Begin to stop it, unless it has ended by itself. Asked again, it may get less grace, but not more."""
        self._grace = min(self._grace, grace)
        self._asked.set()
        process = self._process
        if process is not None and (process.status is None or self._stops):
            self._stops.append(asyncio.ensure_future(process.stop(self._grace)))

    async def _over(self, process: Process) -> ExitStatus:
        try:
            return await process.over()
        except asyncio.CancelledError:
            # Our loop ends, with all its tasks, those that watch the process too. It must not go on unwatched.
            while True:
                with suppress(asyncio.CancelledError):
                    await process.stop(HURRY)
                    break
            raise

    async def _passed_on(self, process: Process) -> None:
        """Wait until all that it wrote has been passed on, but not for ever once it was to stop."""
        passed_on, asked = asyncio.ensure_future(process.wait()), asyncio.ensure_future(self._asked.wait())
        try:
            await asyncio.wait({passed_on, asked}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({passed_on}, timeout=PATIENCE)
        finally:
            passed_on.cancel()
            asked.cancel()


async def spawn_process(
    activities: Activities, type: str, invocation: Invocation, options: StartOptions
) -> Spawned[ExitStatus]:
    """Run a command; returns once the start is on record. See ``Activities.spawn_process``."""
    invocation.check()
    operation = ProcessOperation()
    start = Start(activities, type, operation, **options)

    async def work(reporter: Reporter) -> ExitStatus:
        async def keep(text: str) -> None:
            await activities.portal.run(activities.write_output, reporter.uuid, text)

        return await operation.run(invocation, reporter, keep if invocation.keep_output else None)

    return await supervised(activities, start, work)


def _end(wanted: Stream, ours: int, look: OnOutput) -> Tee | int:
    """Looked at on its way to ours or to nowhere; to any other file the command writes by itself."""
    if wanted is None:
        return Tee(ours, look, outlive_destination=True)
    return Tee(None, look) if wanted == subprocess.DEVNULL else _descriptor(wanted)


def _descriptor(stream: HasDescriptor | int) -> int:
    return stream if isinstance(stream, int) else stream.fileno()
