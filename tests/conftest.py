"""What every test shares."""

import pytest
from hypothesis import settings

# Timing is never an assertion: a slow machine is not a failed test.
settings.register_profile("headway", deadline=None, print_blob=True)
settings.load_profile("headway")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncio only: the hub stands on it (session scope, so that wider async fixtures can be had)."""
    return "asyncio"
