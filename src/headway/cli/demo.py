"""``headway demo``: the server with one real job under it, which a newcomer sees move and can stop."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import click
import msgspec

from headway.hub import Activities
from headway.reporter import Reporter

PIECE = 256 * 1024
"""Bytes read at once: what a stop waits for."""


class File(msgspec.Struct, frozen=True):
    """A file to be read."""

    path: Path
    size: int
    """Bytes."""


class Checksum:
    """Reads every file beneath a folder and computes one SHA-256 over all of them, in order of their paths."""

    def __init__(self, folder: Path, rate: float = 0.0) -> None:
        """``rate``: bytes per second at most, so that a check in the background leaves the disk to others; 0: any."""
        self._folder = folder
        self._rate = rate
        self._digest = hashlib.sha256()

    async def __call__(self, activities: Activities) -> None:
        """Run it as an activity."""
        context = {"path": str(self._folder)}
        async with activities.start(
            "files.checksum", title=f"Checksumming {self._folder}", subtitle="Counting files", context=context
        ) as activity:
            activity.report(progress=-1)
            files = await asyncio.to_thread(lambda: sorted(_files(self._folder), key=lambda file: file.path))
            total = sum(file.size for file in files)
            activity.report(completed=0, total=total, unit="bytes")
            done = await self._read_all(files, activity)
            activity.report(
                subtitle=f"{len(files)} files", response={"sha256": self._digest.hexdigest(), "files": len(files)}
            )
            activity.report(completed=done, total=done)

    async def _read_all(self, files: list[File], activity: Reporter) -> int:
        loop = asyncio.get_running_loop()
        begun, done = loop.time(), 0
        for file in files:
            activity.report(subtitle=str(file.path.relative_to(self._folder)))
            async for size in self._read(file.path):
                done += size
                activity.report(completed=done)
                await asyncio.sleep(self._ahead(done, loop.time() - begun))
        return done

    async def _read(self, path: Path) -> AsyncIterator[int]:
        """Take a file into the digest, telling the bytes of each piece. One that cannot be read counts as empty."""
        try:
            with path.open("rb") as source:
                while piece := await asyncio.to_thread(source.read, PIECE):
                    self._digest.update(piece)
                    yield len(piece)
        except OSError:
            return

    def _ahead(self, done: int, elapsed: float) -> float:
        """Seconds by which the reading is faster than it may be."""
        return max(0.0, done / self._rate - elapsed) if self._rate else 0.0


def _files(folder: Path) -> Iterator[File]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            try:
                if path.is_file() and not path.is_symlink():
                    yield File(path, path.stat().st_size)
            except OSError:  # gone, or not for us to see
                continue


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path("/usr/share"))
@click.option("--rate", default=10.0, show_default=True, help="Megabytes a second at most; 0: as fast as it goes.")
@click.option("--port", default=4590, show_default=True, help="0 picks a free one.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="The data folder [env: HEADWAY_DATA].")
def demo(folder: Path, rate: float, port: int, data: Path | None) -> None:
    """Start the server with one real job under it: checksumming the files beneath FOLDER.

    Ctrl-C stops both.

    \b
    Examples:
      headway demo
      headway demo ~/Pictures --rate 0
    """
    from headway.cli.serve import run_server
    from headway.server.data import data_dir
    from headway.server.standalone import Settings

    checksum = Checksum(folder.resolve(), rate * 1e6)
    settings = Settings(data=data_dir(data), port=port)

    def on_ready(urls: list[str]) -> None:
        click.echo(f"Headway listens on {urls[0]} and checksums {folder}. In another terminal, try")
        click.echo(_TRY.format(headway=_command(settings.data, elsewhere=settings.data != data_dir())))
        click.echo("Ctrl-C stops the server.")

    run_server(settings, on_ready, checksum)


_TRY = """
    {headway} watch               # see it move
    {headway} web                 # a link to see it in a browser
    {headway} cancel --all        # stop it, and hear what really happened
    {headway} run -- sleep 20     # put a command of your own under it
"""


def _command(data: Path, *, elsewhere: bool) -> str:
    """How the user reaches this program, and with it this server."""
    program = "headway" if shutil.which("headway") else os.path.relpath(sys.argv[0])
    if program.startswith(os.pardir):
        program = os.path.abspath(sys.argv[0])
    return shlex.join([program, "--data", str(data)] if elsewhere else [program])
