"""Results as a table: the first row is what the others are compared with."""

import os
import platform
from typing import TypedDict


class Result(TypedDict):
    what: str
    seconds: float
    """For one."""


def printed(name: str, results: list[Result]) -> str:
    """A table with times for one and ratios to the first row."""
    first = results[0]["seconds"]
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    lines = [f"{name} ({machine})", f"  {'':<58}{'for one':>12}{'ratio':>9}"]
    for result in results:
        ratio = result["seconds"] / first
        lines.append(f"  {result['what']:<58}{result['seconds'] * 1e6:>9.2f} µs{ratio:>9.2f}")
    return "\n".join(lines) + "\n"
