"""Node's `ws`, installed when it is first measured."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

from bench.machine import cache_folder

HERE = Path(__file__).parent


@cache
def missing() -> str | None:
    """Why it cannot be measured; installs it first where that can be done."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not installed"
    folder = _folder()
    wanted = (HERE / "package.json").read_text()
    if (folder / "node_modules/ws").exists() and (folder / "package.json").read_text() == wanted:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(wanted)
    install = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    installed = subprocess.run(install, cwd=folder, capture_output=True, text=True)
    return None if installed.returncode == 0 else f"npm cannot install ws: {installed.stderr.strip()[-200:]}"


def command() -> list[str]:
    """The server, beside the modules it needs."""
    shutil.copy(HERE / "server.js", _folder())
    return [shutil.which("node") or "node", str(_folder() / "server.js")]


def _folder() -> Path:
    return cache_folder() / "node"
