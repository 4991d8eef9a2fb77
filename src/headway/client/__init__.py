"""The client: what other programs use to list, watch, wait for, cancel and report activities on a server.

``Client`` is for programs that block, ``Reporting`` for jobs that report from the background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.lazy import lazy

if TYPE_CHECKING:
    from headway.client.client import Client
    from headway.client.reporting import Reporting

__all__ = ["Client", "Reporting"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, {"Client": "headway.client.client", "Reporting": "headway.client.reporting"})
