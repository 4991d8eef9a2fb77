// How activities ended and how long they took, drawn from rows. Each plot is {picture, cells}: what is seen, and the
// same as a table; null where there is nothing to draw.

import { instant } from "./csv.js";
import { ENDS, fills, legend, picture, s, sign, timeAxis, width } from "./drawing.js";
import { span } from "./format.js";

const EACH = 600; // runs that are still drawn one by one
const SLOTS = 48;
const ODD = 200; // signs of what did not succeed, where there are too many to draw all

/** Seconds from start to end; null for a row without both. */
export function duration(row) {
  return row.startedAt === undefined || row.endedAt === undefined ? null : Math.max(0, row.endedAt - row.startedAt);
}

/** The durations of rows, shortest first. */
export function durations(rows) {
  return rows.map(duration).filter((value) => value !== null).sort((one, other) => one - other);
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
  const step = (high - low) / many || 0.05;
  const found = Array.from({ length: many }, (_, index) => ({ from: 10 ** (low + index * step), to: 10 ** (low + (index + 1) * step), count: 0 }));
  for (const value of positive) found[Math.min(many - 1, Math.floor((Math.log10(value) - low) / step))].count += 1;
  return found;
}

/** How many of each end, as one bar with its legend. */
export function ends(rows) {
  const many = ENDS.map((state) => [state, rows.filter((row) => row.state === state).length]).filter(([, count]) => count);
  if (!many.length) return null;
  const { patterns, fill } = fills();
  const total = many.reduce((sum, [, count]) => sum + count, 0);
  const share = (count) => `${((count / total) * 100).toFixed(count * 100 % total ? 1 : 0)} %`;
  let x = 0;
  const parts = many.map(([state, count]) => {
    const wide = (count / total) * width();
    const part = s("rect", { x, y: 0, width: Math.max(1, wide - 2), height: 22, ...fill(state), "data-tells": `${state}: ${count} runs, ${share(count)}` });
    x += wide;
    return part;
  });
  const said = many.map(([state, count]) => [state, `${state} ${count} (${share(count)})`]);
  const key = legend(said, 40, fill);
  const label = many.map(([state, count]) => `${state}: ${count}`).join(", ");
  return {
    picture: picture(40 + key.height, label, [patterns, ...parts, ...key.parts]),
    cells: [["state", "runs", "share"], ...many.map(([state, count]) => [state, count, count / total])],
  };
}

/** How long they took, as a distribution. */
export function distribution(rows) {
  const values = durations(rows);
  if (!values.length) return null;
  const [left, top, bottom, height] = [44, 38, 34, 226];
  const found = bins(values);
  const most = Math.max(...found.map((bin) => bin.count));
  const step = (width() - left - 20) / found.length;
  const y = (count) => top + (1 - count / most) * (height - top - bottom);
  const bars = found.map((bin, index) =>
    s("rect", { x: left + index * step + 1, y: y(bin.count), width: step - 2, height: height - bottom - y(bin.count), class: "bar", "data-tells": `${span(bin.from)} to ${span(bin.to)}: ${bin.count} runs` }),
  );
  const named = width() < 420 ? [0, 12, 24] : [0, 6, 12, 18, 24];
  const marks = named.map((index) => s("text", { x: left + index * step, y: height - 19, "text-anchor": "middle" }, span(index === 24 ? found[23].to : found[index].from)));
  const [middle, late] = [quantile(values, 0.5), quantile(values, 0.95)];
  return {
    picture: picture(height, `Durations of ${values.length} runs: half took less than ${span(middle)}, 95 % less than ${span(late)}`, [
      scale(left, top, height - bottom, [[String(most), 0], ["0", 1]], "runs"),
      ...bars,
      ...marks,
      s("text", { x: width() - 8, y: height - 3, "text-anchor": "end" }, "duration (logarithmic)"),
      ...[[middle, "half"], [late, "95 %"]].map(([value, name]) => mark(value, name, found, left, step, top, height - bottom)),
    ]),
    cells: [["from seconds", "to seconds", "runs"], ...found.map((bin) => [bin.from, bin.to, bin.count])],
  };
}

function mark(value, name, found, left, step, top, floor) {
  const low = Math.log10(found[0].from);
  const x = left + ((Math.log10(Math.max(value, 0.01)) - low) / (Math.log10(found.at(-1).to) - low)) * step * found.length;
  // Each in a line of its own: then they are apart, also where what they mark is not.
  const y = name === "half" ? top - 6 : top - 22;
  const [at, anchor] = x > width() / 2 ? [x - 4, "end"] : [x + 4, "start"];
  const text = s("text", { x: at, y, "text-anchor": anchor }, `${name} within ${span(value)}`);
  return s("g", { class: "mark" }, s("path", { d: `M${x} ${y - 10}V${floor}` }), text);
}

/** Both axes; `values`: [text, share of the height from the top] of the vertical one. */
function scale(left, top, floor, values, unit) {
  const texts = values.map(([text, share]) => s("text", { x: left - 5, y: top + (floor - top) * share + (share ? 0 : 9), "text-anchor": "end" }, text));
  return s("g", { class: "axis" }, s("path", { d: `M${left} ${top}V${floor}H${width() - 8}` }), ...texts, s("text", { x: 0, y: top - 4 }, unit));
}

/** How long they took, over time: each run a sign of its end; where there are too many, the middle and the spread. */
export function trend(rows, since, now) {
  const runs = rows.filter((row) => duration(row) !== null);
  if (runs.length < 2) return null;
  const [left, top, bottom, height] = [58, 22, 22, 214];
  const late = runs.length > EACH ? quantile(durations(runs), 0.99) : Math.max(...runs.map(duration));
  const longest = Math.max(late, 0.1);
  const x = (time) => left + Math.min(1, Math.max(0, (time - since) / (now - since || 1))) * (width() - left - 14);
  const y = (value) => top + (1 - Math.min(1, value / longest)) * (height - top - bottom);
  const told = (row) => `${row.title || row.type}: ${row.state} after ${span(duration(row))}`;
  const one = (row) => s("path", { d: sign(row.state, x(row.endedAt), y(duration(row))), class: `sign ${row.state}`, "data-tells": told(row) });
  const odd = runs.filter((row) => row.state !== "succeeded").slice(0, ODD);
  const marks = runs.length > EACH ? [...slots(runs, since, now, x, y), ...odd.map(one)] : runs.map(one);
  const values = [[span(longest), 0], [span(longest / 2), 0.5], ["0", 1]];
  return {
    picture: picture(height, `Durations of ${runs.length} runs over time`, [...timeAxis(since, now, x, top, height - bottom), scale(left, top, height - bottom, values, runs.length > EACH ? "duration: half within the dot, 90 % within the line" : "duration"), ...marks]),
    cells: [["ended", "seconds", "state", "type", "title", "uuid"], ...runs.map((row) => [instant(row.endedAt), duration(row), row.state, row.type, row.title, row.uuid])],
  };
}

function slots(runs, since, now, x, y) {
  const step = (now - since) / SLOTS;
  const found = Array.from({ length: SLOTS }, () => []);
  for (const row of runs) found[Math.min(SLOTS - 1, Math.max(0, Math.floor((row.endedAt - since) / step)))].push(row);
  return found.flatMap((those, index) => {
    const values = durations(those);
    if (!values.length) return [];
    const [low, middle, high] = [0.05, 0.5, 0.95].map((share) => quantile(values, share));
    const at = x(since + (index + 0.5) * step);
    return s("g", { class: "slot", "data-tells": `${values.length} runs: half within ${span(middle)}, 90 % from ${span(low)} to ${span(high)}` }, s("path", { d: `M${at} ${y(low)}V${y(high)}` }), s("circle", { cx: at, cy: y(middle), r: 3.5 }));
  });
}
