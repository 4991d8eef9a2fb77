"""``headway run``: a command as an activity."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from headway.cli.connection import Connection, connecting
from headway.core.activity import DEFAULT_GRACE
from headway.operations.process.progress import RULES
from headway.wire.requests import MAX_GRACE
from headway.wire.rules import activity_type

if TYPE_CHECKING:
    from headway.cli.streams import Look, Streams
    from headway.client.jobs.job import Job
    from headway.client.jobs.reporting import Reporting
    from headway.operations.process import ExitStatus, Process, Terminal
    from headway.operations.process.progress.meter import Meter
    from headway.operations.process.transcript import Transcript

CANNOT_RUN = 126
NOT_FOUND = 127
"""What shells report of a command that cannot be run, or is not there (POSIX, Shell Command Language 2.8.2)."""

_log = logging.getLogger("headway")


class Options(msgspec.Struct, frozen=True):
    """How a command is to be run."""

    argv: Sequence[str]
    type: str
    title: str
    cancellable: bool
    grace: float
    """Seconds."""
    progress: str
    output: bool
    """Whether what it prints is kept with its record."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
@click.option("--type", metavar="TYPE", help="[default: command.NAME]")
@click.option("--title", metavar="TEXT", help="[default: the command line, without what looks like a secret]")
@click.option("--not-cancellable", is_flag=True, help="Nobody can ask it to stop.")
@click.option(
    "--grace",
    metavar="S",
    type=click.FloatRange(0, MAX_GRACE),
    default=DEFAULT_GRACE,
    show_default=True,
    help="Seconds between SIGTERM and SIGKILL when it is asked to stop.",
)
@click.option(
    "--progress",
    metavar="RULE",
    type=click.Choice(list(RULES)),
    default="auto",
    show_default=True,
    help=f"How to read its progress: {', '.join(RULES)}.",
)
@click.option("--no-output", is_flag=True, help="Do not keep what it prints with its record.")
@click.option("--quiet", is_flag=True, help="Do not say, at the end, that it could not be recorded.")
@connecting
def run(
    connection: Connection,
    command: Sequence[str],
    type: str | None,
    title: str | None,
    not_cancellable: bool,
    grace: float,
    progress: str,
    no_output: bool,
    quiet: bool,
) -> None:
    """Run COMMAND as an activity that can be watched and stopped.

    It runs as it would without: input, output, terminal and exit code are its own, and so is Ctrl-C. Its progress is
    read from what it prints, and the last 64 KiB of that can be read by whoever may see the activity: --no-output keeps
    it to yourself. Without a server it runs all the same; the record catches up when there is one.

    When it is asked to stop, all of its processes get SIGTERM and, after the grace, SIGKILL. It then ends as cancelled;
    as succeeded if it finished nevertheless.

    If the server is away when it ends, its end is kept for up to 30 seconds, in case the server comes back: as long as
    that would wait for it. On a terminal, and when no server has ever heard of it, for 5 at most; Ctrl-C ends that.

    \b
    Examples:
      headway run -- rsync -a --info=progress2 photos/ nas:photos/
      headway run --title "Nightly backup" --grace 60 -- ./backup.sh
      headway run --progress ffmpeg -- ffmpeg -i film.mkv film.mp4
      headway run --type import.users --progress none -- psql -f users.sql
    """
    from headway.cli.command_name import title_of, type_of
    from headway.client.jobs.reporting import Reporting

    if type is not None:
        activity_type("--type", type)
    options = Options(
        command,
        type or type_of(command),
        title or title_of(command),
        not not_cancellable,
        grace,
        progress,
        not no_output,
    )
    reporting = Reporting(connection.following())
    running = Run(options, reporting)
    try:
        code = asyncio.run(running.main())
    finally:
        with contextlib.suppress(KeyboardInterrupt):  # whoever is in a hurry need not wait for the record
            reporting.close(_patience(running.job))
    if not quiet:
        _admit(running.job)
    sys.exit(code)


class Run:
    """One command under way."""

    def __init__(self, options: Options, reporting: Reporting) -> None:
        self.job: Job | None = None
        """Its record; None before it has been started."""
        self._options = options
        self._reporting = reporting
        self._process: Process | None = None
        self._transcript: Transcript | None = None
        self._stopping: asyncio.Task[object] | None = None

    async def main(self) -> int:
        """Run it to its end; the exit code to pass on."""
        from headway.operations.process import CommandNotFound, SpawnError, Terminal
        from headway.operations.process.ending import ending

        terminal = Terminal.find()
        try:
            status = await self._run(terminal)
        except SpawnError as error:
            click.echo(f"headway: {error}", err=True)
            return NOT_FOUND if isinstance(error, CommandNotFound) else CANNOT_RUN
        finally:
            if terminal is not None:
                terminal.close()
        if self.job is not None:
            self.job.finish(*ending(status, asked_to_stop=self._stopping is not None))
        return status.code

    async def _run(self, terminal: Terminal | None) -> ExitStatus:
        from headway.cli.streams import Streams
        from headway.operations.process.progress.meter import Meter

        meter = Meter(self._options.progress)
        streams = Streams(self._look(meter), terminal)
        with streams:
            self._process = process = await self._start(streams, terminal)
        try:
            self._report(process, meter)
        except Exception:  # whatever it is, it is no reason to leave the command alone
            _log.debug("cannot report", exc_info=True)
        looking = asyncio.ensure_future(meter.watch())
        try:
            status = await process.wait()
            await streams.drained()
        finally:
            looking.cancel()
        meter.flush(0.0)
        return status

    def _look(self, meter: Meter) -> Look | None:
        """What looks at what it prints."""
        from headway.cli.streams import together
        from headway.operations.process.transcript import Transcript

        looks: list[Look] = []
        if self._options.progress != "none":
            looks.append(lambda stream: meter.stream(stream - 1))
        if self._options.output:
            self._transcript = Transcript(self._tell_output)
            looks.append(self._transcript.look)
        return together(looks)

    def _tell_output(self) -> None:
        if self.job is not None and self._transcript is not None:
            self.job.output(self._transcript.read)

    async def _start(self, streams: Streams, terminal: Terminal | None) -> Process:
        from headway.operations.process import FORWARDED, Process

        return await Process.start(
            self._options.argv,
            stdout=streams.output,
            stderr=streams.errors,
            terminal=terminal,
            forward=FORWARDED,
            exclusive=True,
        )

    def _report(self, process: Process, meter: Meter) -> None:
        from headway.cli.command_name import program
        from headway.client.jobs.outbox import OnLoss

        loop = asyncio.get_running_loop()

        def on_stop(reason: str) -> None:
            with contextlib.suppress(RuntimeError):  # it has ended meanwhile, and the loop with it
                loop.call_soon_threadsafe(self._stop)

        context = {
            "command": program(self._options.argv),
            "host": os.uname().nodename,
            "pid": str(process.pid),
            "cwd": _folder(),
        }
        self.job = self._reporting.start(
            self._options.type,
            title=self._options.title,
            progress=-1,
            cancellable=self._options.cancellable,
            grace=self._options.grace,
            context=context,
            on_loss=OnLoss.CONTINUE,
            on_stop=on_stop,
        )
        meter.report_to(self.job)
        self._tell_output()

    def _stop(self) -> None:
        process = self._process
        if process is not None and process.status is None and self._stopping is None:
            self._stopping = asyncio.ensure_future(process.stop(self._options.grace))


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return ""


def _patience(job: Job | None) -> float:
    """Seconds to wait for the record: where nobody waits for the prompt, a restart of the server may take its time."""
    from headway.client.jobs.outbox import LEASE
    from headway.client.jobs.reporting import PATIENCE

    recorded = job is not None and job.uuid is not None
    return LEASE if recorded and not sys.stderr.isatty() else PATIENCE


def _admit(job: Job | None) -> None:
    """Say on a terminal that the record is not what it should be; only now, so as not to disturb the command."""
    if job is None or job.problem is None or not sys.stderr.isatty():
        return
    what = "not recorded" if job.uuid is None else "not recorded to its end"
    line = f"headway: {what}: {job.problem.message}"
    click.secho(line, err=True, dim=True, color=False if "NO_COLOR" in os.environ else None)
