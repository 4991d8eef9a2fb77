"""What every example of a host does, whichever framework it is written with."""

# python-plexapi has no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import json
import queue
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest
from plexapi.server import PlexServer

from headway.client.client import Client
from headway.core.errors import NotFound
from headway.core.view import Kind
from headway.wire.notifications import ActivityNotification
from tests.examples.site import DEADLINE, Site, running, until

User = Mapping[str, str]
"""The headers by which a user is known."""


class Hosting:
    """The tests; an example gives the fixture ``site``, and other users if it knows them otherwise."""

    app: ClassVar[str]
    environment: ClassVar[Mapping[str, str]] = {}
    refused = 401
    """What a stranger's POST is answered."""

    def prepare(self, folder: Path) -> None:
        """What has to be in the folder before the application can run there."""

    def user(self, site: Site, name: str) -> User:
        """Someone the application knows."""
        return {"Authorization": f"Bearer {name}"}

    @pytest.fixture
    def root(self, site: Site) -> User:
        return self.user(site, "root")

    @pytest.fixture
    def alice(self, site: Site) -> User:
        return self.user(site, "alice")

    @pytest.fixture
    def bob(self, site: Site) -> User:
        return self.user(site, "bob")

    def test_an_endpoint_says_what_it_started(self, site: Site, alice: User) -> None:
        answer = site.ask("POST", "/exports", alice, params={"pages": 3})
        assert answer.status_code == 202, answer.text
        uuid = answer.headers["X-Plex-Activity"]
        assert answer.json() == {"uuid": uuid}
        ended = until(lambda: (row := site.row(uuid, alice))["state"] != "running" and row)
        assert (ended["state"], ended["progress"], ended["completed"], ended["unit"]) == ("succeeded", 100, 3, "pages")
        assert (ended["title"], ended["subtitle"], ended["userID"]) == ("Exporting", "Page 3", 2)

    def test_so_does_one_that_runs_in_a_thread(self, site: Site, alice: User) -> None:
        answer = site.ask("POST", "/scans", alice, params={"folders": 2})
        assert answer.status_code == 202, answer.text
        uuid = answer.headers["X-Plex-Activity"]
        assert answer.json() == {"uuid": uuid}
        until(lambda: site.row(uuid, alice)["state"] == "succeeded")

    def test_work_in_a_thread_is_the_endpoint_itself(self, site: Site, alice: User) -> None:
        answer = site.ask("POST", "/checks", alice, params={"folders": 2})
        assert (answer.status_code, answer.json()) == (200, {"folders": 2})
        assert site.row(answer.headers["X-Plex-Activity"], alice)["state"] == "succeeded"

    @pytest.mark.parametrize("path", ["/exports", "/scans"])
    def test_who_started_it_stops_it_and_nobody_else_sees_it(
        self, site: Site, alice: User, bob: User, root: User, path: str
    ) -> None:
        uuid = site.ask("POST", path, alice, params={"pages": 1000, "folders": 1000}).headers["X-Plex-Activity"]
        one = f"{site.mounted}/activities/{uuid}"
        assert uuid not in [row["uuid"] for row in site.rows(bob)]
        assert uuid in [row["uuid"] for row in site.rows(root)]
        assert [site.ask(method, one, bob).status_code for method in ("GET", "DELETE")] == [404, 404]
        assert site.ask("DELETE", one, bob).text == site.ask("DELETE", f"{one[:-12]}000000000000", bob).text
        answer = site.ask("DELETE", one, alice, params={"wait": 20})
        assert (answer.status_code, answer.headers["X-Headway-State"]) == (200, "cancelled")
        assert uuid in [row["uuid"] for row in site.rows(alice, "/activities/history")]

    def test_an_endpoint_that_works_itself_is_stopped_too(self, site: Site, alice: User) -> None:
        answers: queue.Queue[httpx2.Response] = queue.Queue()
        asking = threading.Thread(
            target=lambda: answers.put(site.ask("POST", "/checks", alice, params={"folders": 1000}))
        )
        asking.start()
        (uuid,) = until(lambda: [row["uuid"] for row in site.rows(alice) if row["type"] == "folder.check"])
        stopped = site.ask("DELETE", f"{site.mounted}/activities/{uuid}", alice, params={"wait": 20})
        assert stopped.headers["X-Headway-State"] == "cancelled"
        answer = answers.get(timeout=DEADLINE)
        assert (answer.status_code, answer.headers.get("X-Plex-Activity")) == (409, uuid)
        asking.join()

    def test_a_stranger_gets_nothing_started_and_nothing_told(self, site: Site) -> None:
        for path in ("/exports", "/scans", "/checks", "/reports"):
            answer = site.ask("POST", path)
            assert (answer.status_code, "X-Plex-Activity" in answer.headers) == (self.refused, False), path
        assert site.ask("GET", f"{site.mounted}/activities").status_code == 401
        assert site.ask("GET", f"{site.mounted}/identity").status_code == 200

    def test_who_does_not_want_to_wait_need_not(self, site: Site, alice: User) -> None:
        headers = {**alice, "Prefer": "respond-async, wait=0"}
        answer = site.ask("POST", "/reports", headers, params={"pages": 6})
        assert answer.status_code == 202, answer.text
        uuid = answer.headers["X-Plex-Activity"]
        assert answer.headers["Location"] == f"{site.mounted}/activities/{uuid}"
        assert "respond-async" in answer.headers["Preference-Applied"]
        until(lambda: site.row(uuid, alice)["state"] == "succeeded")
        (row,) = site.ask("GET", answer.headers["Location"], alice).json()["MediaContainer"]["Activity"]
        assert row["Response"] == {"status": 200, "pages": 6}

    def test_who_waits_gets_the_reply(self, site: Site, alice: User) -> None:
        answer = site.ask("POST", "/reports", alice, params={"pages": 1})
        assert (answer.status_code, answer.json(), "X-Plex-Activity" in answer.headers) == (200, {"pages": 1}, False)
        answer = site.ask("POST", "/reports", {**alice, "Prefer": "respond-async, wait=20"}, params={"pages": 1})
        assert (answer.status_code, answer.json(), "X-Plex-Activity" in answer.headers) == (200, {"pages": 1}, True)

    def test_two_requests_with_one_key_are_one_report(self, site: Site, alice: User, bob: User) -> None:
        keyed = {"Idempotency-Key": f"report {time.monotonic_ns()}"}
        answers = [site.ask("POST", "/reports", {**alice, **keyed}, params={"pages": 2}) for _ in range(2)]
        assert [answer.json() for answer in answers] == [{"pages": 2}] * 2
        assert len({answer.headers["X-Plex-Activity"] for answer in answers}) == 1
        other = site.ask("POST", "/reports", {**bob, **keyed}, params={"pages": 2})
        assert other.headers["X-Plex-Activity"] != answers[0].headers["X-Plex-Activity"]

    def test_its_user_watches_it_live(self, site: Site, alice: User, bob: User) -> None:
        with events(site, alice) as mine, events(site, bob) as others:
            uuid = site.ask("POST", "/exports", alice, params={"pages": 4}).headers["X-Plex-Activity"]
            told = list(until_ended(mine, uuid))
            foreign = site.ask("POST", "/exports", bob, params={"pages": 1}).headers["X-Plex-Activity"]
            heard = list(until_ended(others, foreign))
        assert (told[0][0], told[-1][0]) == ("started", "ended")
        assert "updated" in [event for event, _ in told]
        assert {one for _, one in heard} == {foreign}

    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    def test_an_open_stream_does_not_keep_the_server_from_stopping(self, tmp_path: Path, loop: str) -> None:
        self.prepare(tmp_path)
        with running(self.app, tmp_path, "--loop", loop, environment=self.environment) as site:
            alice = self.user(site, "alice")
            with events(site, alice) as told:
                uuid = site.ask("POST", "/exports", alice, params={"pages": 1000}).headers["X-Plex-Activity"]
                site.ask("POST", "/scans", alice, params={"folders": 1000})
                assert next(told) == ("started", uuid)
                assert site.stop() in (0, -signal.SIGTERM), site.log.read_text()
                assert "ended" not in [event for event, _ in told]  # who watched was let go first, to come back
            assert "Finished server process" in site.log.read_text()
            assert "Traceback" not in site.log.read_text()


class TokenHosting(Hosting):
    """The tests for hosts whose users have tokens, which the client libraries can send."""

    def test_its_user_follows_it_with_the_client_library(self, site: Site, alice: User, bob: User) -> None:
        with Client(site.url + site.mounted, token_of(alice)) as client:
            watching = client.activities.watch()
            uuid = site.ask("POST", "/exports", alice, params={"pages": 500}).headers["X-Plex-Activity"]
            with closing(watching):
                told = (one for one in watching if isinstance(one, ActivityNotification) and one.row.uuid == uuid)
                assert next(told).row.title == "Exporting"
                assert client.activities.cancel(uuid, wait=20).state == "cancelled"
                assert next(one for one in told if one.kind is Kind.ENDED).row.state == "cancelled"
            with Client(site.url + site.mounted, token_of(bob)) as other, pytest.raises(NotFound):
                other.activities.get(uuid)

    def test_a_plex_client_follows_and_stops_it(self, site: Site, alice: User) -> None:
        plex = PlexServer(site.url + site.mounted, token_of(alice))
        heard: queue.Queue[dict[str, Any]] = queue.Queue()
        listener = plex.startAlertListener(heard.put)
        try:
            uuids = set()

            def knock() -> bool:  # it connects in its own time, and hears nothing of before
                answer = site.ask("POST", "/exports", alice, params={"pages": 1})
                uuids.add(answer.headers["X-Plex-Activity"])
                return not heard.empty()

            until(knock)
            uuid = site.ask("POST", "/exports", alice, params={"pages": 500}).headers["X-Plex-Activity"]
            until(lambda: uuid in [activity.uuid for activity in plex.activities])
            plex.query(f"/activities/{uuid}", plex._session.delete)
            while True:
                (news,) = heard.get(timeout=DEADLINE)["ActivityNotification"]
                assert news["uuid"] in {*uuids, uuid}
                if (news["event"], news["uuid"]) == ("ended", uuid):
                    break
            assert news["Activity"]["state"] == "cancelled"
        finally:
            listener.stop()


def token_of(user: User) -> str:
    return user["Authorization"].removeprefix("Bearer ")


@contextmanager
def events(site: Site, user: User) -> Iterator[Iterator[tuple[str, str]]]:
    """What an event stream tells from now on: the event, and of which activity."""
    url = f"{site.url}{site.mounted}/:/eventsource/notifications"
    with httpx2.stream("GET", url, headers=dict(user), timeout=DEADLINE) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        next(line for line in lines if line.startswith("event: ping"))
        yield _notifications(lines)


def _notifications(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if line.startswith("data: ") and '"ActivityNotification"' in line:
            notification = json.loads(line.removeprefix("data: "))["ActivityNotification"]
            yield notification["event"], notification["uuid"]


def until_ended(told: Iterator[tuple[str, str]], uuid: str) -> Iterator[tuple[str, str]]:
    """What is told up to the end of an activity."""
    for event, one in told:
        yield event, one
        if (event, one) == ("ended", uuid):
            return
