"""The record of a run: what was measured, where, when, and by which command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bench import frame
from bench.machine import described
from bench.rounds import Round


def record(name: str, arguments: Sequence[str], rounds: Sequence[Round], skipped: Sequence[str]) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "bench": name,
        "command": shlex.join(["python", "-m", "bench", name, *arguments]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": described(),
        "frame_bytes": {protocol: frame.framed(protocol).size for protocol in frame.PROTOCOLS},
        "left_out": list(skipped),
        "rounds": list(rounds),
    }


def heading(name: str) -> str:
    """The first line of a table."""
    machine = described()
    what = f"{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, Python {machine['python']}"
    return f"{name} ({what}, load {machine['load']}, {datetime.now(UTC):%Y-%m-%d})"
