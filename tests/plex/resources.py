"""What the fake Plex Media Server answers: its resources, and what python-plexapi asks of a library."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.plex.answers import Answer, Tree, document, refusal, wants_json
from tests.plex.connections import Asked
from tests.plex.memory import OWNER, Memory
from tests.plex.scans import SCAN, Life, Script, Section, Steps

MACHINE = "f7a8d3b1c2e4956078f1d2c3b4a5968778695a4b"
VERSION = "1.41.3.9314-a0bfb8370"


@dataclass
class Library:
    """What can be scanned, and what happens then."""

    sections: list[Section]
    script: Script
    item_script: Callable[[str], Steps]


@dataclass(frozen=True)
class Request:
    """All that an answer depends on."""

    asked: Asked
    user_id: int
    memory: Memory
    library: Library
    named: tuple[str, ...] = ()
    """What the path names."""

    def document(self, container: Tree) -> Answer:
        return document(container, self.asked.headers.get("accept"))


def identity(asked: Asked) -> Answer:
    """The one thing that needs no token."""
    members = {"size": 0, "claimed": True, "machineIdentifier": MACHINE, "version": VERSION}
    return document(members, asked.headers.get("accept"))


def answer(request: Request) -> Answer:
    path = request.asked.path.rstrip("/") or "/"
    for methods, pattern, resource in ROUTES:
        if request.asked.method in methods and (match := re.fullmatch(pattern, path)):
            return resource(replace(request, named=match.groups()))
    return refusal(404)


def _root(request: Request) -> Answer:
    return request.document(
        {
            "size": 1,
            "allowCameraUpload": True,
            "allowSync": True,
            "eventStream": True,
            "friendlyName": "Fake",
            "machineIdentifier": MACHINE,
            "multiuser": True,
            "myPlex": True,
            "myPlexMappingState": "mapped",
            "myPlexSigninState": "ok",
            "myPlexSubscription": True,
            "myPlexUsername": "owner@example.com",
            "ownerFeatures": "",
            "platform": "Linux",
            "platformVersion": "6.1",
            "updatedAt": int(time.time()),
            "version": VERSION,
            "Directory": [{"count": 1, "key": "activities", "title": "activities"}],
        }
    )


def _activities(request: Request) -> Answer:
    rows = request.memory.visible(request.user_id)
    return request.document({"size": len(rows), **({"Activity": rows} if rows else {})})


def _cancel(request: Request) -> Answer:
    status = request.memory.request_cancel(request.named[0], request.user_id)
    return Answer() if status == 200 else refusal(status)


def _library(request: Request) -> Answer:
    if request.user_id != OWNER:
        return refusal(403)  # python-plexapi: "Only the owner has access to /library"; it takes any error for that
    title = {"title1": "Plex Library", "identifier": "com.plexapp.plugins.library", "mediaTagVersion": 1}
    return request.document({"size": 1, **title, "Directory": [{"key": "sections", "title": "Library Sections"}]})


def _sections(request: Request) -> Answer:
    busy = {
        row.get("Context", {}).get("librarySectionID") for row in request.memory.visible(OWNER) if row["type"] == SCAN
    }
    directories = [_directory(section, section.id in busy) for section in request.library.sections]
    return request.document({"size": len(directories), "title1": "Plex Library", "Directory": directories})


def _directory(section: Section, refreshing: bool) -> dict[str, Any]:
    return {
        "allowSync": True,
        "art": "/:/resources/movie-fanart.jpg",
        "composite": f"/library/sections/{section.id}/composite/1700000000",
        "filters": True,
        "refreshing": refreshing,
        "thumb": "/:/resources/movie.png",
        "key": section.id,
        "type": section.type,
        "title": section.title,
        "agent": "tv.plex.agents.movie",
        "scanner": "Plex Movie",
        "language": "en-US",
        "uuid": f"00000000-0000-4000-8000-{section.id:0>12}",
        "updatedAt": 1_700_000_000,
        "createdAt": 1_600_000_000,
        "Location": [{"id": 1, "path": section.path}],
    }


def _item(request: Request) -> Answer:
    item = {"ratingKey": request.named[0], "key": f"/library/metadata/{request.named[0]}", "type": "movie"}
    item["title"] = "The Revenant"
    name = "Metadata" if wants_json(request.asked.headers.get("accept")) else "Video"
    return request.document({"size": 1, name: [item]})


def _scan(request: Request) -> Answer:
    sections = _named(request)
    if not sections:
        return refusal(404)
    if request.user_id != OWNER:
        return refusal(403)
    lives = [_scanning(request, section) for section in sections]
    return _begun(lives[0])


def _scanning(request: Request, section: Section) -> Life:
    """Asked again while it runs, a scan is not begun again."""
    for life in request.memory.lives:
        if life.section == section.id and not life.over:
            return life
    return request.memory.begin(Life(request.library.script(section), section.id))


def _stop_scan(request: Request) -> Answer:
    sections = {section.id for section in _named(request)}
    if not sections:
        return refusal(404)
    for life in [life for life in request.memory.lives if life.section in sections]:
        if life.uuid is not None:
            request.memory.stop(life.uuid)
    return Answer()


def _refresh_item(request: Request) -> Answer:
    if request.user_id != OWNER:
        return refusal(403)
    return _begun(request.memory.begin(Life(request.library.item_script(request.named[0]))))


def _begun(life: Life) -> Answer:
    return Answer(headers={"X-Plex-Activity": life.uuid} if life.uuid else {})


def _named(request: Request) -> list[Section]:
    return [section for section in request.library.sections if request.named[0] in ("all", section.id)]


START = ("GET", "POST", "PUT")
ROUTES: list[tuple[tuple[str, ...], str, Callable[[Request], Answer]]] = [
    (("GET",), "/", _root),
    (("GET",), "/activities", _activities),
    (("DELETE",), "/activities/(.+)", _cancel),
    (("GET",), "/library", _library),
    (("GET",), "/library/sections(?:/all)?", _sections),
    (START, "/library/sections/([^/]+)/refresh", _scan),
    (("DELETE",), "/library/sections/([^/]+)/refresh", _stop_scan),
    (("GET",), "/library/metadata/([0-9]+)", _item),
    (START, "/library/metadata/([0-9]+)/refresh", _refresh_item),
]
