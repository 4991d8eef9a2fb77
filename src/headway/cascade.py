"""A lifecycle change is committed: carry it to the operation behind the activity, and down to its children."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from headway.core.activity import Activity, State
from headway.core.errors import HeadwayError
from headway.live import Live

if TYPE_CHECKING:
    from headway.records import Records


class Cascade:
    """A request to stop goes down, never up."""

    def __init__(self, activities: Records) -> None:
        self._activities = activities
        self._asking: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether a request is on its way to a child."""
        return bool(self._asking)

    def follow(self, live: Live) -> None:
        """The lifecycle of an activity has moved, or it has begun."""
        parent = self._activities.registry.parent(live.activity)
        if live.activity.state in (State.CANCELLING, State.LOST):  # given up by force, it may run on
            live.request_stop()
        if live.activity.state is State.CANCELLING:
            for child in live.children:
                self._ask(child, live.activity)
        elif parent is not None and parent.activity.state is State.CANCELLING and not live.activity.ended:
            # The parent was asked to stop while this start was on its way.
            self._ask(live.activity.uuid, parent.activity)
        live.changed.fire()

    def _ask(self, uuid: str, parent: Activity) -> None:
        task = asyncio.get_running_loop().create_task(self._asked(uuid, parent))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _asked(self, uuid: str, parent: Activity) -> None:
        request, activities = parent.cancel, self._activities
        if request is None:
            return
        # A child that ended by itself or that users cannot cancel is waited for; so is the store.
        with suppress(HeadwayError):
            await activities.insist(
                lambda: activities.request_cancel(uuid, by=request.by, reason=request.reason, required=request.required)
            )
