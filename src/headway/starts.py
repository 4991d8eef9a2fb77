"""The start of an activity: may it, which id has it, and is it on record already?"""

from __future__ import annotations

import asyncio
import uuid as uuids
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from headway.admission import Admission, uuid_of
from headway.core import lifecycle
from headway.core.activity import Activity
from headway.core.errors import KeyReused, NotFound, ParentEnding, Unavailable
from headway.correlation import notice
from headway.durations import Durations
from headway.live import Live, Operation
from headway.ports import Write
from headway.wire import requests

if TYPE_CHECKING:
    from headway.records import Records


class Starts:
    """Records new activities."""

    def __init__(self, activities: Records, durations: Durations, new_uuid: Callable[[], uuids.UUID]) -> None:
        self._activities = activities
        self._registry = activities.registry
        self._store = activities.store
        self._durations = durations
        self._new_uuid = new_uuid
        self._admission = Admission(activities.limits, activities.registry)

    async def make(
        self,
        type: str,
        owner: int,
        *,
        key: str | None,
        fingerprint: str | None,
        parent: str | None,
        operation: Operation | None,
        **attributes: Any,
    ) -> tuple[Activity, bool]:
        """See ``Activities.create``."""
        for name, rule in requests.SETTINGS.items():
            if (number := attributes.get(name)) is not None:
                rule(name, number)
        uuid = str(self._new_uuid()) if key is None else uuid_of(self._activities.secret, owner, key)
        if key is not None and (known := await self._before(uuid, fingerprint)):
            return known, False
        expected = await self._durations.expected(owner, type)
        if parent is not None and parent not in self._registry.live:
            await self._activities.synced()
        family = self._family(parent, owner)
        started = lifecycle.start(
            uuid,
            type,
            owner,
            self._activities.clock.now(),
            parent=None if family is None else family.activity,
            expected=expected,
            fingerprint=fingerprint,
            node=None if operation is None else self._activities.node,
            **attributes,
        )
        if not await self._committed(started, family, operation):  # a parallel request with the same key was first
            known = await self._before(uuid, fingerprint)
            if known is None:
                raise Unavailable("the start collided with another; try again")
            return known, False
        activity = self._registry.known(uuid) or started
        notice(activity)
        return activity, True

    async def _committed(self, started: Activity, family: Live | None, operation: Operation | None) -> bool:
        with ExitStack() as room:
            room.enter_context(self._admission.admit(started.owner))
            room.enter_context(self._registry.expected(started.uuid, family, operation))
            committing = asyncio.ensure_future(self._store.commit([Write(started, None)]))
            # Whoever gives up waiting must not take away what the start needs while it is on its way.
            room = room.pop_all()

            def settled(commit: asyncio.Future[list[int | None]]) -> None:
                room.close()
                if not commit.cancelled():
                    commit.exception()  # nobody else may look at it

            committing.add_done_callback(settled)
        (revision,) = await asyncio.shield(committing)
        return revision is not None

    async def _before(self, uuid: str, fingerprint: str | None) -> Activity | None:
        activity = self._registry.known(uuid) or await self._store.get(uuid)
        if activity is not None and activity.fingerprint != fingerprint:
            raise KeyReused
        return activity

    def _family(self, parent: str | None, owner: int) -> Live | None:
        if parent is None:
            return None
        live = self._registry.live.get(parent)
        if live is None or live.activity.owner != owner:
            raise NotFound("parentUUID: there is no such running activity")
        if live.ending:
            raise ParentEnding("the parent is ending and takes no more children")
        self._admission.admit_child(live)
        return live
