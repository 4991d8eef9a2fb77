"""What the tests of identity share."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from headway.server.identity.database import VERSION

NOW = 1_000_000.0
CLI = (sys.executable, "-c", "from headway.cli.token import token; token()")
"""`headway token` as a process of its own."""

CHANGES = [
    ("role = 'reader'", "role = 'user'"),
    ("role = 'admin'", "role = 'user'"),
    ("user_id = 1", "user_id = 2"),
    ("revoked_at = 5", "revoked_at = NULL"),
]
"""What becomes of a user's token, in SQL, each with what undoes it: what came of the token is to end with it."""


def outgrow(db: sqlite3.Connection, *, oldest: int) -> None:
    """Make the tables those of the next release, which programs can use that know the version ``oldest``."""
    db.execute("ALTER TABLE users ADD COLUMN later TEXT NOT NULL DEFAULT 'then'")
    db.execute("UPDATE compatibility SET oldest = ?", (oldest,))
    db.execute(f"PRAGMA user_version = {VERSION + 1}")


class FakeClock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now: float = NOW) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; the deadline only says that it never will."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


_OPENER = """
import sys
from pathlib import Path
from headway.core.policy import Role
from headway.server.identity.store import TokenStore
print("ready", flush=True)
sys.stdin.read()
{action}
"""


def at_once(action: str, arguments: Sequence[Sequence[str]]) -> list[str]:
    """What processes print that act in the same moment: one for each set of arguments."""
    with ExitStack() as stack:
        command = [sys.executable, "-c", _OPENER.format(action=action)]
        openers = [
            stack.enter_context(
                subprocess.Popen([*command, *given], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for given in arguments
        ]
        for opener in openers:
            assert opener.stdout is not None
            assert opener.stdout.readline() == "ready\n"
        for opener in openers:  # the starting shot
            assert opener.stdin is not None
            opener.stdin.close()
        return [opener.stdout.read() for opener in openers if opener.stdout]
