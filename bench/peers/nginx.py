"""nginx with nchan, as Debian packages them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")

_CONFIGURATION = """
load_module {module};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
worker_processes 1;
worker_rlimit_nofile {files};
events {{ worker_connections {files}; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    nchan_shared_memory_size 256M;
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        nchan_message_timeout 5s;
        nchan_subscriber_first_message newest;
        location = /publish {{ nchan_publisher; nchan_channel_id bench; }}
        location = /events {{ nchan_subscriber eventsource; nchan_channel_id bench; }}
        location = /socket {{ nchan_subscriber websocket; nchan_channel_id bench; }}
    }}
}}
"""


def program() -> str | None:
    """nginx, also where it is not in the path of users."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def missing() -> str | None:
    """What has to be installed first."""
    if program() is None or not MODULE.exists():
        return "nginx with nchan is not installed (Debian: nginx, libnginx-mod-nchan)"
    return None


def command(folder: Path, port: int, files: int) -> list[str]:
    """How it is started on a port, to hold so many connections."""
    configuration = folder / "nginx.conf"
    text = _CONFIGURATION.format(module=MODULE, folder=folder, port=port, files=files)
    configuration.write_text(text + _user())
    return [program() or "nginx", "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(configuration)]


def _user() -> str:
    """Started by root it would have its worker be someone who cannot write to the folder."""
    return "user root;\n" if os.geteuid() == 0 else ""
