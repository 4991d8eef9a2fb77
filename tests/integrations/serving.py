"""Any ASGI application behind a real socket, in a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tests.examples.site import DEADLINE, until


@contextmanager
def serving(app: Any, **options: Any) -> Iterator[str]:
    """Its URL, while the block runs; ``options`` are uvicorn's."""
    config = uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=5, **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(DEADLINE)
        assert not thread.is_alive()
