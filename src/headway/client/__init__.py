"""The client: what other programs use to list, watch, wait for, cancel and report activities on a server.

``Client`` is for programs that block, ``Reporting`` for jobs that report from the background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headway.client.client import Client
    from headway.client.reporting import Reporting

__all__ = ["Client", "Reporting"]


def __getattr__(name: str) -> Any:
    # Each brings libraries that the other does without, and a command line is to start at once.
    if name == "Client":
        from headway.client.client import Client

        return Client
    if name == "Reporting":
        from headway.client.reporting import Reporting

        return Reporting
    raise AttributeError(name)
