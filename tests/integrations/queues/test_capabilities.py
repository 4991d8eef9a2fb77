"""Each library can do what docs/queues.md says: tried with real workers, all of them at once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.integrations.queues import matrix
from tests.integrations.queues.conformance import CAPABILITIES, Outcome, outcomes
from tests.integrations.queues.shops import COMMANDS, LIBRARIES


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[str, str], Outcome]:
    return outcomes(tmp_path_factory.mktemp("queues"))


@pytest.mark.parametrize("library", COMMANDS)
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_task(found: Mapping[tuple[str, str], Outcome], library: str, capability: str) -> None:
    if library not in LIBRARIES:
        pytest.skip(f"{library} is not installed")
    outcome = found[library, capability]
    if isinstance(outcome, Exception):
        raise outcome
    assert outcome == matrix.told()[library, capability]
