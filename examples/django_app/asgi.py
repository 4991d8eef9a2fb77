"""Django: long work behind views, for the users of its sessions. Django serves all but `/headway`.

Run it from the folder above `examples`:

    export DJANGO_SETTINGS_MODULE=examples.django_app.settings
    django-admin migrate --pythonpath .
    django-admin createsuperuser --pythonpath .
    uvicorn examples.django_app.asgi:application

Then sign in, start something and see it:

    curl -c cookies http://127.0.0.1:8000/login; csrf=$(awk '/csrftoken/ {print $7}' cookies)
    curl -b cookies -c cookies -H "X-CSRFToken: $csrf" -d 'username=…&password=…' http://127.0.0.1:8000/login
    csrf=$(awk '/csrftoken/ {print $7}' cookies)
    curl -i -b cookies -H "X-CSRFToken: $csrf" -d '' http://127.0.0.1:8000/exports
    curl -N -b cookies http://127.0.0.1:8000/headway/:/eventsource/notifications?snapshot=1
"""

# Django has no types.
# mypy: disable-error-code="import-untyped"

import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Mount

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.django_app.settings")
django = get_asgi_application()

from examples.django_app.activities import activities, activities_app, identify  # noqa: E402 - Django comes first
from headway.integrations.lifespan import lifespan  # noqa: E402
from headway.server import ActivityHeader, Guard, RespondAsync  # noqa: E402


def type_of(request: Request) -> str | None:
    """What of Django's can be done without waiting for it."""
    return "report.make" if request.url.path.endswith("/reports") else None


views = RespondAsync(
    django, activities, identify, type=type_of, title="Making a report", location="/headway/activities"
)
application = Starlette(
    routes=[
        # Who is known by a cookie is known to every page that the browser shows: the guard lets only our own ones in.
        Mount("/headway", Guard(activities_app, hosts=settings.ALLOWED_HOSTS)),
        Mount("/", views),
    ],
    middleware=[Middleware(ActivityHeader)],
    lifespan=lifespan(activities, activities_app),
)
