"""A job that says how far it is, in its own process. Arguments: how it says it, and the URL of a Valkey.

What is shown is shown: progress bars are drawn, ten times a second, into a terminal that is a file in memory.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import Callable
from typing import Any

from bench.peers.serving import parts
from bench.peers.spending import Burst, bursts, bursts_and_breaks
from headway import Activities
from headway.reporter import Reporter

TOTAL = 1_000_000_000
SUBTITLE = "Firefly S01 E05"
MANY, FEW = 1_000, 10
"""Calls in a burst: of those that take parts of a microsecond, and of those that wait for a network."""
TYPE = "bench.ingest"


def tqdm_update(_: str) -> None:
    from tqdm import tqdm

    with tqdm(total=TOTAL, file=io.StringIO()) as bar:

        def burst(numbers: range) -> None:
            update = bar.update
            for _ in numbers:
                update()

        bursts(burst, MANY)


def tqdm_text(_: str) -> None:
    from tqdm import tqdm

    with tqdm(total=TOTAL, file=io.StringIO()) as bar:

        def burst(numbers: range) -> None:
            for _ in numbers:
                bar.set_postfix_str(SUBTITLE, refresh=False)
                bar.update()

        bursts(burst, MANY)


def rich_update(_: str) -> None:
    with _rich_progress() as bars:
        task = bars.add_task("Films", total=TOTAL)

        def burst(numbers: range) -> None:
            for number in numbers:
                bars.update(task, completed=number)

        bursts(burst, MANY)


def rich_advance(_: str) -> None:
    with _rich_progress() as bars:
        task = bars.add_task("Films", total=TOTAL)

        def burst(numbers: range) -> None:
            for _ in numbers:
                bars.advance(task)

        bursts(burst, MANY)


def _rich_progress() -> Any:
    from rich.console import Console
    from rich.progress import Progress

    terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    return Progress(console=terminal, redirect_stdout=False, redirect_stderr=False)


def celery(url: str) -> None:
    from celery import Celery  # type: ignore[import-untyped]

    app = Celery(TYPE, broker="memory://", backend=url)

    # Run on the spot and not by a worker: it writes to the backend all the same.
    @app.task(bind=True)  # type: ignore[untyped-decorator]
    def job(self: Any) -> None:
        def burst(numbers: range) -> None:
            for number in numbers:
                self.update_state(state="PROGRESS", meta={"current": number, "total": TOTAL})

        bursts(burst, FEW)

    job.apply(throw=True)


def report(_: str) -> None:
    asyncio.run(_on_the_loop(_counting))


def report_text(_: str) -> None:
    asyncio.run(_on_the_loop(_counting_with_text))


def thread(_: str) -> None:
    _in_a_thread(_counting)


def thread_text(_: str) -> None:
    _in_a_thread(_counting_with_text)


async def _on_the_loop(counting: Callable[[Reporter], Burst]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with Activities(f"sqlite:{folder}") as activities, activities.start(TYPE) as activity:
            activity.report(total=TOTAL)
            await bursts_and_breaks(counting(activity), MANY)


def _in_a_thread(counting: Callable[[Reporter], Burst]) -> None:
    """In the main one, beside the loop that a program without one gets."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Activities(f"sqlite:{folder}") as activities,
        activities.start(TYPE) as activity,
    ):
        activity.report(total=TOTAL)
        bursts(counting(activity), MANY)


def _counting(activity: Reporter) -> Burst:
    def burst(numbers: range) -> None:
        report = activity.report
        for number in numbers:
            report(completed=number)

    return burst


def _counting_with_text(activity: Reporter) -> Burst:
    def burst(numbers: range) -> None:
        report = activity.report
        for number in numbers:
            report(completed=number, subtitle=SUBTITLE)

    return burst


JOBS: dict[str, Callable[[str], None]] = {
    "tqdm": tqdm_update,
    "tqdm-text": tqdm_text,
    "rich": rich_update,
    "rich-advance": rich_advance,
    "celery": celery,
    "report": report,
    "report-text": report_text,
    "thread": thread,
    "thread-text": thread_text,
}


if __name__ == "__main__":
    name, server = (part.decode() for part in parts())
    JOBS[name](server)
