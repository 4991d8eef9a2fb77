"""Headway: see, follow and stop every long-running operation on your servers.

In a program::

    from headway import Activities

    async with Activities("sqlite:data") as activities:
        async with activities.start("library.scan", title="Scanning films") as activity:
            activity.report(progress=40, subtitle="Firefly")
"""

from headway.admission import Limits
from headway.core.activity import Activity, CancelRequest, State
from headway.core.errors import HeadwayError
from headway.core.policy import EVERYTHING, Principal, Role
from headway.core.progress import Progress
from headway.core.view import Event, Kind, Resync
from headway.hub import Activities
from headway.reporter import Reporter
from headway.stores import StoreError, open_store

__version__ = "0.1.0"

__all__ = [
    "EVERYTHING",
    "Activities",
    "Activity",
    "CancelRequest",
    "Event",
    "HeadwayError",
    "Kind",
    "Limits",
    "Principal",
    "Progress",
    "Reporter",
    "Resync",
    "Role",
    "State",
    "StoreError",
    "__version__",
    "open_store",
]
