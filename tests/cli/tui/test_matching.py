"""Which rows a filter lets through."""

import pytest

from headway.cli.tui.matching import Filter
from tests.cli.tui.fake_feed import made

ROW = made("a", title="Copying Films", subtitle="Alien (1979).mkv", type="command.rsync")


@pytest.mark.parametrize(
    ("text", "lets_through"),
    [
        ("", True),
        ("films", True),
        ("ALIEN copying", True),
        ("rsync", True),
        ("running", True),
        ("films books", False),
        ("state:run", True),
        ("state:failed", False),
        ("type:command.", True),
        ("type:rsync", False),
        ("type:command. alien", True),
        ("state:run books", False),
        ("user:1", False),
        ("(1979)", True),
    ],
)
def test_all_words_must_be_found(text: str, lets_through: bool) -> None:
    assert Filter(text)(ROW, "running") is lets_through


def test_blanks_filter_nothing() -> None:
    assert not Filter("  ")
    assert Filter(" x ")


def test_of_an_endless_title_only_the_beginning_is_looked_at() -> None:
    assert not Filter("end")(made("a", title="x" * 10_000 + "end"), "running")
