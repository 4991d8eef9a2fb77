"""A host application's own function, in each form it may have."""

import math

import pytest
from starlette.requests import HTTPConnection

from headway.core.policy import Principal, Role
from headway.server.identity.grants import Grant
from headway.server.identity.identify import Identify, Identity, identified

ANNA = Principal(2, Role.USER, "anna")
CONNECTION = HTTPConnection({"type": "http", "headers": [(b"x-user", b"anna")], "query_string": b""})


def plain(connection: HTTPConnection) -> Principal | None:
    return ANNA if connection.headers.get("x-user") == "anna" else None


async def asynchronous(connection: HTTPConnection) -> Principal | None:
    return plain(connection)


class Callable:
    async def __call__(self, connection: HTTPConnection, /) -> Identity:
        return plain(connection)


@pytest.mark.parametrize("identify", [plain, asynchronous, Callable()])
async def test_a_principal_is_a_grant_without_end(identify: Identify) -> None:
    grant = await identified(identify, CONNECTION, now=0.0)
    assert grant is not None
    assert (grant.principal, grant.token, grant.expires_at) == (ANNA, "", math.inf)


@pytest.mark.parametrize("identify", [plain, asynchronous, Callable()])
async def test_nobody_is_nobody(identify: Identify) -> None:
    stranger = HTTPConnection({"type": "http", "headers": [], "query_string": b""})
    assert await identified(identify, stranger, now=0.0) is None


async def test_a_grant_is_taken_as_it_is() -> None:
    grant = Grant(ANNA, expires_at=10.0)
    assert await identified(lambda connection: grant, CONNECTION, now=9.0) is grant


async def test_a_grant_that_is_over_is_nobody() -> None:
    assert await identified(lambda connection: Grant(ANNA, expires_at=10.0), CONNECTION, now=10.0) is None
    assert await identified(lambda connection: Grant(ANNA, revoked=True), CONNECTION, now=0.0) is None


async def test_what_it_raises_is_not_hidden() -> None:
    def broken(connection: HTTPConnection) -> Principal | None:
        raise LookupError("the host's own trouble")

    with pytest.raises(LookupError, match="own trouble"):
        await identified(broken, CONNECTION, now=0.0)
