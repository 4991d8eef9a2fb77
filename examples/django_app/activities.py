"""The activities of the project, and who may see which: staff see all, everyone else their own."""

from starlette.requests import HTTPConnection

from headway import Activities, Principal, Role
from headway.integrations.django import session_user
from headway.server import ActivitiesApp

activities = Activities("memory:")  # or "sqlite:FOLDER", to outlive this process


async def identify(connection: HTTPConnection) -> Principal | None:
    user = await session_user(connection)
    if user is None:
        return None
    return Principal(user.pk, Role.ADMIN if user.is_staff else Role.USER, user.get_username())


activities_app = ActivitiesApp(activities, identify)
