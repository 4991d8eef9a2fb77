"""The Django example: its users are known by their sessions, and staff are admins."""

# python-plexapi has no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import requests
from plexapi.server import PlexServer

from tests.examples.hosting import Hosting, User
from tests.examples.site import ROOT, Site, running

APP = "examples.django_app.asgi:application"
ENVIRONMENT = {"DJANGO_SETTINGS_MODULE": "examples.django_app.settings", "PYTHONPATH": str(ROOT)}
USERS = """
from django.contrib.auth.models import User
User.objects.create_user("root", password="root", is_staff=True)
User.objects.create_user("alice", password="alice")
User.objects.create_user("bob", password="bob")
"""


def prepare(folder: Path) -> None:
    manage(folder, "migrate", "--verbosity", "0")
    manage(folder, "shell", "-c", USERS)


def manage(folder: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        check=True,
        capture_output=True,
        timeout=120,
    )


def signed_in(site: Site, name: str) -> User:
    """The headers of a session."""
    with httpx2.Client(base_url=site.url) as browser:
        browser.get("/login")
        answer = browser.post(
            "/login",
            data={"username": name, "password": name},
            headers={"X-CSRFToken": browser.cookies["csrftoken"]},
        )
        assert answer.status_code == 204, answer.text
        csrf = browser.cookies["csrftoken"]
        return {"Cookie": f"sessionid={browser.cookies['sessionid']}; csrftoken={csrf}", "X-CSRFToken": csrf}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("django")
    prepare(folder)
    with running(APP, folder, environment=ENVIRONMENT) as site:
        yield site


class TestDjango(Hosting):
    refused = 403
    """By Django's protection against forged requests."""

    app = APP
    environment = ENVIRONMENT

    def prepare(self, folder: Path) -> None:
        prepare(folder)

    def user(self, site: Site, name: str) -> User:
        return signed_in(site, name)

    def test_a_plex_client_comes_with_its_session(self, site: Site, alice: User) -> None:
        session = requests.Session()
        session.headers.update(alice)
        plex = PlexServer(site.url + site.mounted, session=session)
        uuid = site.ask("POST", "/exports", alice, params={"pages": 500}).headers["X-Plex-Activity"]
        assert uuid in [activity.uuid for activity in plex.activities]
        plex.query(f"/activities/{uuid}", session.delete)
        assert site.row(uuid, alice)["cancelRequested"] is True

    def test_a_page_of_another_site_cannot_use_the_cookie(self, site: Site, alice: User) -> None:
        foreign = {**alice, "Origin": "https://elsewhere.example"}
        assert site.ask("GET", "/headway/activities", foreign).status_code == 403
        own = {**alice, "Origin": site.url}
        assert site.ask("GET", "/headway/activities", own).status_code == 200

    def test_who_has_signed_out_is_a_stranger(self, site: Site) -> None:
        carol = signed_in(site, "bob")
        assert site.ask("GET", "/headway/activities", carol).status_code == 200
        assert site.ask("POST", "/logout", carol).status_code == 204
        assert site.ask("GET", "/headway/activities", carol).status_code == 401
