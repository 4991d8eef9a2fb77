"""Django: whose session a request or WebSocket handshake is part of, outside of Django's own middleware.

In the host's ``asgi.py``::

    activities_app = ActivitiesApp(activities, identify)
    application = Starlette(
        routes=[Mount("/headway", activities_app), Mount("/", get_asgi_application())],
        lifespan=lifespan(activities, activities_app),
    )
"""

# Django has no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from importlib import import_module
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.db import close_old_connections
from django.http import HttpRequest
from starlette.requests import HTTPConnection


async def session_user(connection: HTTPConnection) -> Any:
    """The active user who is logged in, as ``request.user`` would be in a view; None for nobody."""
    key = connection.cookies.get(settings.SESSION_COOKIE_NAME)
    return await sync_to_async(_user)(key) if key else None


def _user(key: str) -> Any:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    try:
        user = get_user(request)
        return user if user.is_authenticated and user.is_active else None
    finally:
        close_old_connections()  # which Django does at the end of its requests, and this is none
