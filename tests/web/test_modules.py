"""The modules that need no page, each tried by itself in the browser that they are written for."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.server.whole import standalone

NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
async def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    """One that may import the modules."""
    async with standalone(tmp_path_factory.mktemp("data"), {}) as whole:
        context = await browser.new_context(locale="en-GB", timezone_id="UTC")
        page = await context.new_page()
        await page.goto(f"{whole.url}/web/")
        yield page
        await context.close()


async def run(page: Page, module: str, body: str, argument: Any = None) -> Any:
    """The value of a function body, which has the module as ``m`` and an argument as ``a``."""
    return await page.evaluate(f"async (a) => {{ const m = await import('/web/{module}.js'); {body} }}", argument)


def row(uuid: str = "u", **members: Any) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "type": "library.scan",
        "title": f"Title {uuid}",
        "subtitle": "",
        "userID": 2,
        "cancellable": True,
        "progress": 10,
        "state": "running",
        **members,
    }


def told(event: str, **members: Any) -> dict[str, Any]:
    """A notification, as the stream tells it."""
    activity = row(**members)
    data = {"ActivityNotification": {"event": event, "uuid": activity["uuid"], "Activity": activity}}
    return {"type": "activity", "data": data}


def snapshot(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"type": "snapshot", "data": {"MediaContainer": {"size": len(rows), **({"Activity": rows} if rows else {})}}}


@pytest.mark.parametrize(
    ("call", "arguments", "text"),
    [
        ("percent", [{"progress": 40}], "40 %"),
        ("percent", [{"progress": -1}], ""),
        ("amount", [1536, "bytes"], "1.5 KiB"),
        ("amount", [0, "bytes"], "0 B"),
        ("amount", [2.0**90, "B"], "1,099,511,627,776 PiB"),
        ("amount", [12, "files"], "12 files"),
        ("amount", [2_500_000, ""], "2.5m"),
        ("counts", [{"completed": 3, "total": 12, "unit": "files"}], "3 of 12 files"),
        ("counts", [{"completed": 1024, "total": 4096, "unit": "bytes"}], "1 KiB of 4 KiB"),
        ("counts", [{"completed": 3, "unit": "files"}], "3 files"),
        ("counts", [{}], ""),
        ("rate", [{"completed": 1, "rate": 2, "unit": "files"}], "2 files/s"),
        ("rate", [{"completed": 1, "rate": 0.05, "unit": "files"}], "3 files/min"),
        ("rate", [{"completed": 1, "rate": 0.001, "unit": "files"}], "3.6 files/h"),
        ("rate", [{"completed": 1, "rate": 0}], ""),
        ("span", [-3], "0.0 s"),
        ("span", [0], "0.0 s"),
        ("span", [0.0396], "40 ms"),
        ("span", [0.0951], "0.1 s"),
        ("span", [4.24], "4.2 s"),
        ("span", [59.6], "1:00"),
        ("span", [187], "3:07"),
        ("span", [7500], "2 h 05"),
        ("span", [273600], "3 d 4 h"),
        ("elapsed", [{"startedAt": NOW - 30}, NOW], "30 s"),
        ("elapsed", [{"startedAt": NOW - 30, "endedAt": NOW - 10}, NOW], "20 s"),
        ("elapsed", [{}, NOW], ""),
        ("remaining", [{"eta": 60, "updatedAt": NOW - 20}, NOW], "40 s left"),
        ("remaining", [{"eta": 10, "updatedAt": NOW - 20}, NOW], "any moment"),
        ("remaining", [{}, NOW], ""),
        ("moment", [NOW - 60, NOW], "07:59:00"),
        ("moment", [NOW - 86_400, NOW], "14 Jan 2027, 08:00:00"),
    ],
)
async def test_figures_are_told_as_people_say_them(page: Page, call: str, arguments: list[Any], text: str) -> None:
    assert await run(page, "format", f"return m.{call}(...a)", arguments) == text


@pytest.mark.parametrize(
    ("before", "after", "gone", "same"),
    [
        ("", "one", 0, 0),
        ("one\n", "one\ntwo\n", 0, 4),
        ("log\n10%", "log\n20%", 0, 4),
        ("x" * 300 + "y" * 300, "y" * 300 + "z", 300, 300),
        ("x" * 300, "y" * 300, 0, 0),
        ("x" * 300, "xy", 0, 1),
        ("one\n", "", 0, 0),
    ],
)
async def test_of_output_only_what_differs_is_changed(
    page: Page, before: str, after: str, gone: int, same: int
) -> None:
    found = await run(
        page,
        "output",
        "const gone = m.shifted(...a); return [gone, m.alike(a[0].slice(gone), a[1])]",
        [before, after],
    )
    assert found == [gone, same]


@pytest.mark.parametrize(
    ("members", "state", "words"),
    [
        ({}, "running", "running"),
        ({"progress": -1}, "waiting", "running"),
        ({"stalled": True}, "stalled", "stalled"),
        ({"state": "cancelling"}, "cancelling", "stopping"),
        ({"state": "cancelling", "overdue": True}, "overdue", "overdue"),
        ({"state": "succeeded"}, "succeeded", "done"),
        ({"state": "succeeded", "cancelRequested": True}, "succeeded", "finished anyway"),
        ({"state": "failed", "cancelRequested": True}, "failed", "failed while stopping"),
        ({"state": "lost", "error": "abandoned"}, "lost", "given up"),
        ({"state": "lost", "error": "lease_expired"}, "lost", "lost"),
        ({"gone": True}, "ended", "ended"),
        ({"state": "toString"}, "running", "running"),
        ({"state": "__proto__"}, "running", "running"),
        ({"state": None}, "running", "running"),
    ],
)
async def test_each_state_has_its_name_and_words(page: Page, members: dict[str, Any], state: str, words: str) -> None:
    said = await run(page, "states", "return [m.stateOf(a), m.outcome(a)]", row(**members))
    assert said == [state, words]


async def test_no_two_states_look_alike(page: Page) -> None:
    drawn = await run(
        page,
        "states",
        "const names = Object.keys(m.STATES).filter((name) => !['waiting', 'ended'].includes(name));"
        "return names.map((name) => m.icon(m.STATES[name].icon).querySelector('path').getAttribute('d'))",
    )
    assert len(set(drawn)) == len(drawn) == 8


@pytest.mark.parametrize(
    ("members", "role", "why"),
    [
        ({}, "user", ""),
        ({}, None, ""),
        ({}, "reader", "A reader may look, not cancel."),
        ({"cancellable": False}, "admin", "It cannot be stopped: whoever started it said so."),
        ({"state": "failed"}, "admin", "It is over."),
    ],
)
async def test_a_reason_is_given_where_nothing_can_be_stopped(
    page: Page, members: dict[str, Any], role: str | None, why: str
) -> None:
    assert await run(page, "states", "return m.whyNot(...a)", [row(**members), role]) == why


@pytest.mark.parametrize(
    ("text", "admitted"),
    [
        ("", "abc"),
        ("   ", "abc"),
        ("films", "a"),
        ("FILMS title", "a"),
        ('"title b"', "b"),
        ("type=library.scan", "ab"),
        ("type=library.*", "ab"),
        ("type=library", ""),
        ("state=running", "ab"),
        ("state=stalled", "b"),
        ("state=lost", "c"),
        ("owner=3", "b"),
        ("userID=2 type=library.scan", "a"),
        ("Context.section=3", "a"),
        ('Context.name="two words"', "b"),
        ("words", "b"),
        ("3 films", "a"),
        ("true", ""),
        ("Context.section=", ""),
        ("Context.constructor=", ""),
        ("Context.__proto__=[object Object]", ""),
        ("nothing=known", ""),
        ('"open', ""),
        (".*", ""),
        ("\\", ""),
    ],
)
async def test_a_filter_admits_what_it_says(page: Page, text: str, admitted: str) -> None:
    rows = [
        row("a", subtitle="Films", Context={"section": 3, "deep": True}),
        row("b", stalled=True, userID=3, Context={"name": "two words"}),
        row("c", type="media.optimize", state="lost"),
    ]
    body = "const filter = new m.Filter(a[0]); return a[1].filter((row) => filter.admits(row)).map((row) => row.uuid)"
    assert "".join(await run(page, "model", body, [text, rows])) == admitted


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", {}),
        ("a longest word", {"q": "longest"}),
        ("type=a.b owner=3 Context.k=v", {"type": "a.b", "userID": "3", "Context.k": "v"}),
        ("userID=3 owner=4 state=failed", {"userID": "3", "state": "failed"}),
        ("type=a.* cafe\u0301", {"q": "caf\u00e9"}),
        ("owner=nobody", {}),
    ],
)
async def test_a_server_is_asked_for_what_it_can_tell(page: Page, text: str, query: dict[str, str]) -> None:
    assert await run(page, "model", "return new m.Filter(a).query()", text) == query


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ('a "b", c', '"a ""b"", c"'),
        ("=1+1", "'=1+1"),
        ("\uff1d1", "'\uff1d1"),
        ("@x", "'@x"),
        ("-1", "'-1"),
        (-1, "-1"),
        (0, "0"),
        (None, ""),
        (False, "false"),
    ],
)
async def test_a_cell_is_what_it_says_and_no_formula(page: Page, value: Any, text: str) -> None:
    assert await run(page, "csv", "return m.csv([[a, 1]])", value) == f"{text},1\r\n"


MODEL = """
const model = new m.Model();
const shown = () => model.lines().map(({ row, depth }) => '  '.repeat(depth) + row.uuid).join('\\n');
"""


async def test_parts_stand_below_their_whole_in_order_of_start(page: Page) -> None:
    told_first = snapshot(
        row("part", parentUUID="whole"), row("whole"), row("other"), row("orphan", parentUUID="away"),
        row("particle", parentUUID="part"),
    )  # fmt: skip
    body = MODEL + "model.apply(a, 0); const all = shown(); model.collapsed.add('part'); return [all, shown()]"
    assert await run(page, "model", body, told_first) == [
        "whole\n  part\n    particle\nother\norphan",
        "whole\n  part\nother\norphan",
    ]


async def test_a_match_shows_what_it_is_a_part_of(page: Page) -> None:
    rows = snapshot(row("whole"), row("part", parentUUID="whole"), row("other"))
    body = MODEL + "model.apply(a, 0); model.filter = new m.Filter('\"title part\"'); return [shown(), model.counts()]"
    assert await run(page, "model", body, rows) == ["whole\n  part", {"live": 3, "shown": 1}]


async def test_what_is_a_part_of_itself_hangs_nothing(page: Page) -> None:
    rows = snapshot(row("a", parentUUID="b"), row("b", parentUUID="a"), row("self", parentUUID="self"), row("fine"))
    assert await run(page, "model", MODEL + "model.apply(a, 0); return shown()", rows) == "fine"


async def test_what_has_ended_stays_a_while_and_longer_while_it_is_held(page: Page) -> None:
    changes = [snapshot(row("a"), row("b")), told("ended", uuid="a", state="succeeded")]
    body = (
        MODEL + "for (const each of a) model.apply(each, 0); const said = [shown()];"
        "for (const [now, held] of [[m.LINGER - 1, []], [m.LINGER, ['a']], [m.LINGER, []]])"
        "  said.push(model.age(now, new Set(held)), shown());"
        "return said"
    )
    assert await run(page, "model", body, changes) == ["a\nb", False, "a\nb", False, "a\nb", True, "b"]


async def test_a_whole_that_has_ended_stays_as_long_as_its_parts(page: Page) -> None:
    changes = [
        snapshot(row("whole"), row("part", parentUUID="whole")),
        told("ended", uuid="whole", state="succeeded"),
    ]
    body = MODEL + "for (const each of a) model.apply(each, 0); model.age(m.LINGER); return shown()"
    assert await run(page, "model", body, changes) == "whole\n  part"


async def test_a_snapshot_after_a_gap_ends_what_is_no_longer_there(page: Page) -> None:
    changes = [snapshot(row("a"), row("b")), snapshot(row("b", progress=50), row("c"))]
    body = (
        MODEL + "for (const each of a) model.apply(each, 0);"
        "return [shown(), model.ends().map((row) => row.uuid), model.announcements(), model.counts().live]"
    )
    assert await run(page, "model", body, changes) == ["a\nb\nc", ["a"], ["Title a: ended"], 2]


async def test_starts_and_ends_are_announced_and_no_percent(page: Page) -> None:
    changes = [
        snapshot(row("there")),
        told("started", uuid="a"),
        told("updated", uuid="a", progress=50),
        told("ended", uuid="a", state="failed"),
        told("ended", uuid="there", state="succeeded", cancelRequested=True, title=""),
    ]
    body = MODEL + "for (const each of a) model.apply(each, 0); return [model.announcements(), model.announcements()]"
    said = ["Started: Title a", "Title a: failed", "library.scan: finished anyway"]
    assert await run(page, "model", body, changes) == [said, []]


async def test_the_progress_of_all_is_the_mean_of_what_is_known(page: Page) -> None:
    rows = [row("a", fraction=0.25), row("b", progress=75), row("c", progress=-1), row("d", state="failed")]
    body = MODEL + "const none = model.progress(); model.apply(a, 0); return [none, model.progress()]"
    assert await run(page, "model", body, snapshot(*rows)) == [None, 0.5]


BACKLOG = "const log = new m.Backlog(); for (const each of a) log.take(each, (uuid) => uuid === 'shown');"
TOLD = """
return log.details().map(({ type, data }) => {
  if (type === 'snapshot') return data.MediaContainer.Activity.map((row) => row.uuid);
  const { event, uuid, Activity } = data.ActivityNotification;
  return [event, uuid, Activity.progress];
});
"""


async def test_a_pause_keeps_of_each_the_last_word(page: Page) -> None:
    changes = [told("updated", uuid="shown", progress=index % 100) for index in range(1_000)]
    changes += [told("started", uuid="new"), told("updated", uuid="new", progress=30)]
    changes += [told("started", uuid="brief"), told("ended", uuid="brief")]
    assert await run(page, "model", BACKLOG + TOLD, changes) == [["updated", "shown", 99], ["started", "new", 30]]


async def test_an_end_during_a_pause_outlasts_every_snapshot(page: Page) -> None:
    before = [snapshot(row("shown"), row("other")), told("ended", uuid="shown", progress=90)]
    assert await run(page, "model", BACKLOG + TOLD, before) == [["ended", "shown", 90], ["other"]]
    after = [told("ended", uuid="shown", progress=90), told("updated", uuid="other"), snapshot(row("other"))]
    assert await run(page, "model", BACKLOG + TOLD, after) == [["ended", "shown", 90], ["other"]]


@pytest.mark.parametrize(
    ("values", "share", "value"), [([], 0.5, None), ([3], 0.95, 3), ([1, 2, 3], 0.5, 2), ([0, 10], 0.95, 9.5)]
)
async def test_a_share_of_values_lies_below_a_quantile(
    page: Page, values: list[float], share: float, value: float | None
) -> None:
    assert await run(page, "plots", "return m.quantile(...a)", [values, share]) == value


@pytest.mark.parametrize("values", [[5], [5, 5, 5], [0], [0, -1, 1e9], [0.001, 1, 60, 86_400], [1e-300, 1e300]])
async def test_every_value_is_in_one_bin(page: Page, values: list[float]) -> None:
    bins = await run(page, "plots", "return m.bins(a)", values)
    assert sum(each["count"] for each in bins) == len(values)
    assert all(each["from"] < each["to"] for each in bins)


@pytest.mark.parametrize(
    ("module", "plot"),
    [
        ("plots", "distribution(a)"),
        ("plots", "trend(a, 0, 1000)"),
        ("plots", "ends(a)"),
        ("timeline", "timeline(a, 0, 1000)"),
    ],
)
async def test_pictures_are_of_figures_whatever_the_rows_are(page: Page, module: str, plot: str) -> None:
    odd = [
        row("a", state="succeeded", startedAt=0, endedAt=1000, title='"><script>alert(1)</script>'),
        row("b", state='x" onload="alert(1)', startedAt=900, endedAt=800),
        row("c", state="failed"),
        row("d", state="lost", startedAt=500, endedAt=500),
        row("e", startedAt=-10, title="😀" * 60),
        *[row(f"f{n}", state="succeeded", startedAt=n % 900, endedAt=n % 900 + n) for n in range(700)],
    ]
    assert await run(page, module, f"return m.{plot.replace('(a', '([]')}") is None
    picture = f"m.{plot}.picture"
    drawn = await run(page, module, f"return new XMLSerializer().serializeToString({picture})", odd)
    assert "NaN" not in drawn
    assert "Infinity" not in drawn
    assert "<script" not in drawn
    names = f"return [{picture}, ...{picture}.querySelectorAll('*')].flatMap((each) => each.getAttributeNames())"
    assert not [name for name in await run(page, module, names, odd) if name.startswith("on")]
    cells = await run(page, module, f"return m.{plot}.cells", odd)
    assert {len(line) for line in cells} == {len(cells[0])}
    assert len(cells) > 1


HOURS = 3600.0


@pytest.mark.parametrize(("hours", "most", "step"), [(1, 5, 0.25), (6, 5, 2), (24, 5, 6), (24, 12, 2), (168, 8, 24)])
async def test_moments_on_an_axis_are_round_and_fit(page: Page, hours: float, most: int, step: float) -> None:
    since = NOW + 1234
    found = await run(page, "drawing", "return m.ticks(...a)", [since, since + hours * HOURS, most])
    at = [each["at"] for each in found]
    assert 2 <= len(at) <= most + 1
    assert {later - earlier for earlier, later in itertools.pairwise(at)} == {step * HOURS}
    assert at[0] % (step * HOURS) == 0
    assert all(since <= each <= since + hours * HOURS for each in at)


async def test_an_element_is_made_like_another_and_keeps_what_is_the_same(page: Page) -> None:
    body = """
      const made = (text, more) => m.h('div', { class: text }, m.h('button', { 'data-key': 'b' }, text), ...more);
      const target = made('one', [m.h('p', {}, 'gone')]);
      const button = target.firstChild;
      m.morph(target, made('two', []));
      return [target.outerHTML, target.firstChild === button];
    """
    said = await run(page, "dom", body)
    assert said == ['<div class="two"><button data-key="b">two</button></div>', True]


async def test_keys_and_values_of_any_server_are_shown_as_text(page: Page) -> None:
    markup = "<img src=x onerror=alert(1)>"
    odd = row(
        title=markup,
        error=markup,
        Context={markup: markup, "__proto__": {"a": 1}},
        Response={markup: None},
        state="failed",
    )
    body = """
      const detail = new m.Detail({}, { role: 'user', api: { base: '' }, names: { of: String } });
      detail.show(a, [{ ...a, uuid: 'part' }], false);
      detail.show({ ...a, state: 'lost' }, [], false);
      return [detail.element.querySelectorAll('img').length, detail.element.textContent.split('<img').length - 1];
    """
    assert await run(page, "detail", body, odd) == [0, 5]


async def test_a_stream_says_when_its_server_is_without_its_store(page: Page) -> None:
    body = """
      const real = globalThis.EventSource;
      const listeners = {};
      globalThis.EventSource = class {
        addEventListener(type, listener) { listeners[type] = listener; }
        close() {}
      };
      try {
        const states = [];
        const stream = new m.Stream({ url: () => "" });
        stream.addEventListener("connection", (event) => states.push(event.detail.state));
        stream.open();
        const away = '{"degraded":true}';
        for (const data of ["{}", away, away, "{}"]) listeners.ping({ data, lastEventId: "" });
        stream.close();
        return states;
      } finally { globalThis.EventSource = real; }
    """
    assert await run(page, "stream", body) == ["live", "degraded", "live"]
