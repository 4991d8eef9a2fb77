"""Long work behind views, in coroutines and in threads."""

# Django has no types.
# mypy: disable-error-code="import-untyped, untyped-decorator, misc"

import asyncio
import time
from typing import Any

from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.deprecation import MiddlewareMixin
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST

from examples.django_app.activities import activities
from headway import HeadwayError, current


async def export(pages: int) -> None:
    for page in current().track(range(pages), unit="pages"):
        current().report(subtitle=f"Page {page + 1}")
        await asyncio.sleep(0.05)


def scan(folders: int) -> None:
    for _ in current().track(range(folders), unit="folders"):
        time.sleep(0.05)


@ensure_csrf_cookie
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return HttpResponse("POST username and password, with the cookie csrftoken as X-CSRFToken")
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    if user is None:
        return HttpResponse(status=401)
    login(request, user)
    return HttpResponse(status=204)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse(status=204)


@require_POST
async def start_export(request: Any) -> HttpResponse:
    """Goes on after the reply, which names the activity in `X-Plex-Activity`."""
    user, pages = await request.auser(), int(request.GET.get("pages", 100))
    if not user.is_authenticated:
        return HttpResponse(status=401)
    spawned = await activities.spawn("report.export", export, pages, title="Exporting", owner=user.pk)
    return JsonResponse({"uuid": spawned.uuid}, status=202)


@require_POST
def start_scan(request: Any) -> HttpResponse:
    """The same from a view that runs in a thread."""
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    folders, owner = int(request.GET.get("folders", 100)), request.user.pk
    spawned = activities.call(activities.spawn, "folder.scan", scan, folders, title="Scanning", owner=owner)
    return JsonResponse({"uuid": spawned.uuid}, status=202)


@require_POST
def check(request: Any) -> HttpResponse:
    """The work is the view itself: whoever waits for it can watch it, and stop it, meanwhile."""
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    folders = int(request.GET.get("folders", 3))
    with activities.start("folder.check", title="Checking", owner=request.user.pk):
        scan(folders)
    return JsonResponse({"folders": folders})


@require_POST
async def make_report(request: Any) -> HttpResponse:
    """Answers when it is done; to `Prefer: respond-async, wait=1` after a second, with where to follow it."""
    if not (await request.auser()).is_authenticated:
        return HttpResponse(status=401)
    pages = int(request.GET.get("pages", 3))
    await export(pages)
    return JsonResponse({"pages": pages})


class Refusals(MiddlewareMixin):
    """Too many activities are 429, one that was cancelled under its view is 409."""

    def process_exception(self, _: HttpRequest, error: Exception) -> HttpResponse | None:
        return JsonResponse({"detail": error.message}, status=error.status) if isinstance(error, HeadwayError) else None
