"""Cursors as clients hold them: a revision, sealed so that it tells nothing about others' traffic.

A cursor is one AES block of two halves: a tag that stands for the epoch, the audience and the use, and the revision.
The block cipher hides both, and 64 bits of tag make a forged or foreign cursor fail: it is then unknown, no more. One
block with a fixed key is a permutation: equal positions give equal cursors, so that encoded frames can be shared.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from headway.core.policy import Scope

_HALF = 8


class Cursors:
    """Seals and opens the cursors of one epoch."""

    def __init__(self, epoch: str, secret: bytes) -> None:
        """``secret``: 32 bytes, as old as the epoch."""
        # ECB over a single block is the bare permutation that is wanted here, not a mode for messages.
        cipher = Cipher(algorithms.AES(secret), modes.ECB())  # noqa: S305
        self._encrypt = cipher.encryptor().update
        self._decrypt = cipher.decryptor().update
        self._epoch = epoch
        self._secret = secret
        self._tags: dict[tuple[Scope, str], bytes] = {}

    def seal(self, scope: Scope, revision: int, use: str = "watch") -> str:
        """The cursor for a position in the view of a scope; 22 characters, safe in URLs and headers."""
        block = self._encrypt(self._tag(scope, use) + revision.to_bytes(_HALF, "big"))
        return base64.urlsafe_b64encode(block).rstrip(b"=").decode()

    def open(self, scope: Scope, cursor: str, use: str = "watch") -> int | None:
        """The position that a cursor stands for; None unless it was sealed here for that scope and use."""
        try:
            block = base64.b64decode(cursor + "==", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if len(block) != 2 * _HALF:
            return None
        opened = self._decrypt(block)
        if opened[:_HALF] != self._tag(scope, use):
            return None
        return int.from_bytes(opened[_HALF:], "big")

    def _tag(self, scope: Scope, use: str) -> bytes:
        tag = self._tags.get((scope, use))
        if tag is None:
            text = f"{self._epoch}\0{scope}\0{use}".encode()
            tag = self._tags[scope, use] = hashlib.blake2b(text, key=self._secret, digest_size=_HALF).digest()
        return tag
