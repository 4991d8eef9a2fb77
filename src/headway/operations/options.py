"""What a program may say of an operation as it starts it, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from headway.core.activity import DEFAULT_GRACE
from headway.core.lifecycle import Report
from headway.core.policy import ADMIN_USER
from headway.core.text import clean, shortened
from headway.reporter import Reporter
from headway.wire import bags, requests, rules


class StartOptions(TypedDict, total=False):
    """All of them may be left out."""

    title: str
    """For people; at most 256 characters, as cleaned and cut as all text."""
    subtitle: str
    """What it is busy with; at most 512 characters."""
    progress: float
    """Percent at the start; -1 while nobody knows how far it is; 0 if not said."""
    owner: int
    """The user it belongs to; 1, the owner of the server, if not said."""
    cancellable: bool
    """Whether users may stop it; yes, if not said. The program itself always may."""
    context: Mapping[str, Any] | None
    """What it is about: flat, at most 32 members and 4 KiB."""
    parent: Reporter | str | None
    """The activity (or its uuid) that it is a part of, of the same owner."""
    weight: float
    """Its share in the progress of the parent, in proportion to its siblings; 1 if not said."""
    grace: float
    """Seconds it gets to stop by itself, 0..300; 10 if not said."""
    timeout: float | None
    """Seconds it may run; then it is asked to stop, for the reason ``timeout``."""
    stall: float | None
    """Seconds without a report after which it is shown as stalled; 300 if not said, None for never."""


def attributes_of(type: str, options: StartOptions) -> dict[str, Any]:
    """The arguments of ``Activities.create``. Raises ``InvalidInput``, and TypeError for an option that does not exist.

    Titles are made to fit: they come out of the program's data, which must not keep its work from starting.
    """
    check_names(options)
    rules.activity_type("type", type)
    context, parent = options.get("context"), options.get("parent")
    news = Report(
        title=_text(options.get("title"), requests.MAX_TITLE),
        subtitle=_text(options.get("subtitle"), requests.MAX_SUBTITLE),
        progress=float(rules.progress("progress", options["progress"])) if "progress" in options else None,
        context=None if context is None else bags.CONTEXT("context", context),
    )
    return {
        "owner": rules.user("owner", options.get("owner", ADMIN_USER)),
        # Outside of any activity the current one has no uuid: what starts below it then is a root.
        "parent": (parent.uuid or None) if isinstance(parent, Reporter) else parent,
        "cancellable": rules.flag("cancellable", options.get("cancellable", True)),
        "report": news,
        "grace": float(requests.GRACE("grace", options.get("grace", DEFAULT_GRACE))),
        **_seconds(options),
    }


def check_names(options: Mapping[str, object]) -> None:
    """Raise TypeError for an option that does not exist."""
    unknown = sorted(options.keys() - StartOptions.__annotations__.keys())
    if unknown:
        known = ", ".join(sorted(StartOptions.__annotations__))
        raise TypeError(f"there is no option {', '.join(unknown)} of an activity; there are {known}")


def _text(value: object, limit: int) -> str:
    try:
        return "" if value is None else shortened(clean(str(value)), limit)
    except Exception:  # theirs may raise anything
        return ""


def _seconds(options: StartOptions) -> dict[str, Any]:
    given: dict[str, Any] = {}
    # Made plain: other libraries have numbers of their own, which no store can write down.
    if "weight" in options:
        given["weight"] = float(requests.WEIGHT("weight", options["weight"]))
    if (timeout := options.get("timeout")) is not None:
        given["timeout"] = float(requests.TIMEOUT("timeout", timeout))
    if "stall" in options:
        stall = options["stall"]
        given["stall"] = None if stall is None else float(requests.STALL("stall", stall))
    return given
