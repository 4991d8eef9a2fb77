"""Headway: see, follow and stop every long-running operation on your servers.

In a program::

    from headway import Activities

    async with Activities("sqlite:data") as activities:
        async with activities.start("library.scan", title="Scanning films") as activity:
            activity.report(progress=40, subtitle="Firefly")
"""

from typing import TYPE_CHECKING

from headway.lazy import lazy

if TYPE_CHECKING:
    from headway.admission import Limits
    from headway.context import current
    from headway.core.activity import Activity, CancelRequest, State
    from headway.core.errors import (
        Cancelled,
        HeadwayError,
        InvalidInput,
        KeyReused,
        NotCancellable,
        NotFound,
        ParentEnding,
        TooMany,
        Unavailable,
    )
    from headway.core.policy import EVERYTHING, Principal, Role
    from headway.core.progress import Progress
    from headway.core.view import Event, Kind, Resync
    from headway.hub import Activities
    from headway.operations.group import TaskGroup
    from headway.operations.options import StartOptions
    from headway.operations.process.command import SpawnError
    from headway.operations.process.ending import CommandFailed
    from headway.operations.process.exits import ExitStatus
    from headway.operations.spawn import Spawned
    from headway.operations.start import Start
    from headway.reporter import Reporter
    from headway.stores import StoreError, open_store

__version__ = "0.1.0"

__all__ = [
    "EVERYTHING",
    "Activities",
    "Activity",
    "CancelRequest",
    "Cancelled",
    "CommandFailed",
    "Event",
    "ExitStatus",
    "HeadwayError",
    "InvalidInput",
    "KeyReused",
    "Kind",
    "Limits",
    "NotCancellable",
    "NotFound",
    "ParentEnding",
    "Principal",
    "Progress",
    "Reporter",
    "Resync",
    "Role",
    "SpawnError",
    "Spawned",
    "Start",
    "StartOptions",
    "State",
    "StoreError",
    "TaskGroup",
    "TooMany",
    "Unavailable",
    "__version__",
    "current",
    "open_store",
]

_HOMES = {
    "Activities": "headway.hub",
    "Activity": "headway.core.activity",
    "CancelRequest": "headway.core.activity",
    "Cancelled": "headway.core.errors",
    "CommandFailed": "headway.operations.process.ending",
    "EVERYTHING": "headway.core.policy",
    "Event": "headway.core.view",
    "ExitStatus": "headway.operations.process.exits",
    "HeadwayError": "headway.core.errors",
    "InvalidInput": "headway.core.errors",
    "KeyReused": "headway.core.errors",
    "Kind": "headway.core.view",
    "Limits": "headway.admission",
    "NotCancellable": "headway.core.errors",
    "NotFound": "headway.core.errors",
    "ParentEnding": "headway.core.errors",
    "Principal": "headway.core.policy",
    "Progress": "headway.core.progress",
    "Reporter": "headway.reporter",
    "Resync": "headway.core.view",
    "Role": "headway.core.policy",
    "SpawnError": "headway.operations.process.command",
    "Spawned": "headway.operations.spawn",
    "Start": "headway.operations.start",
    "StartOptions": "headway.operations.options",
    "State": "headway.core.activity",
    "StoreError": "headway.stores",
    "TaskGroup": "headway.operations.group",
    "TooMany": "headway.core.errors",
    "Unavailable": "headway.core.errors",
    "current": "headway.context",
    "open_store": "headway.stores",
}

if not TYPE_CHECKING:  # which would take any name for one of ours
    __getattr__, __dir__ = lazy(__name__, _HOMES)
