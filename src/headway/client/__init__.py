"""The client: what other programs use to list, watch, wait for, cancel and report activities on a server.

``Client`` is for programs that block, ``AsyncClient`` for those on an event loop, ``Reporting`` for jobs that report
from the background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headway.lazy import lazy

if TYPE_CHECKING:
    from headway.client.async_client import AsyncClient
    from headway.client.calls import Page
    from headway.client.client import Client
    from headway.client.errors import ClientError, NoConnection, Refused, ServerError, Unreachable
    from headway.client.exchange import Answer, Request
    from headway.client.jobs.job import Job
    from headway.client.jobs.outbox import OnLoss
    from headway.client.jobs.reporting import Reporting
    from headway.client.live.replica import Replica
    from headway.client.live.scanning import Scan
    from headway.client.live.watch import AsyncWatch, Watch
    from headway.client.options import Hooks
    from headway.client.results import Result
    from headway.client.retries import NO_RETRIES, Retries
    from headway.core.activity import State
    from headway.core.errors import (
        HeadwayError,
        InvalidInput,
        NotAllowed,
        NotAuthenticated,
        NotCancellable,
        NotFound,
        TooMany,
        Unavailable,
    )
    from headway.core.lifecycle import Report
    from headway.core.view import Kind
    from headway.wire.errors import Unreadable
    from headway.wire.notifications import ActivityNotification, Notification, SnapshotNotification
    from headway.wire.row import Row

__all__ = [
    "NO_RETRIES",
    "ActivityNotification",
    "Answer",
    "AsyncClient",
    "AsyncWatch",
    "Client",
    "ClientError",
    "HeadwayError",
    "Hooks",
    "InvalidInput",
    "Job",
    "Kind",
    "NoConnection",
    "NotAllowed",
    "NotAuthenticated",
    "NotCancellable",
    "NotFound",
    "Notification",
    "OnLoss",
    "Page",
    "Refused",
    "Replica",
    "Report",
    "Reporting",
    "Request",
    "Result",
    "Retries",
    "Row",
    "Scan",
    "ServerError",
    "SnapshotNotification",
    "State",
    "TooMany",
    "Unavailable",
    "Unreachable",
    "Unreadable",
    "Watch",
]

_HOMES = {
    "ActivityNotification": "headway.wire.notifications",
    "Answer": "headway.client.exchange",
    "AsyncClient": "headway.client.async_client",
    "AsyncWatch": "headway.client.live.watch",
    "Client": "headway.client.client",
    "ClientError": "headway.client.errors",
    "HeadwayError": "headway.core.errors",
    "Hooks": "headway.client.options",
    "InvalidInput": "headway.core.errors",
    "Job": "headway.client.jobs.job",
    "Kind": "headway.core.view",
    "NO_RETRIES": "headway.client.retries",
    "NoConnection": "headway.client.errors",
    "NotAllowed": "headway.core.errors",
    "NotAuthenticated": "headway.core.errors",
    "NotCancellable": "headway.core.errors",
    "NotFound": "headway.core.errors",
    "Notification": "headway.wire.notifications",
    "OnLoss": "headway.client.jobs.outbox",
    "Page": "headway.client.calls",
    "Refused": "headway.client.errors",
    "Replica": "headway.client.live.replica",
    "Report": "headway.core.lifecycle",
    "Reporting": "headway.client.jobs.reporting",
    "Request": "headway.client.exchange",
    "Result": "headway.client.results",
    "Retries": "headway.client.retries",
    "Row": "headway.wire.row",
    "Scan": "headway.client.live.scanning",
    "ServerError": "headway.client.errors",
    "SnapshotNotification": "headway.wire.notifications",
    "State": "headway.core.activity",
    "TooMany": "headway.core.errors",
    "Unavailable": "headway.core.errors",
    "Unreachable": "headway.client.errors",
    "Unreadable": "headway.wire.errors",
    "Watch": "headway.client.live.watch",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, _HOMES)
