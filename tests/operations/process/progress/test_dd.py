"""dd: bytes, of a total that it does not know."""

import pytest

from headway.operations.process.progress import Reading
from headway.operations.process.progress.dd import Dd
from tests.operations.process.progress.support import read


@pytest.mark.parametrize(
    "text",
    [
        "5000000 bytes (5.0 MB, 4.8 MiB) copied, 1 s, 5.0 MB/s",
        "5000000 bytes (5.0 MB) copied, 1.00204 s, 5.0 MB/s",
        "5000000 bytes copied, 1e-05 s, 5.0 MB/s",
        "  5000000 bytes (5000 kB, 4883 KiB) transferred 1.001s, 4995 kB/s",
    ],
)
def test_the_bytes_are_read(text: str) -> None:
    assert read(Dd(), text) == Reading(completed=5e6, unit="bytes")


@pytest.mark.parametrize("text", ["5 bytes copied", "sent 5 bytes  received 6 bytes", "5 bytes long, copied, 1 s"])
def test_other_lines_are_not_read(text: str) -> None:
    assert read(Dd(), text) is None
