"""Every member of a row is explained, to who reads the code and to who writes a client."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headway.wire import row
from headway.wire.row import Row

PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"


def explained(text: str) -> set[str]:
    """The names in the first column of its tables."""
    firsts = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return {name for cell in firsts for name in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize("name", Row.__struct_encode_fields__)
def test_the_protocol_explains_each_member(name: str) -> None:
    assert name in explained(PROTOCOL.read_text())


@pytest.mark.parametrize("name", Row.__struct_encode_fields__[9:])
def test_the_code_explains_each_member_of_ours(name: str) -> None:
    assert row.__doc__ is not None
    assert re.search(rf"\b{name}\b", row.__doc__)
