"""A real nginx before a server, as people configure it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client.scripted_server import eventually, free_port

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PATIENCE = 30.0

needs_nginx = pytest.mark.skipif(NGINX is None, reason="there is no nginx here: `apt-get install nginx` brings it")

CONFIG = """
daemon off; pid {folder}/pid; error_log {folder}/errors;
events {{ }}
http {{
  access_log {folder}/access;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; {locations} }}
}}
"""


@contextmanager
def nginx(folder: Path, locations: str) -> Iterator[int]:
    """An nginx with these locations while the block runs; its port. ``folder`` need not exist; its log is there."""
    folder.mkdir(exist_ok=True)
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, locations=locations))
    command = [str(NGINX), "-c", str(config), "-p", str(folder), "-e", str(folder / "errors")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            eventually(lambda: (folder / "pid").exists() or process.poll() is not None)
            assert process.poll() is None, process.communicate()[1]
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)
