"""What a report costs the job that makes it, against what jobs do without us: `tqdm.update`."""

import io
import time
from collections.abc import Callable

from tqdm import tqdm

from bench.table import Result
from headway import Activities

COUNT = 200_000


def timed(call: Callable[[int], object]) -> float:
    """Seconds for one call, the loop itself taken off."""
    begun = time.perf_counter()
    for number in range(COUNT):
        call(number)
    spent = time.perf_counter() - begun
    begun = time.perf_counter()
    for _ in range(COUNT):
        pass
    return (spent - (time.perf_counter() - begun)) / COUNT


async def run() -> list[Result]:
    with tqdm(total=COUNT, file=io.StringIO()) as bar:
        tqdm_update = timed(lambda _: bar.update())
    async with Activities("memory:") as activities, activities.start("bench.report") as activity:
        activity.report(total=COUNT)
        completed = timed(lambda number: activity.report(completed=number))
        subtitle = timed(lambda number: activity.report(completed=number, subtitle="Firefly S01 E05"))
    return [
        Result(what="tqdm.update()", seconds=tqdm_update),
        Result(what="activity.report(completed=n)", seconds=completed),
        Result(what="activity.report(completed=n, subtitle=…)", seconds=subtitle),
    ]
