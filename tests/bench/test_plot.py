"""Plots are SVG that any browser shows."""

from itertools import pairwise
from xml.etree import ElementTree

from bench import plot
from bench.rounds import Round

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*rounds: Round) -> ElementTree.Element:
    return ElementTree.fromstring(plot.fanout(rounds))


def one(server: str, protocol: str, watchers: int, deliveries: float) -> Round:
    return Round(server, protocol, watchers, 0, {"deliveries": deliveries})


def test_each_protocol_has_a_panel_and_each_server_a_line() -> None:
    page = drawn(one("fast", "sse", 10, 5.0), one("fast", "sse", 100, 9.0), one("fast", "websocket", 10, 5.0))
    panels = page.findall(f"{SVG}g")
    assert len(panels) == 2
    assert [len(panel.findall(f"{SVG}circle")) for panel in panels] == [2, 1]
    assert [text.text for text in panels[0].iter(f"{SVG}text")].count("fast") == 1


def test_more_is_higher_and_to_the_right() -> None:
    page = drawn(one("fast", "sse", 10, 100.0), one("fast", "sse", 1000, 900.0))
    low, high = page.findall(f".//{SVG}circle")
    assert float(low.attrib["cx"]) < float(high.attrib["cx"])
    assert float(low.attrib["cy"]) > float(high.attrib["cy"])


def test_names_do_not_cover_each_other() -> None:
    page = drawn(*(one(name, "sse", 10, 100.0) for name in ("fast", "loop", "<other>")))
    names = {text.text: float(text.attrib["y"]) for text in page.iter(f"{SVG}text")}
    places = sorted(names[name] for name in ("fast", "loop", "<other>"))
    assert min(second - first for first, second in pairwise(places)) >= 12


def test_names_stay_above_the_axis() -> None:
    page = drawn(*(one(f"at the bottom {place}", "sse", 10, 1.0) for place in range(8)), one("loop", "sse", 10, 1e6))
    places = [float(text.attrib["y"]) for text in page.iter(f"{SVG}text") if (text.text or "").startswith("at the")]
    (axis,) = (float(text.attrib["y"]) for text in page.iter(f"{SVG}text") if text.text == "0")
    assert max(places) <= axis and min(second - first for first, second in pairwise(sorted(places))) >= 12


def grown(name: str, exponent: float) -> list[Round]:
    sizes = [(size, 0.001 * size**exponent) for size in (10, 40, 160)]
    return [Round(name, "sse", size, 0, {"net": cost, "total": cost}) for size, cost in sizes]


def test_what_grows_is_apart_from_what_does_not() -> None:
    page = ElementTree.fromstring(plot.growth([*grown("watchers", 1.0), *grown("depth", 0.5), *grown("history", 0.0)]))
    grows, stays = ([text.text for text in panel.iter(f"{SVG}text")] for panel in page.findall(f"{SVG}g"))
    assert "watchers 1.00" in grows and "depth 0.50" in grows and "history 0.00" in stays
    heights = [float(dot.attrib["cy"]) for dot in page.findall(f".//{SVG}circle")]
    assert heights[0] > heights[1] > heights[2] and heights[6] == heights[7] == heights[8]
    # Where all begin: the same size, the same cost.
    assert heights[0] == heights[3] == heights[6]


def test_nothing_measured_is_an_empty_page() -> None:
    assert drawn().findall(f"{SVG}g") == []
    assert ElementTree.fromstring(plot.growth([])).findall(f"{SVG}g") == []
