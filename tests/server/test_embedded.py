"""The server inside a host application."""

import asyncio

from starlette.requests import HTTPConnection

from headway.core.policy import Principal
from headway.hub import Activities
from headway.server.embedded import ActivitiesApp
from headway.server.identity.grants import Grant
from headway.testing.asgi import asgi_request

EVENTS = "/:/eventsource/notifications"


async def test_the_first_request_opens_the_activities() -> None:
    activities = Activities("memory:")
    app = ActivitiesApp(activities, lambda connection: Principal(2))
    async with asgi_request(app, path="/activities") as answer:
        assert (await answer.start()).status == 200
    await app.stop()
    await activities.close()


async def test_a_stream_ends_when_its_grant_expires() -> None:
    activities = Activities("memory:")
    expiring = Grant(Principal(2), expires_at=activities.clock.now() + 0.3)

    def identify(connection: HTTPConnection) -> Grant:
        return expiring

    app = ActivitiesApp(activities, identify)
    async with asyncio.timeout(5), asgi_request(app, path=EVENTS) as answer:
        assert (await answer.start()).status == 200
        await answer.body()
    assert not expiring.valid(activities.clock.now())
    await app.stop()
    await activities.close()
