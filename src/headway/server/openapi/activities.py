"""The paths of activities."""

from __future__ import annotations

from collections.abc import Mapping

from headway.core.activity import State
from headway.outputs import AFTERWARDS
from headway.server.openapi import parameters, samples
from headway.server.openapi.bodies import body
from headway.server.openapi.parts import (
    HTML,
    JSON,
    TEXT,
    XML,
    Node,
    header,
    media,
    operation,
    response,
    schema,
    text,
    without_body,
)
from headway.server.openapi.refusals import refusals
from headway.wire.formats import Format
from headway.wire.requests import MAX_OUTPUT

_TAG = "Activities"

_UUID_HEADER = header("The activity that the request started.", {"type": "string", "format": "uuid"})
_LOCATION = header("The path of the activity.", {"type": "string", "format": "uri-reference"})
_TAG_HEADER = header("Stands for the list: the same for the same rows in the same format.", {"type": "string"})
_STATE_HEADER = header("Where the activity stands.", {"enum": [state.value for state in State]})

_NARROWING = [
    parameters.TYPE,
    parameters.STATE,
    parameters.PARENT,
    parameters.OWNER,
    parameters.TEXT,
    parameters.CONTEXT,
]


def _cursor(description: str, *, always: bool = True) -> Node:
    return header(description, {"type": "string"}, always=always)


def paths() -> Mapping[str, Node]:
    """What can be asked of all activities, of those that have ended, and of one."""
    listing, history, one, output = _list(), _history(), _get(), _output()
    return {
        "/activities": {"get": listing, "head": without_body(listing), "post": _start(), "patch": _report_many()},
        "/activities/history": {"get": history, "head": without_body(history)},
        "/activities/{uuid}": {"get": one, "head": without_body(one), "patch": _report(), "delete": _cancel()},
        "/activities/{uuid}/output": {"get": output, "head": without_body(output), "put": _write_output()},
    }


def _rows(name: str, **examples: bytes) -> Node:
    """JSON or XML, by ``Accept``."""
    xml = samples.listed(samples.LOADING, format=Format.XML).decode()
    return {JSON: media(name, **examples), XML: {"schema": schema(name), "examples": {"running": {"value": xml}}}}


def _list() -> Node:
    headers = {
        "X-Headway-Cursor": _cursor("A stream opened with `?since=` this misses and repeats nothing."),
        "ETag": _TAG_HEADER,
    }
    return operation(
        "listActivities",
        _TAG,
        "List what is live",
        "Everything that has not ended, in order of start: all of it for an admin, else your own. Reports made before "
        "the request show in it.",
        {
            200: response(
                "The list.",
                _rows("ActivityList", some=samples.listed(samples.LOADING, samples.CANCELLING), none=samples.listed()),
                headers,
            ),
            304: response("The list is what `If-None-Match` names. The cursor is a new one.", headers=headers),
        },
        refusals(401),
        parameters=[*_NARROWING, parameters.KNOWN_TAG],
    )


def _start() -> Node:
    headers = {"Location": _LOCATION, "X-Plex-Activity": _UUID_HEADER}
    content = _rows("OneActivity", started=samples.listed(samples.STARTED))
    return operation(
        "startActivity",
        _TAG,
        "Start one: work has begun",
        "Durable on return. From then on its worker reports on it, or says by an empty report that it is there. Needs "
        "a role of admin, user or reporter.",
        {
            200: response("The same `Idempotency-Key` and body came before; this is the activity.", content, headers),
            201: {**response("It is recorded.", content, headers), "links": _links()},
        },
        refusals(401, 404, 409, 422, 429, 507),
        parameters=[parameters.KEY],
        requestBody=body(
            "NewActivity",
            least={"type": "backup.nightly"},
            more={
                "type": "library.update.section",
                "title": "Scanning Movies",
                "cancellable": True,
                "total": 1200,
                "unit": "files",
                "Context": {"librarySectionID": "3"},
            },
        ),
    )


def _links() -> Node:
    """What a start makes possible."""
    return {
        name: {"operationId": name, "parameters": {"uuid": "$response.header.X-Plex-Activity"}}
        for name in ("getActivity", "reportActivity", "cancelActivity")
    }


def _history() -> Node:
    return operation(
        "listHistory",
        _TAG,
        "List what has ended",
        "Newest end first, a page at a time.",
        {
            200: response(
                "The page.",
                _rows("ActivityList", some=samples.listed(samples.FAILED, samples.CANCELLED), none=samples.listed()),
                {"X-Headway-Cursor": _cursor("`?before=` for the next page; absent on the last.", always=False)},
            )
        },
        refusals(401),
        parameters=[*_NARROWING, parameters.BEFORE, parameters.LIMIT],
    )


def _get() -> Node:
    return operation(
        "getActivity",
        _TAG,
        "Get one, or wait for it",
        "Running or ended. With `wait` it answers after the next change of `state`, or after that many seconds.",
        {200: response("The activity.", _rows("OneActivity", ended=samples.listed(samples.CANCELLED)))},
        refusals(401, 404),
        parameters=[parameters.UUID, parameters.WAIT, parameters.KNOWN],
    )


def _output() -> Node:
    headers = {"ETag": header("Stands for the text: the same for the same text.", {"type": "string"})}
    return operation(
        "getOutput",
        _TAG,
        "Get what one has printed",
        "The last of it, at most 64 KiB in whole lines; empty where nothing is kept. It is not part of the activity, "
        "and no event tells that it has changed: ask again, with `If-None-Match`.",
        {
            200: response("The text.", text(TEXT, some=b"Reading 1200 files\n340 done\n", none=b""), headers),
            304: response("The text is what `If-None-Match` names.", headers=headers),
        },
        refusals(401, 404),
        parameters=[parameters.UUID, parameters.KNOWN_TAG],
    )


def _write_output() -> Node:
    return operation(
        "writeOutput",
        _TAG,
        "Tell what one has printed",
        "All of it that is to be kept, in place of what was: `tail -c 64k log | curl -T - …` says it. Taken while the "
        f"activity lives and for {AFTERWARDS:g} seconds afterwards. It is no sign of life. Needs a role of admin, user "
        "or reporter.",
        {204: response("It can be read.")},
        refusals(401, 404, 409),
        parameters=[parameters.UUID],
        requestBody={
            "required": True,
            "description": f"At most {MAX_OUTPUT} bytes of UTF-8; what is none is replaced. Newlines and tabs stay, "
            "carriage returns become newlines, other control characters `�`.",
            "content": text(TEXT, some=b"Reading 1200 files\n340 done\n"),
        },
    )


def _report() -> Node:
    return operation(
        "reportActivity",
        _TAG,
        "Report on one, or end it",
        "Tells what is new, and that its worker lives. The answer's `state` tells of a cancel: the worker should then "
        "stop, and end it as `cancelled`. 409 means stop: it has ended. Needs a role of admin, user or reporter.",
        {200: response("As it now is.", _rows("OneActivity", running=samples.listed(samples.LOADING)))},
        refusals(401, 404, 409, 507),
        parameters=[parameters.UUID],
        requestBody=body(
            "Change",
            report={"completed": 340, "subtitle": "The Revenant (2015)"},
            heartbeat={},
            success={"state": "succeeded", "Response": {"added": 12}},
            failure={"state": "failed", "error": "the disk is gone"},
        ),
    )


def _report_many() -> Node:
    told = media("Outcomes", some=samples.outcomes(), none=samples.listed())
    xml = samples.outcomes(Format.XML).decode()
    applied = header("`return=minimal` where that was asked for.", {"const": "return=minimal"}, always=False)
    return operation(
        "reportActivities",
        _TAG,
        "Report on many, or end them",
        "As `PATCH` of one, for each by itself: what is refused stands in `errors` and harms no other. Ends are on "
        "disk before the answer; a parent's may stand with those of its parts. With `wait`, an answer that would tell "
        "of no end, no cancel and no error comes when one of these activities ends or is asked to stop, or after that "
        "many seconds: so one request waits for all that a process runs. Needs a role of admin, user or reporter.",
        {
            200: response(
                "What was taken in, and what was refused.",
                {JSON: told, XML: {"schema": schema("Outcomes"), "examples": {"some": {"value": xml}}}},
                {"Preference-Applied": applied},
            )
        },
        refusals(401),
        parameters=[parameters.WAIT, parameters.PREFER_MINIMAL],
        requestBody=body(
            "Changes",
            reports={"Activity": [{"uuid": samples.LOADING.uuid, "completed": 340}, {"uuid": samples.STARTED.uuid}]},
            ends={"Activity": [{"uuid": samples.LOADING.uuid, "state": "failed", "error": "the disk is gone"}]},
        ),
    )


def _cancel() -> Node:
    return operation(
        "cancelActivity",
        _TAG,
        "Ask one to stop",
        "200: a cancel is on record, this one or an earlier one; it is safe to repeat. It says asked, not stopped: the "
        "end comes by the streams, or with `wait`. What it started below itself is asked too. 400 "
        "`not_cancellable`: it runs and cannot be asked. Needs a role of admin or user.",
        {200: response("A cancel is on record.", text(HTML, empty=b""), {"X-Headway-State": _STATE_HEADER})},
        refusals(401, 404, 507),
        parameters=[parameters.UUID, parameters.WAIT, parameters.FORCE, parameters.PREFER],
    )
