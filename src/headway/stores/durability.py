"""What outlives what."""

from __future__ import annotations

from typing import Literal, get_args

Durability = Literal["none", "process", "power"]
"""What an acknowledged change outlives: nothing for sure, the end of the store's process, or of its machine's power."""

DURABILITIES: tuple[Durability, ...] = get_args(Durability)
"""From the least to the most."""
