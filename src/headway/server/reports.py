"""What workers outside the server say of their activities: one at a time, or many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from headway.core import lifecycle
from headway.core.activity import Activity, State
from headway.core.errors import ChildrenRunning, Conflict, HeadwayError
from headway.core.policy import Scope
from headway.hub import Activities
from headway.wire import bags
from headway.wire.requests import Change

TURN = 100
"""Reports that are taken in before others get their turn on the event loop."""


class Told(msgspec.Struct, frozen=True):
    """What came of changes: the activities as they now are, and why others were refused, by uuid."""

    activities: Mapping[str, Activity]
    errors: Mapping[str, HeadwayError]

    @property
    def news(self) -> list[Activity]:
        """Those that do not just go on: they have ended, or are to stop."""
        return [each for each in self.activities.values() if each.state is not State.RUNNING]


class Reports:
    """Takes in changes, within the scope of whoever tells them."""

    def __init__(self, activities: Activities) -> None:
        self._activities = activities

    async def change(self, uuid: str, change: Change, scope: Scope) -> Activity:
        """Take in one. Raises ``NotFound``, ``Conflict`` and its kind, and ``InvalidInput`` for bags that overflow."""
        activity = await self._activities.get(uuid, scope)
        if activity.ended:
            lifecycle.next_state(activity.state, lifecycle.Step.REPORT)  # raises what fits
        if activity.node is not None:
            raise Conflict("this activity runs inside the server, which reports for it")
        self._activities.sign_of_life(activity.uuid)
        if change.is_heartbeat:
            return self._activities.preview(activity)
        _require_room_in_bags(self._activities.preview(activity), change)
        if change.state is None:
            return self._activities.report(activity.uuid, change.report)
        return await self._activities.finish(activity.uuid, change.state, error=change.error, news=change.report)

    async def change_many(self, changes: Mapping[str, Change], scope: Scope) -> Told:
        """Take in many, each for itself: what is refused harms none of the others."""
        outcomes: dict[str, Activity | HeadwayError] = {}
        for number, (uuid, change) in enumerate(changes.items(), 1):
            if change.state is None:
                outcomes[uuid] = await self._tried(uuid, change, scope)
            if number % TURN == 0:
                await asyncio.sleep(0)
        outcomes.update(await self._ended({u: c for u, c in changes.items() if c.state is not None}, scope))
        return _told(changes, outcomes)

    async def look_again(self, told: Told, scope: Scope) -> Told:
        """The same activities as they are by now."""
        outcomes = {uuid: await _outcome(self._activities.get(uuid, scope)) for uuid in told.activities}
        shown = {
            uuid: self._activities.preview(each) if isinstance(each, Activity) else each
            for uuid, each in outcomes.items()
        }
        return _told(told.activities, shown)

    async def news_of(self, uuids: Iterable[str]) -> None:
        """Wait until one of them ends or is asked to stop."""
        happened = asyncio.Event()
        stops: list[Callable[[], None]] = []
        try:
            for uuid in uuids:
                live = self._activities.registry.live.get(uuid)
                if live is None or live.activity.state is not State.RUNNING:
                    return

                def look(live: Any = live) -> None:
                    if live.activity.state is not State.RUNNING:
                        happened.set()

                stops.append(live.changed.call(look))
            await happened.wait()
        finally:
            for stop in stops:
                stop()

    async def _ended(self, changes: Mapping[str, Change], scope: Scope) -> dict[str, Activity | HeadwayError]:
        """All ends together, so that one commit can hold them; a parent's after those of its children."""
        outcomes: dict[str, Activity | HeadwayError] = {}
        left = dict(changes)
        while left:
            found = await asyncio.gather(*(self._tried(uuid, change, scope) for uuid, change in left.items()))
            outcomes.update(zip(left, found, strict=True))
            waiting = {uuid: left[uuid] for uuid in left if isinstance(outcomes[uuid], ChildrenRunning)}
            left = waiting if len(waiting) < len(left) else {}
        return outcomes

    async def _tried(self, uuid: str, change: Change, scope: Scope) -> Activity | HeadwayError:
        return await _outcome(self.change(uuid, change, scope))


async def _outcome(trying: Any) -> Activity | HeadwayError:
    try:
        activity: Activity = await trying
    except HeadwayError as error:
        return error
    return activity


def _told(order: Iterable[str], outcomes: Mapping[str, Activity | HeadwayError]) -> Told:
    each = [(uuid, outcomes[uuid]) for uuid in order]
    return Told(
        {uuid: outcome for uuid, outcome in each if isinstance(outcome, Activity)},
        {uuid: outcome for uuid, outcome in each if isinstance(outcome, HeadwayError)},
    )


def _require_room_in_bags(activity: Activity, change: Change) -> None:
    """What grows by merging is measured as it will be."""
    grown: tuple[tuple[str, bags.BagRule, Any, Any], ...] = (
        ("Context", bags.CONTEXT, activity.context, change.report.context),
        ("Response", bags.RESPONSE, activity.response, change.report.response),
    )
    for where, rule, now, more in grown:
        if more is not None:
            rule.check_size(where, {**(now or {}), **more})
