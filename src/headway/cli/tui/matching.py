"""Which rows a filter lets through."""

from __future__ import annotations

from headway.wire.row import Row

LOOKED_AT = 1_000
"""Characters of a text that are looked at: nobody sees more of it either."""


class Filter:
    """Words that must all be found: anywhere in title, subtitle, type or state; ``state:fail`` and ``type:library.``
    at the beginning of just that.
    """

    def __init__(self, text: str) -> None:
        self.text: str = text
        self._anywhere: list[str] = []
        self._beginnings: list[tuple[bool, str]] = []
        for word in text.casefold().split():
            member, colon, value = word.partition(":")
            if colon and member in ("state", "type"):
                self._beginnings.append((member == "state", value))
            else:
                self._anywhere.append(word)

    def __bool__(self) -> bool:
        return bool(self._anywhere or self._beginnings)

    def __repr__(self) -> str:
        return f"<Filter {self.text!r}>"

    def __call__(self, row: Row, state: str) -> bool:
        """True for a row that is let through. ``state``: the word by which its state is shown."""
        if not all(
            (state if of_state else row.type.casefold()).startswith(word) for of_state, word in self._beginnings
        ):
            return False
        texts = (row.title, row.subtitle, row.type, state)
        looked_at = "\n".join(text[:LOOKED_AT] for text in texts).casefold() if self._anywhere else ""
        return all(word in looked_at for word in self._anywhere)
