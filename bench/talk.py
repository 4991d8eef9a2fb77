"""One line of JSON from a process that was asked something."""

from __future__ import annotations

import json
import select
import subprocess
from typing import Any

PATIENCE = 60.0
"""Seconds for an answer, beyond what it takes by itself."""


class Failed(Exception):
    """A server or a reader did not do what it was asked."""


def heard(process: subprocess.Popen[bytes], seconds: float = 0.0) -> dict[str, Any]:
    """What it answers; ``seconds``: what that takes by itself. Raises ``Failed``."""
    assert process.stdout is not None
    # The file has no buffer, so that what was not read yet is there to be selected.
    if not select.select([process.stdout], [], [], seconds + PATIENCE)[0]:
        raise Failed("no answer")
    line = process.stdout.readline()
    if not line:
        raise Failed(f"ended with {process.wait(PATIENCE)}")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise Failed(answer["error"])
    return answer


def say(process: subprocess.Popen[bytes], line: str) -> None:
    """Tell it something. Raises ``Failed``."""
    assert process.stdin is not None
    try:
        process.stdin.write(line.encode() + b"\n")
    except BrokenPipeError:
        raise Failed("it does not listen any more") from None
