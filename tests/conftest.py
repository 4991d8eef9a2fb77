"""What every test shares."""

import signal

import pytest
from hypothesis import settings

# Whoever runs the tests in the background, or under nohup, has them ignore signals, and so would all that they start.
for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGTSTP):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.default_int_handler if ignored == signal.SIGINT else signal.SIG_DFL)

# Timing is never an assertion: a slow machine is not a failed test.
settings.register_profile("headway", deadline=None, print_blob=True)
settings.load_profile("headway")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncio only: the hub stands on it (session scope, so that wider async fixtures can be had)."""
    return "asyncio"
