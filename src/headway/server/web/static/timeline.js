// When what ran, and what still runs: a line for each.

import { instant } from "./csv.js";
import { ENDS, fills, legend, picture, s, sign, timeAxis, width } from "./drawing.js";
import { span } from "./format.js";
import { isOver, outcome, stateOf, STATES } from "./states.js";

const MOST = 40;
const LINE = 20;

/** What ended or runs between two moments, as {picture, cells, left}; `left`: how many more there are than are drawn. */
export function timeline(rows, since, now) {
  const all = rows.filter((row) => row.startedAt !== undefined && (row.endedAt ?? now) >= since && row.startedAt <= now);
  if (!all.length) return null;
  // What runs comes first, then what began last.
  all.sort((one, other) => isOver(one) - isOver(other) || other.startedAt - one.startedAt);
  const shown = all.slice(0, MOST);
  const { patterns, fill } = fills();
  const left = Math.min(190, width() * 0.36);
  const x = (time) => left + (Math.max(0, time - since) / (now - since)) * (width() - left - 18);
  const states = ["running", ...ENDS].filter((state) => shown.some((row) => drawnAs(row) === state));
  const key = legend(states.map((state) => [state, state]), 8, fill);
  const top = key.height + 8;
  const floor = top + shown.length * LINE;
  const links = shown.map((row, index) => line(row, top + index * LINE, { x, left, now, fill, first: index === 0 }));
  const drawn = picture(floor + 20, `What ran: ${all.length} activities`, [patterns, ...key.parts, ...timeAxis(since, now, x, top, floor), ...links], "group");
  drawn.addEventListener("keydown", (event) => step(event, links));
  return {
    picture: drawn,
    cells: [["title", "type", "state", "started", "ended", "userID", "uuid"], ...all.map((row) => [row.title, row.type, row.state, instant(row.startedAt), instant(row.endedAt), row.userID, row.uuid])],
    left: all.length - shown.length,
  };
}

/** The state that a row is drawn as. */
function drawnAs(row) {
  if (!isOver(row)) return "running";
  return ENDS.includes(row.state) ? row.state : "lost";
}

function line(row, top, { x, left, now, fill, first }) {
  const [state, until] = [drawnAs(row), row.endedAt ?? now];
  const name = row.title || row.type;
  const word = isOver(row) ? outcome(row) : STATES[stateOf(row)].word;
  const tells = `${name}: ${word}, ${isOver(row) ? "took" : "for"} ${span(until - row.startedAt)}`;
  const [from, to] = [x(row.startedAt), Math.max(x(row.startedAt) + 2, x(until))];
  const letters = Math.floor(left / 7) - 1;
  return s(
    "a",
    { href: `#/activity/${encodeURIComponent(row.uuid)}`, class: "run", tabindex: first ? 0 : -1, "aria-label": tells, "data-tells": tells },
    s("rect", { x: 0, y: top, width: width(), height: LINE, class: "row" }),
    s("text", { x: 2, y: top + 14 }, [...name].length > letters ? `${[...name].slice(0, letters - 1).join("")}…` : name),
    s("rect", { x: from, y: top + 4, width: to - from, height: LINE - 8, rx: 2, ...fill(state) }),
    s("path", { d: sign(state, to + 9, top + LINE / 2), class: `sign ${state}` }),
  );
}

/** One stop for the tab key, and the arrows within. */
function step(event, links) {
  const at = links.indexOf(event.target);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
  if (at < 0 || to === undefined || !links[to]) return;
  event.preventDefault();
  links[at].setAttribute("tabindex", "-1");
  links[to].setAttribute("tabindex", "0");
  links[to].focus();
}
