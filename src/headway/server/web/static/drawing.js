// What pictures are drawn with: plain SVG, whose shapes and patterns say what their colours say.

const NS = "http://www.w3.org/2000/svg";
export const ENDS = ["succeeded", "failed", "cancelled", "lost"];
const MINUTES = [5, 15, 30, 60, 120, 180, 360, 720, 1440, 2880];

let wide = 640;
let drawn = 0;

/** Draw from now on for a place that is so many pixels wide: then text has the size that it has elsewhere. */
export function fit(pixels) {
  wide = Math.max(240, Math.min(1800, Math.floor(pixels)));
}

/** Pixels that a picture is wide. */
export function width() {
  return wide;
}

/** An SVG element with attributes and children; strings become text. */
export function s(name, attributes = {}, ...children) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, String(value));
  made.append(...children.flat());
  return made;
}

/** A whole picture. `label`: what it says, for those who do not see it. `role`: `group` where parts can be focused. */
export function picture(height, label, children, role = "img") {
  return s("svg", { viewBox: `0 0 ${wide} ${height}`, width: wide, height, role, "aria-label": label, class: "plot", xmlns: NS }, ...children);
}

/** How an end or a running activity is filled: a function from a state to attributes, and the patterns these need. */
export function fills() {
  const prefix = `pattern-${(drawn += 1)}`;
  const pattern = (state, d, dots = []) =>
    s("pattern", { id: `${prefix}-${state}`, width: 6, height: 6, patternUnits: "userSpaceOnUse" }, s("rect", { width: 6, height: 6, class: `end ${state}` }), s("path", { d, class: "hatch" }), ...dots);
  const patterns = s(
    "defs",
    {},
    pattern("failed", "M-1 1L1 -1M0 6L6 0M5 7L7 5"),
    pattern("cancelled", "M0 3H6"),
    pattern("lost", "", [s("circle", { cx: 3, cy: 3, r: 1.3, class: "dot" })]),
    pattern("running", "M1 0V6M4 0V6"),
  );
  return { patterns, fill: (state) => (state === "succeeded" ? { class: "end succeeded" } : { fill: `url(#${prefix}-${state})` }) };
}

/** The sign of a state around a point. */
export function sign(state, x, y) {
  if (state === "failed") return `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`;
  if (state === "cancelled") return `M${x - 4} ${y - 4}h8v8h-8z`;
  if (state === "lost") return `M${x} ${y - 5}l5 9h-10z`;
  if (state === "running") return `M${x - 3} ${y - 4}l7 4l-7 4z`;
  return `M${x - 3.5} ${y}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0`;
}

/** States with their signs and fills: [state, text] each; the picture's part, and the height it takes. */
export function legend(entries, top, fill) {
  const each = 36 + 7 * Math.max(...entries.map(([, text]) => text.length)) + 14;
  const across = Math.max(1, Math.floor(wide / each));
  const parts = entries.map(([state, text], index) => {
    const [left, y] = [(index % across) * each, top + Math.floor(index / across) * 20];
    return s(
      "g",
      { class: "legend" },
      s("rect", { x: left, y: y - 6, width: 16, height: 12, ...fill(state) }),
      s("path", { d: sign(state, left + 26, y), class: `sign ${state}` }),
      s("text", { x: left + 36, y: y + 4 }, text),
    );
  });
  return { parts, height: Math.ceil(entries.length / across) * 20 };
}

/** Round moments between two: [{at, text}], no more than there is room for. */
export function ticks(since, until, most = Math.max(2, Math.floor(wide / 90))) {
  const minutes = (until - since) / 60;
  const step = MINUTES.find((each) => minutes / each <= most) ?? Math.ceil(minutes / most / 1440) * 1440;
  const first = new Date(since * 1000);
  const format = new Intl.DateTimeFormat(undefined, step < 1440 ? { hour: "2-digit", minute: "2-digit" } : { weekday: "short", day: "numeric" });
  const found = [];
  for (let index = 0; ; index += 1) {
    const moment = new Date(first.getFullYear(), first.getMonth(), first.getDate(), 0, index * step);
    const at = moment.getTime() / 1000;
    if (at > until || found.length > 50) return found;
    if (at >= since) found.push({ at, text: format.format(moment) });
  }
}

/** A horizontal axis of moments with lines up to `top`. `x`: where a moment is. */
export function timeAxis(since, until, x, top, floor) {
  return ticks(since, until).map(({ at, text }) => {
    const left = x(at);
    // The last may have no room: its line stays, its word would be over that of the one before.
    const told = left > wide - 30 ? "" : text;
    return s("g", { class: "axis" }, s("path", { d: `M${left} ${top}V${floor}` }), s("text", { x: left, y: floor + 14, "text-anchor": "middle" }, told));
  });
}
