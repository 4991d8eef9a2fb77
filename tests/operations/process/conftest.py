"""Every test here must leave nothing behind: no process, no zombie, no descriptor, no thread."""

import os
import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.operations.process import census
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
    children, descriptors = census.children(), census.descriptors()
    yield
    left = census.tagged(tag)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == [], "processes run on after the test"
    await until(lambda: not census.threads(), f"these threads end: {census.threads()}")
    assert census.children() <= children
    opened = census.descriptors()
    assert {number: opened[number] for number in opened.keys() - descriptors.keys()} == {}


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder for what the commands under test write."""
    return tmp_path
