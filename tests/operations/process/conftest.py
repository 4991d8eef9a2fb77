"""Every test here must leave nothing behind: no process, no zombie, no descriptor, no thread."""

import os
import signal
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.operations.process import census
from tests.operations.process.screen import Screen
from tests.operations.process.waiting import until


@pytest.fixture
def tag() -> str:
    """Marks the processes of one test, by their environment."""
    return uuid.uuid4().hex


@pytest.fixture
def env(tag: str) -> dict[str, str]:
    """The environment for the processes of one test."""
    return {**os.environ, census.TAG: tag, "LC_ALL": "C.UTF-8"}


@pytest.fixture(autouse=True)
async def nothing_left(tag: str) -> AsyncIterator[None]:
    children, descriptors = census.children(), kinds()
    yield
    left = census.tagged(tag)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == [], "processes run on after the test"
    await until(lambda: not census.threads(), f"these threads end: {census.threads()}")
    assert census.children() <= children
    assert kinds() - descriptors == Counter()


def kinds() -> Counter[str]:
    """What is open, without the numbers: an event loop may have new ones for the same each time it runs (uvloop)."""
    return Counter(link.partition(":[")[0] for link in census.descriptors().values())


@pytest.fixture
def screen() -> Iterator[Screen]:
    """A terminal."""
    opened = Screen()
    yield opened
    opened.close()


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder for what the commands under test write."""
    return tmp_path
