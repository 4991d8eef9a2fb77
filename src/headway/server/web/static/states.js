// What an activity is doing, as people see it: a word, an icon, and whether it is over.

/** Each state's word and icon. What looks different is different: colour is never the only sign. */
export const STATES = {
  running: { word: "running", icon: "running" },
  waiting: { word: "running", icon: "running" },
  stalled: { word: "stalled", icon: "stalled" },
  cancelling: { word: "stopping", icon: "stopping" },
  overdue: { word: "overdue", icon: "overdue" },
  succeeded: { word: "done", icon: "succeeded", over: true },
  failed: { word: "failed", icon: "failed", over: true },
  cancelled: { word: "stopped", icon: "cancelled", over: true },
  lost: { word: "lost", icon: "lost", over: true },
  ended: { word: "ended", icon: "cancelled", over: true },
};

/** The name of the state that a row is shown in. */
export function stateOf(row) {
  if (row.state in STATES && STATES[row.state].over) return row.state;
  if (row.endedAt !== undefined || row.gone) return "ended";
  if (row.overdue) return "overdue";
  if (row.state === "cancelling") return "cancelling";
  if (row.stalled) return "stalled";
  return row.progress < 0 ? "waiting" : "running";
}

/** Whether nothing changes it any more. */
export const isOver = (row) => Boolean(STATES[stateOf(row)].over);

/** In a sentence: what became of it, with what was asked before. */
export function outcome(row) {
  const state = stateOf(row);
  if (state === "succeeded" && row.cancelRequested) return "finished anyway";
  if (state === "failed" && row.cancelRequested) return "failed while stopping";
  if (state === "lost" && row.error === "abandoned") return "given up";
  return STATES[state].word;
}

/** Why it cannot be cancelled by this user; empty when it can. `role`: the user's. */
export function whyNot(row, role) {
  if (isOver(row)) return "It is over.";
  if (role === "reader" || role === "reporter") return `A ${role} may look, not cancel.`;
  if (!row.cancellable) return "It cannot be stopped: whoever started it said so.";
  return "";
}

const PATHS = {
  running: "M8 2a6 6 0 1 1-6 6",
  stalled: "M5 3v10M11 3v10",
  stopping: "M4 4h8v8H4z",
  overdue: "M8 2v7M8 12v1.5",
  succeeded: "M3 8.5 6.5 12 13 4.5",
  failed: "M4 4l8 8M12 4l-8 8",
  cancelled: "M3.5 3.5l9 9M8 2a6 6 0 1 0 .01 0z",
  lost: "M5.5 6a2.5 2.5 0 1 1 3.5 2.3c-.7.4-1 .8-1 1.7M8 12.5v1",
  chevron: "M6 4l4 4-4 4",
  stop: "M4 4h8v8H4z",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5 5h8v8H5zM3 11V3h8",
  bell: "M4 11V7.5a4 4 0 0 1 8 0V11l1 1.2H3zM7 14h2",
  share: "M8 10V2M5 5l3-3 3 3M4 7.5H3V14h10V7.5h-1",
  link: "M6.5 9.5l3-3M5 8l-1.5 1.5a2.1 2.1 0 0 0 3 3L8 11M11 8l1.5-1.5a2.1 2.1 0 0 0-3-3L8 5",
};
const SVG = "http://www.w3.org/2000/svg";

/** An icon by name, drawn in the colour of the text around it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon icon-${name}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
