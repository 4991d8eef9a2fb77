"""The calls of the generated Plex clients as functions of their own, whose outcome is a value: nothing is raised.

Of a ``Client`` they return a ``Result``; of an ``AsyncClient`` one to be awaited.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar, overload

from headway.client import calls
from headway.client.async_client import AsyncClient
from headway.client.calls import Cancelled, Page
from headway.client.client import Client
from headway.client.exchange import Call
from headway.client.results import Result
from headway.wire.row import Row
from headway.wire.server import Server

T = TypeVar("T")


@overload
def list_activities(client: Client) -> Result[Page]: ...
@overload
def list_activities(client: AsyncClient) -> Awaitable[Result[Page]]: ...
def list_activities(client: Client | AsyncClient) -> Result[Page] | Awaitable[Result[Page]]:
    """What is live."""
    return _result(client, calls.list_activities())


@overload
def cancel_activity(client: Client, activity_id: str) -> Result[Cancelled]: ...
@overload
def cancel_activity(client: AsyncClient, activity_id: str) -> Awaitable[Result[Cancelled]]: ...
def cancel_activity(client: Client | AsyncClient, activity_id: str) -> Result[Cancelled] | Awaitable[Result[Cancelled]]:
    """Ask an activity to stop."""
    return _result(client, calls.cancel(activity_id))


@overload
def get_activity(client: Client, activity_id: str) -> Result[Row]: ...
@overload
def get_activity(client: AsyncClient, activity_id: str) -> Awaitable[Result[Row]]: ...
def get_activity(client: Client | AsyncClient, activity_id: str) -> Result[Row] | Awaitable[Result[Row]]:
    """One activity, live or ended; a Plex server has no such call."""
    return _result(client, calls.get(activity_id))


@overload
def get_identity(client: Client) -> Result[Server]: ...
@overload
def get_identity(client: AsyncClient) -> Awaitable[Result[Server]]: ...
def get_identity(client: Client | AsyncClient) -> Result[Server] | Awaitable[Result[Server]]:
    """Which server it is; needs no token."""
    return _result(client, calls.identity())


def _result(client: Client | AsyncClient, call: Call[T]) -> Result[T] | Awaitable[Result[T]]:
    return client.result(call)
