"""``headway serve``: what its options become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headway.cli.serve import serve
from headway.server.service import StreamLimits
from headway.server.standalone import Settings


def settings_of(monkeypatch: pytest.MonkeyPatch, data: Path, *options: str) -> Settings:
    """What is served with these options."""
    served: list[Settings] = []

    def run_server(settings: Settings, *more: Any) -> None:
        served.append(settings)

    monkeypatch.setattr("headway.cli.serve.run_server", run_server)
    result = CliRunner().invoke(serve, ["--data", str(data), *options])
    assert result.exit_code == 0, result.output
    return served[0]


def test_as_many_streams_as_is_said_may_be_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert settings_of(monkeypatch, tmp_path).streams == StreamLimits()
    options = ("--max-streams", "20000", "--max-streams-per-user", "15000")
    assert settings_of(monkeypatch, tmp_path, *options).streams == StreamLimits(per_user=15_000, total=20_000)


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_no_streams_at_all_is_refused(value: str) -> None:
    for option in ("--max-streams", "--max-streams-per-user"):
        assert CliRunner().invoke(serve, [option, value]).exit_code == 2
