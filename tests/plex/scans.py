"""What happens in the fake Plex Media Server once a client has asked it to scan or refresh: a life in steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

SCAN = "library.update.section"
REFRESH = "library.refresh.items"


@dataclass(frozen=True)
class Section:
    """A section of the library."""

    id: str
    title: str
    type: str = "movie"
    path: str = "/media"


@dataclass(frozen=True)
class Step:
    """One moment of a life."""

    event: Literal["started", "updated", "ended", "pause"]
    activity: str = ""
    """A name of the activity that holds within the life only."""
    members: Mapping[str, Any] = field(default_factory=dict)


Steps = Sequence[Step]
Script = Callable[[Section], Steps]


def started(activity: str, type: str, **members: Any) -> Step:
    return Step("started", activity, {"type": type, **members})


def updated(activity: str, **members: Any) -> Step:
    return Step("updated", activity, members)


def ended(activity: str, progress: int = 100) -> Step:
    return Step("ended", activity, {"progress": progress})


def pause() -> Step:
    """A moment in which nothing happens."""
    return Step("pause")


def library_scan(section: Section, *, cancellable: bool = False) -> Steps:
    """A scan that finds one film, and what begins a moment after it."""
    return [
        *section_scan(section, cancellable=cancellable),
        pause(),
        *item_refresh("12"),
        *short_update("12"),
        *credits_detection(),
    ]


def section_scan(section: Section, *, cancellable: bool = False) -> Steps:
    """The scan alone: which section it is of comes with the first update, and progress is told twice."""
    return [
        started("scan", SCAN, title=f"Scanning {section.title}", cancellable=cancellable),
        updated("scan", Context={"librarySectionID": section.id}),
        updated("scan", subtitle="Heat (1995)", progress=1),
        updated("scan", subtitle="The Revenant (2015)", progress=50),
        updated("scan", progress=50),
        ended("scan"),
    ]


def item_refresh(item: str, *, cancellable: bool = False) -> Steps:
    """The refresh of an item."""
    key = f"/library/metadata/{item}"
    return [
        started("refresh", REFRESH, title="Refreshing The Revenant", cancellable=cancellable),
        updated("refresh", subtitle="Checking files", progress=0, Context={"key": key}),
        updated(
            "refresh",
            subtitle="Refreshing local metadata",
            progress=33,
            Context={"accessible": True, "exists": True, "key": key},
        ),
        updated("refresh", subtitle="Refreshing media analysis", progress=66),
        ended("refresh"),
    ]


def short_update(item: str) -> Steps:
    """Metadata that come at once: nothing between start and end."""
    context = {"key": f"/library/metadata/{item}"}
    return [
        started("metadata", "library.update.item.metadata", title="Updating metadata", Context=context),
        ended("metadata"),
    ]


def credits_detection() -> Steps:
    """An analysis that does not know how far it is, and can be cancelled."""
    members = {"title": "Detecting Credits", "subtitle": "The Revenant (2015)", "progress": -1, "cancellable": True}
    return [started("credits", "media.generate.credits", **members), updated("credits"), ended("credits")]


class Life:
    """Steps on their way."""

    def __init__(self, steps: Steps, section: str | None = None) -> None:
        self.section = section
        """Of which section it is a scan."""
        self.uuids: dict[str, str] = {}
        """What has been started, by its name in the script."""
        self._steps = list(steps)

    def next(self) -> Step | None:
        return self._steps.pop(0) if self._steps else None

    @property
    def over(self) -> bool:
        return not self._steps

    @property
    def uuid(self) -> str | None:
        """Of the activity that began it."""
        return next(iter(self.uuids.values()), None)

    def stop(self) -> None:
        self._steps.clear()
