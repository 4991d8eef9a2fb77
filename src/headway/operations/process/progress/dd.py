"""dd's `status=progress`."""

from __future__ import annotations

import re

from headway.operations.process.progress.reading import Reading
from headway.operations.process.progress.terminal import Line

_COPIED = re.compile(r"\s*(\d{1,20}) bytes (?:\(.{1,60}\) )?(?:copied|transferred)[, ] ?\d")


class Dd:
    """Reads `571473920 bytes (571 MB, 545 MiB) copied, 1 s, 571 MB/s`: bytes, of a total that dd does not know."""

    hints: tuple[bytes, ...] = (b" bytes ",)

    def read(self, line: Line) -> Reading | None:
        """The bytes copied so far."""
        copied = _COPIED.match(line.text)
        return Reading(completed=float(copied[1]), unit="bytes") if copied else None
