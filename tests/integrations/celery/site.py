"""A web application that has the activities itself, and whose endpoints publish tasks: ``python -m … PORT``."""

# Celery has no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from headway import Principal, Role
from headway.integrations.lifespan import lifespan
from headway.server import ActivitiesApp, ActivityHeader
from tests.integrations.celery import shop

assert shop.activities is not None
served = ActivitiesApp(shop.activities, lambda _: Principal(1, Role.ADMIN))


async def order(request: Request) -> JSONResponse:
    """An endpoint that publishes a task for whoever asks."""
    shop.customer.set(int(request.query_params["customer"]))
    return JSONResponse(shop.order.apply_async((0.1,), queue=request.query_params["queue"]).id)


def order_in_thread(request: Request) -> JSONResponse:
    """The same, in a thread of a pool."""
    shop.customer.set(int(request.query_params["customer"]))
    return JSONResponse(shop.order.apply_async((0.1,), queue=request.query_params["queue"]).id)


app = Starlette(
    routes=[
        Route("/orders", order, methods=["POST"]),
        Route("/threads", order_in_thread, methods=["POST"]),
        Mount("/headway", served),
    ],
    middleware=[Middleware(ActivityHeader)],
    lifespan=lifespan(shop.activities, served),
)

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
