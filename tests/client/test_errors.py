"""What a server refuses: an error that says what is meant, and who is to blame."""

import copy
import json
import pickle
from typing import Any

import pytest

from headway.client import ClientError, Refused, ServerError, Unreachable
from headway.client.errors import NoConnection, Redirected, refusal
from headway.client.exchange import Answer
from headway.core.errors import (
    AlreadyEnded,
    Conflict,
    HeadwayError,
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    NotCancellable,
    NotFound,
    StorageFull,
    TooMany,
    Unavailable,
)
from headway.wire.errors import Unreadable
from tests.client.by_hand import HTML, answered, plex_refusal

MEANINGS = [
    (400, InvalidInput, ClientError),
    (401, NotAuthenticated, ClientError),
    (403, NotAllowed, ClientError),
    (404, NotFound, ClientError),
    (409, Conflict, ClientError),
    (418, ClientError, ClientError),
    (429, TooMany, ClientError),
    (500, ServerError, ServerError),
    (503, Unavailable, ServerError),
    (507, StorageFull, ServerError),
    (599, ServerError, ServerError),
]


@pytest.mark.parametrize(("status", "meant", "blamed"), MEANINGS)
def test_a_refusal_is_both_what_is_meant_and_who_is_to_blame(
    status: int, meant: type[HeadwayError], blamed: type[Refused]
) -> None:
    error = refusal(plex_refusal(status))
    assert isinstance(error, meant)
    assert isinstance(error, blamed)
    assert isinstance(error, Refused)
    assert not isinstance(error, ServerError if blamed is ClientError else ClientError)


@pytest.mark.parametrize(("status", "meant"), [(status, meant) for status, meant, _ in MEANINGS])
def test_it_bears_the_name_of_what_is_meant(status: int, meant: type[HeadwayError]) -> None:
    assert type(refusal(plex_refusal(status))).__name__ == meant.__name__


def test_two_of_a_kind_are_of_one_class() -> None:
    assert type(refusal(plex_refusal(404))) is type(refusal(plex_refusal(404)))


@pytest.mark.parametrize(
    ("reason", "meant"),
    [("not_cancellable", NotCancellable), ("already_ended", AlreadyEnded), ("storage_full", StorageFull)],
)
def test_the_reason_tells_more_than_the_status(reason: str, meant: type[HeadwayError]) -> None:
    told = {"errors": [{"code": 1, "reason": reason, "message": "because", "status": 400}]}
    error = refusal(answered(told, 400))
    assert isinstance(error, meant)
    assert error.message == "because"


def test_the_older_generation_s_errors_are_read() -> None:
    told = {"errors": [{"code": 1001, "message": "User could not be authenticated", "status": 401}]}
    error = refusal(answered(told, 401))
    assert isinstance(error, NotAuthenticated)
    assert error.message == "User could not be authenticated"


def test_it_holds_what_was_answered() -> None:
    answer = Answer(404, {**HTML, "x-plex-protocol": "1.0"}, b"<html>gone</html>")
    error = refusal(answer)
    assert (error.status_code, error.headers["x-plex-protocol"], error.body) == (404, "1.0", b"<html>gone</html>")
    assert error.answer is answer
    assert error.message == "the server answered 404 Not Found"


@pytest.mark.parametrize("status", [404, 418, 500, 503])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_it_survives_a_journey_between_processes(status: int, copied: Any) -> None:
    error = refusal(plex_refusal(status))
    again = copied(error)
    assert type(again) is type(error)
    assert (again.answer, again.message) == (error.answer, error.message)


@pytest.mark.parametrize("error", [Unreachable("a"), NoConnection("b"), Redirected("c"), Unreadable("d")])
def test_so_do_the_errors_of_which_no_answer_came(error: HeadwayError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.message) == (type(error), error.message)


def test_trouble_that_may_pass_is_one_class() -> None:
    assert issubclass(NoConnection, Unreachable)
    assert issubclass(Unreachable, Unavailable)
    assert isinstance(refusal(plex_refusal(503)), Unavailable)
    assert issubclass(Redirected, Unreadable)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"errors":[]}', b'{"errors":{}}', b'{"errors":[[]]}'),
        b'{"errors":[{"message":{},"code":[],"reason":1.5}]}',
        b"[" * 100_000,
    ],
)
def test_whatever_the_body_says_the_status_counts(body: bytes) -> None:
    error = refusal(Answer(404, {}, body))
    assert isinstance(error, NotFound)
    assert error.message == "the server answered 404 Not Found"


def test_what_it_says_is_short_and_harmless() -> None:
    told = {"errors": [{"message": "\x1b[2J\u202egone\r\n" + "x" * 100_000}]}
    message = refusal(Answer(404, {}, json.dumps(told).encode())).message
    assert message.isprintable()
    assert len(message) <= 2_000
