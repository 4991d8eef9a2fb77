"""The client: what other programs use to list, watch, wait for, cancel and report activities on a server.

``Client`` is for programs that block, ``AsyncClient`` for those on an event loop, ``Reporting`` for jobs that report
from the background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.lazy import lazy

if TYPE_CHECKING:
    from headway.client.async_client import AsyncClient
    from headway.client.client import Client
    from headway.client.errors import ClientError, Refused, ServerError, Unreachable
    from headway.client.exchange import Answer, Request
    from headway.client.options import Hooks
    from headway.client.reporting import Reporting
    from headway.client.results import Result
    from headway.client.retries import NO_RETRIES, Retries

__all__ = [
    "NO_RETRIES",
    "Answer",
    "AsyncClient",
    "Client",
    "ClientError",
    "Hooks",
    "Refused",
    "Reporting",
    "Request",
    "Result",
    "Retries",
    "ServerError",
    "Unreachable",
]

_HOMES = {
    "NO_RETRIES": "headway.client.retries",
    "Answer": "headway.client.exchange",
    "AsyncClient": "headway.client.async_client",
    "Client": "headway.client.client",
    "ClientError": "headway.client.errors",
    "Hooks": "headway.client.options",
    "Refused": "headway.client.errors",
    "Reporting": "headway.client.reporting",
    "Request": "headway.client.exchange",
    "Result": "headway.client.results",
    "Retries": "headway.client.retries",
    "ServerError": "headway.client.errors",
    "Unreachable": "headway.client.errors",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, _HOMES)
