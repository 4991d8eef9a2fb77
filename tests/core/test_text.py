"""Cleaned text is harmless wherever it is written."""

import json
import unicodedata
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.text import REPLACEMENT, clean, clean_lines, last_of, shortened

# All of Unicode, lone surrogates too, and often what cleaning is about.
NASTY = (
    "\x00\x07\x1b\t\r\n\x0b\x0c\x1c\x1f\x7f\x80\x85\x9f\u061c\u200e\u2028\u2029\u202e\u2066"
    "\ud800\udfff\ufdd0\ufffe\uffff\U0001ffff\U0010fffe"
)
TEXT = st.text(
    st.one_of(st.characters(codec=None, exclude_categories=()), st.sampled_from(NASTY + "e\u0301\u1100\u1161"))
)


def is_non_character(char: str) -> bool:
    return 0xFDD0 <= ord(char) <= 0xFDEF or ord(char) & 0xFFFE == 0xFFFE


@given(TEXT)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(TEXT)
def test_cleaned_text_is_composed_and_has_nothing_that_acts(text: str) -> None:
    cleaned = clean(text)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert [c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or is_non_character(c)] == []
    acting = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert [c for c in cleaned if unicodedata.bidirectional(c) in acting or c in "\u061c\u200e\u200f"] == []


@given(TEXT)
def test_cleaned_text_is_valid_json_and_xml_and_one_line(text: str) -> None:
    cleaned = clean(text)
    assert json.loads(json.dumps(cleaned, ensure_ascii=False).encode()) == cleaned
    assert (ET.fromstring(f"<a>{escape(cleaned)}</a>".encode()).text or "") == cleaned
    assert len(cleaned.splitlines()) <= 1


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("one\r\ntwo\n\nthree", "one two three"),
        ("tab\tbed", "tab bed"),
        ("one\n\u200e\ntwo", "one two"),
        ("\x1b[31mred\x1b[0m", f"{REPLACEMENT}[31mred{REPLACEMENT}[0m"),
        ("evil\u202etxt.exe", "eviltxt.exe"),
        ("e\u0301", "\u00e9"),
        ("half \ud83d", f"half {REPLACEMENT}"),
        ("\u0645\u0631\u062d\u0628\u0627 \U0001f600", "\u0645\u0631\u062d\u0628\u0627 \U0001f600"),
    ],
)
def test_what_becomes_of_it(dirty: str, cleaned: str) -> None:
    assert clean(dirty) == cleaned


@given(TEXT, st.integers(min_value=1, max_value=20))
def test_shortened_text_fits_and_says_that_something_is_missing(text: str, limit: int) -> None:
    short = shortened(text, limit)
    assert len(short) <= limit
    if short != text:
        assert len(text) > limit and short.endswith("…") and text.startswith(short[:-1])


@given(TEXT, st.integers(min_value=1, max_value=20))
def test_shortening_keeps_clean_text_clean(text: str, limit: int) -> None:
    short = shortened(clean(text), limit)
    assert clean(short) == short


@given(TEXT)
def test_cleaned_lines_have_nothing_that_acts_but_newlines_and_tabs(text: str) -> None:
    cleaned = clean_lines(text)
    assert clean_lines(cleaned) == cleaned
    assert cleaned.splitlines() == cleaned.removesuffix("\n").split("\n") or not cleaned
    for line in cleaned.replace("\t", "").split("\n"):
        assert clean(line) == unicodedata.normalize("NFC", line)


def test_line_ends_of_all_kinds_become_newlines() -> None:
    assert clean_lines("a\tb\r\nc\rd\n\ne\u2028f\x1b[1m") == f"a\tb\nc\nd\n\ne\nf{REPLACEMENT}[1m"


@given(st.text(st.sampled_from("aé🎬\n")), st.integers(1, 20))
def test_the_last_of_a_text_is_its_end_and_not_too_long(text: str, size: int) -> None:
    last = last_of(text, size)
    assert text.endswith(last)
    assert len(last.encode()) <= size
    assert last == text if len(text.encode()) <= size else len(last.encode()) >= size // 2 - 3


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("one\ntwo\nthree\n", "two\nthree\n"),
        ("one\n1234567\n", "1234567\n"),
        ("one\n12345\n789\n", "12345\n789\n"),
        ("one\n1234\n789\n", "1234\n789\n"),
        ("a very long line", " long line"),
        ("a long line\n", "long line\n"),
        ("ééééééé", "ééééé"),
        ("🎬🎬🎬", "🎬🎬"),
    ],
)
def test_it_begins_with_a_line_where_there_is_one(text: str, last: str) -> None:
    assert last_of(text, 10) == last
