// Pictures of what has been: plain SVG, drawn from rows. Shapes and labels say what colours say.

import { span } from "./format.js";

const NS = "http://www.w3.org/2000/svg";
let WIDTH = 640;
const STATES = ["succeeded", "failed", "cancelled", "lost"];

/** Draw from now on for a place that is so many pixels wide: then text has the size that it has elsewhere. */
export function fit(pixels) {
  WIDTH = Math.max(240, Math.min(900, Math.floor(pixels)));
}

/** An SVG element with attributes and children; strings become text. */
export function s(name, attributes = {}, ...children) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children.flat());
  return made;
}

function picture(height, label, ...children) {
  return s("svg", { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: "img", "aria-label": label, class: "plot", xmlns: NS }, s("title", {}, label), ...children);
}

/** Seconds from start to end; null for a row without both. */
export function duration(row) {
  return row.startedAt === undefined || row.endedAt === undefined ? null : Math.max(0, row.endedAt - row.startedAt);
}

/** The value below which a share of sorted values lies. */
export function quantile(sorted, share) {
  if (!sorted.length) return null;
  const at = (sorted.length - 1) * share;
  const low = Math.floor(at);
  return sorted[low] + (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]) * (at - low);
}

/** Bins of equal width on a logarithmic scale: [{from, to, count}]. */
export function bins(values, many = 24) {
  const positive = values.map((value) => Math.max(value, 0.01));
  const low = Math.log10(Math.min(...positive));
  const high = Math.log10(Math.max(...positive));
  const width = (high - low) / many || 0.05;
  const found = Array.from({ length: many }, (_, index) => ({ from: 10 ** (low + index * width), to: 10 ** (low + (index + 1) * width), count: 0 }));
  for (const value of positive) found[Math.min(many - 1, Math.floor((Math.log10(value) - low) / width))].count += 1;
  return found;
}

/** How long it took, as a distribution. */
export function distribution(rows) {
  const values = rows.map(duration).filter((value) => value !== null).sort((a, b) => a - b);
  if (!values.length) return null;
  const [left, top, bottom, height] = [36, 38, 34, 226];
  const found = bins(values);
  const most = Math.max(...found.map((bin) => bin.count));
  const step = (WIDTH - left - 8) / found.length;
  const y = (count) => top + (1 - count / most) * (height - top - bottom);
  const bars = found.map((bin, index) =>
    s("rect", { x: left + index * step + 1, y: y(bin.count), width: step - 2, height: height - bottom - y(bin.count), class: "bar" }, s("title", {}, `${span(bin.from)} to ${span(bin.to)}: ${bin.count}`)),
  );
  const ticks = [0, 6, 12, 18, 24].map((index) => s("text", { x: left + index * step, y: height - 16, "text-anchor": "middle" }, span(index === 24 ? found[23].to : found[index].from)));
  const middle = quantile(values, 0.5);
  const late = quantile(values, 0.95);
  return picture(
    height,
    `Durations of ${values.length}: half took less than ${span(middle)}, 95 % less than ${span(late)}`,
    axis(left, top, height - bottom, most),
    ...bars,
    ...ticks,
    s("text", { x: WIDTH - 8, y: height - 2, "text-anchor": "end" }, "duration (logarithmic)"),
    ...[[middle, "half"], [late, "95 %"]].map(([value, name]) => mark(value, name, found, left, step, top, height - bottom)),
  );
}

function mark(value, name, found, left, step, top, floor) {
  const low = Math.log10(found[0].from);
  const x = left + ((Math.log10(Math.max(value, 0.01)) - low) / (Math.log10(found.at(-1).to) - low)) * step * found.length;
  // Each in a line of its own: then they are apart, also where what they mark is not.
  const y = name === "half" ? top - 6 : top - 22;
  const [at, anchor] = x > WIDTH / 2 ? [x - 4, "end"] : [x + 4, "start"];
  const text = s("text", { x: at, y, "text-anchor": anchor }, `${name}: ${span(value)}`);
  return s("g", { class: "mark" }, s("path", { d: `M${x} ${y - 10}V${floor}` }), text);
}

function axis(left, top, floor, most) {
  return s("g", { class: "axis" }, s("path", { d: `M${left} ${top}V${floor}H${WIDTH - 8}` }), s("text", { x: left - 5, y: top + 9, "text-anchor": "end" }, String(most)), s("text", { x: left - 5, y: floor, "text-anchor": "end" }, "0"));
}

/** How long it took, over time: each run a sign of its end. */
export function trend(rows) {
  const runs = rows.filter((row) => duration(row) !== null);
  if (runs.length < 2) return null;
  const [left, top, bottom, height] = [56, 12, 24, 200];
  const times = runs.map((row) => row.endedAt);
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const longest = Math.max(...runs.map(duration), 0.1);
  const x = (time) => left + ((time - from) / (to - from || 1)) * (WIDTH - left - 14);
  const y = (value) => top + (1 - value / longest) * (height - top - bottom);
  const signs = runs.map((row) => s("path", { d: sign(row.state, x(row.endedAt), y(duration(row))), class: `sign ${row.state}` }, s("title", {}, `${row.title || row.type}: ${row.state} after ${span(duration(row))}`)));
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });
  return picture(
    height,
    `Durations of ${runs.length} runs over time`,
    s("g", { class: "axis" }, s("path", { d: `M${left} ${top}V${height - bottom}H${WIDTH - 8}` })),
    s("text", { x: left - 5, y: top + 9, "text-anchor": "end" }, span(longest)),
    s("text", { x: left - 5, y: height - bottom, "text-anchor": "end" }, "0"),
    s("text", { x: left, y: height - 6 }, day.format(from * 1000)),
    s("text", { x: WIDTH - 8, y: height - 6, "text-anchor": "end" }, day.format(to * 1000)),
    ...signs,
  );
}

function sign(state, x, y) {
  if (state === "failed") return `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`;
  if (state === "cancelled") return `M${x - 4} ${y - 4}h8v8h-8z`;
  if (state === "lost") return `M${x} ${y - 5}l5 9h-10z`;
  return `M${x - 3.5} ${y}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0`;
}

/** How many of each end, as one bar with its legend. */
export function ends(rows) {
  const many = STATES.map((state) => [state, rows.filter((row) => row.state === state).length]).filter(([, count]) => count);
  if (!many.length) return null;
  let x = 0;
  const parts = many.map(([state, count]) => {
    const width = (count / rows.length) * WIDTH;
    const part = s("rect", { x, y: 0, width: Math.max(1, width - 2), height: 22, class: `end ${state}` }, s("title", {}, `${state}: ${count}`));
    x += width;
    return part;
  });
  const across = Math.max(1, Math.floor(WIDTH / 158));
  const legend = many.map(([state, count], index) => {
    const [left, top] = [8 + (index % across) * 158, 38 + Math.floor(index / across) * 20];
    const text = `${state} ${count} (${Math.round((count / rows.length) * 100)} %)`;
    return s("g", { class: `legend ${state}` }, s("path", { d: sign(state, left, top), class: `sign ${state}` }), s("text", { x: left + 10, y: top + 4 }, text));
  });
  return picture(50 + Math.floor((many.length - 1) / across) * 20, many.map(([state, count]) => `${state}: ${count}`).join(", "), ...parts, ...legend);
}

/** When what ran: a line for each, of the last hours. `now`: seconds since the epoch. */
export function timeline(rows, hours, now) {
  const since = now - hours * 3600;
  const shown = rows.filter((row) => row.startedAt !== undefined && (row.endedAt ?? now) >= since).slice(0, 60);
  if (!shown.length) return null;
  const [left, top, line] = [Math.min(190, WIDTH * 0.4), 22, 18];
  const letters = Math.floor(left / 7);
  const height = top + shown.length * line + 8;
  const x = (time) => left + (Math.max(0, time - since) / (hours * 3600)) * (WIDTH - left - 8);
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const parts = WIDTH < 420 ? 2 : 4;
  const ticks = Array.from({ length: parts + 1 }, (_, index) => since + (index * hours * 3600) / parts);
  return picture(
    height,
    `What ran in the last ${hours} hours: ${shown.length}`,
    ...ticks.map((time, index) => s("g", { class: "axis" }, s("path", { d: `M${x(time)} ${top - 6}V${height}` }), s("text", { x: x(time), y: 12, "text-anchor": index === parts ? "end" : "middle" }, clock.format(time * 1000)))),
    ...shown.flatMap((row, index) => {
      const y = top + index * line;
      const width = Math.max(2, x(row.endedAt ?? now) - x(row.startedAt));
      const name = row.title || row.type;
      return [
        s("text", { x: 0, y: y + 12 }, name.length > letters ? `${name.slice(0, letters - 1)}…` : name),
        s("rect", { x: x(row.startedAt), y: y + 2, width, height: line - 6, rx: 2, class: `end ${row.state}` }, s("title", {}, `${name}: ${row.state}, ${span((row.endedAt ?? now) - row.startedAt)}`)),
      ];
    }),
  );
}
