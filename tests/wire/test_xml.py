"""XML: what is written parses anywhere, and nothing that is read can hurt."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.scalars import shown
from headway.wire import xml
from headway.wire.errors import Unreadable
from tests.wire.strategies import clean_text, keys, scalars


@given(st.dictionaries(keys, scalars))
def test_any_attributes_are_read_back_by_every_parser(attributes: dict[str, str]) -> None:
    document = xml.DECLARATION + xml.element("A", attributes.items(), [xml.element("B", attributes.items())])
    expected = {key: shown(value) for key, value in attributes.items()}
    root = ElementTree.fromstring(document)
    assert (root.attrib, root[0].attrib) == (expected, expected)
    assert xml.parse(document) == ("A", {**expected, "B": expected.get("B", [expected])})
    seen: list[dict[str, str]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, members: seen.append(members)
    parser.Parse(document, True)
    assert seen == [expected, expected]


@given(clean_text)
def test_markup_within_text_stays_text(text: str) -> None:
    assert ElementTree.fromstring(xml.element("A", [("t", f"<{text}>&amp;\"'")])).get("t") == f"<{text}>&amp;\"'"


def test_white_space_within_an_attribute_is_kept() -> None:
    assert xml.element("A", [("t", "a\tb\nc\rd")]) == b'<A t="a&#9;b&#10;c&#13;d" />\n'


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), (True, "1"), (False, "0"), (3, "3"), (12.0, "12"), (0.5, "0.5"), (1e-7, "1e-7"), (1e300, "1e300")],
)
def test_values_are_shown_as_json_writes_them_but_booleans_as_digits(value: str | float, text: str) -> None:
    assert shown(value) == text


def test_elements_of_a_name_are_a_list() -> None:
    assert xml.parse(b'<M size="2"><A u="1"/><A u="2"><C k="v"/></A>text</M>') == (
        "M",
        {"size": "2", "A": [{"u": "1"}, {"u": "2", "C": [{"k": "v"}]}]},
    )


def test_other_encodings_are_read() -> None:
    assert xml.parse('<?xml version="1.0" encoding="iso-8859-1"?><M t="ü"/>'.encode("latin-1")) == ("M", {"t": "ü"})
    assert xml.parse('<?xml version="1.0" encoding="utf-16"?><M t="ü"/>'.encode("utf-16")) == ("M", {"t": "ü"})


BOMB = b'<!DOCTYPE a [<!ENTITY b "xxxxxxxxxx"><!ENTITY c "&b;&b;&b;&b;">]><M t="&c;"/>'
OUTSIDE = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><M>&b;</M>'


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (BOMB, "XML with a document type"),
        (OUTSIDE, "XML with a document type"),
        (b"<!DOCTYPE html><html></html>", "XML with a document type"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><M/>', "XML with a document type"),
        (b"<M>&b;</M>", "not well-formed XML: undefined entity"),
        (b"", "not well-formed XML: no element found"),
        (b"<M>", "not well-formed XML: no element found"),
        (b"<M><A></M>", "not well-formed XML: mismatched tag"),
        (b'<M a="1" a="2"/>', "not well-formed XML: duplicate attribute"),
        (b'<M a="\x00"/>', "not well-formed XML: "),
        (b"<M/><M/>", "not well-formed XML: junk after document element"),
        (b'<?xml version="1.0" encoding="nonsense"?><M/>', "not well-formed XML: unknown encoding"),
        (b"{}", "not well-formed XML: not well-formed"),
        (b"<a>" * 17, "XML nested more than 16 deep"),
    ],
)
def test_a_bad_document_is_refused(document: bytes, why: str) -> None:
    with pytest.raises(Unreadable) as caught:
        xml.parse(document)
    assert caught.value.message.startswith(why)


def test_a_huge_document_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "MAX_ANSWER", 10)
    with pytest.raises(Unreadable, match=r"^an XML document of 12 bytes; 10 are read at most$"):
        xml.parse(b"<M>" + b" " * 5 + b"</M>")


@given(st.binary(max_size=100) | st.text("<M/>a=\"'&;![]-? ", max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(document: bytes) -> None:
    try:
        name, _ = xml.parse(document)
    except Unreadable:
        return
    assert name
