"""What only a Plex server has, beside its activities."""

from __future__ import annotations

from headway.client.live.scanning import SETTLE, Scan, scan
from headway.client.network.driver import AsyncDriver, Driver


class Plex:
    """A Plex media server's own."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def scan(self, section: int | str, *, timeout: float | None = None, settle: float = SETTLE) -> Scan:
        """Let it scan a section of its library; wait for the end of the scan, and of the refreshes that follow it.

        ``section``: its id, as in ``Context.librarySectionID``. ``timeout``: seconds; None waits for ever. ``settle``:
        seconds without anything new after which nothing more is expected.
        """
        return self._driver.run(scan(str(section), timeout, settle, self._driver.options, self._driver.clock))


class AsyncPlex:
    """The same on an event loop."""

    def __init__(self, driver: AsyncDriver) -> None:
        self._driver = driver

    async def scan(self, section: int | str, *, timeout: float | None = None, settle: float = SETTLE) -> Scan:
        """See ``Plex.scan``."""
        return await self._driver.run(scan(str(section), timeout, settle, self._driver.options, self._driver.clock))
