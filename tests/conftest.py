"""What every test shares."""

import asyncio
import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import uvicorn.server
from hypothesis import settings

# Whoever runs the tests in the background, or under nohup, has them ignore signals, and so would all that they start.
for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGTSTP):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.default_int_handler if ignored == signal.SIGINT else signal.SIG_DFL)

# Timing is never an assertion: a slow machine is not a failed test.
# A change is judged by the same examples each time; whoever works on it gets new ones, and as many as are asked for.
settings.register_profile(
    "headway",
    deadline=None,
    print_blob=True,
    derandomize="CI" in os.environ,
    max_examples=int(os.environ.get("HEADWAY_EXAMPLES", "100")),
)
settings.load_profile("headway")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncio only: the hub stands on it (session scope, so that wider async fixtures can be had)."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def soon_stopped() -> Iterator[None]:
    """uvicorn looks ten times a second whether it is to stop, then sleeps as long: more than most tests take.

    Only here: servers that run as programs of their own take their time.
    """

    async def sleep(delay: float) -> None:
        await asyncio.sleep(delay / 20)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uvicorn.server, "asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": sleep}))
        yield
