"""``python -m examples.mediaserver FOLDER``: serve ``FOLDER/Movies`` and ``FOLDER/Music`` on 127.0.0.1:32400."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import sys
from pathlib import Path

from examples.mediaserver.app import MediaServer
from examples.mediaserver.config import Config, sections_of
from headway import Principal, Role
from headway.server import Guard
from headway.server.serve import Server, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.mediaserver", description=__doc__)
    parser.add_argument("folder", type=Path, help="where Movies and Music are")
    parser.add_argument("--data", type=Path, default=Path("mediaserver-data"), help="the server's own files")
    parser.add_argument("--port", type=int, default=32400)
    asked = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    owner, guest = (os.environ.get(f"MEDIASERVER_{name}") or secrets.token_hex(10) for name in ("OWNER", "GUEST"))
    users = {owner: Principal(1, Role.ADMIN, "owner"), guest: Principal(2, Role.USER, "guest")}
    server = MediaServer(Config(sections_of(asked.folder.resolve()), users, asked.data))

    def announce(urls: list[str]) -> None:
        print(f"Serving {asked.folder} at {urls[0]}\nX-Plex-Token: {owner} (owner), {guest} (guest)", flush=True)

    # Headway's own server ends open streams when it stops; any other ASGI server does as well for the rest.
    serving = Server(Guard(server.app), port=asked.port, on_ready=announce, on_stop=server.mounted.stop)
    return run(serving.serve())


if __name__ == "__main__":
    sys.exit(main())
