// All there is to know of one activity, kept up to date while it is open.

import { h, facts, morph } from "./dom.js";
import { counts, elapsed, moment, percent, rate, remaining, span } from "./format.js";
import { Output } from "./output.js";
import { icon, isOver, outcome, stateOf, whyNot } from "./states.js";

/**
 * A panel about an activity. `actions`: {cancel(row), close(), follow(uuid), share(row)}, the last null for who may not;
 * all of it null for who may only look.
 */
export class Detail {
  #actions;
  #role;
  #base;
  #names;
  #row = null;
  #told = h("div");
  #output;

  constructor(actions, { role = "", api, names }) {
    this.#names = names;
    this.#actions = actions;
    this.#role = role;
    this.#base = api.base;
    this.#output = new Output(api);
    this.element = h("aside", { class: "detail", "aria-label": "Details" }, this.#told, this.#output.element);
  }

  /** Show a row. `parts`: the rows below it. `followed`: whether its end is told by a notification. */
  show(row, parts, followed) {
    const focused = this.element.contains(document.activeElement) ? document.activeElement?.dataset.key : null;
    // What is pressed and selected stays in place while the same activity goes on; so no listener may know its row.
    if (this.#row?.uuid !== row.uuid) this.#told.replaceChildren();
    this.#row = row;
    const now = Date.now() / 1000;
    const shown = [
      this.#actions && this.#button("close", "Close", "close", () => this.#actions.close(), "plain close"),
      h("h2", {}, row.title || row.type),
      h("p", { class: "quiet" }, row.subtitle ?? ""),
      chip(row),
      row.error ? h("p", { class: "error" }, row.error) : null,
      this.#actions && this.#buttons(row, followed),
      facts(this.#facts(row, now)),
      ...bag("Context", row.Context),
      ...bag("Response", row.Response),
      h("h3", {}, "What happened"),
      stages(row, now),
      ...this.#parts(parts),
    ];
    morph(this.#told, h("div", {}, shown.filter(Boolean)));
    this.#output.show(row);
    if (focused && !this.element.contains(document.activeElement)) this.element.querySelector(`[data-key="${focused}"]`)?.focus();
  }

  #buttons(row, followed) {
    const why = isOver(row) ? "" : whyNot(row, this.#role);
    const command = () => `headway show ${this.#row.uuid}`;
    const curl = () => `curl -H "X-Plex-Token: $HEADWAY_TOKEN" -H "Accept: application/json" '${this.#base}activities/${this.#row.uuid}'`;
    return h(
      "div",
      { class: "buttons" },
      isOver(row) ? null : h("button", { type: "button", class: "danger", "data-key": "cancel", disabled: why !== "", "aria-describedby": why && "why", onclick: () => this.#actions.cancel(this.#row) }, "Stop…"),
      isOver(row) || !("Notification" in globalThis) ? null : this.#button("follow", "Tell me when it ends", "bell", () => this.#actions.follow(this.#row.uuid), "plain", followed),
      this.#actions.share && this.#button("share", "Share…", "share", () => this.#actions.share(this.#row)),
      this.#button("link", "Copy link", "link", () => copy(location.href)),
      this.#button("curl", "Copy as curl", "copy", () => copy(curl())),
      this.#button("command", "Copy command", "copy", () => copy(command())),
      why ? h("p", { class: "quiet", id: "why" }, why) : null,
    );
  }

  #button(key, label, sign, act, kind = "plain", pressed = undefined) {
    return h("button", { type: "button", class: kind, "aria-pressed": pressed === undefined ? null : String(pressed), "data-key": key, title: label, "aria-label": label, onclick: act }, icon(sign), sign === "close" ? "" : ` ${label}`);
  }

  #facts(row, now) {
    return [
      ["progress", [percent(row), counts(row), rate(row)].filter(Boolean).join(", ")],
      ["left", remaining(row, now) + (row.etaLow !== undefined && !isOver(row) ? ` (${span(row.etaLow)} to ${span(row.etaHigh)})` : "")],
      ["time", elapsed(row, now)],
      ["type", row.type],
      ["owner", this.#names.of(row.userID)],
      ["last word", row.lastReportAt === undefined ? "" : moment(row.lastReportAt, now)],
      ["timeout", row.timeout === undefined ? "" : span(row.timeout)],
      ["lease", row.lease === undefined ? "" : span(row.lease)],
      ["part of", row.parentUUID ? h("a", { href: `#/activity/${row.parentUUID}` }, row.parentUUID) : ""],
      ["uuid", row.uuid],
    ];
  }

  #parts(parts) {
    if (!parts.length) return [];
    const links = parts.map((part) => h("li", {}, h("bdi", {}, h("a", { href: `#/activity/${part.uuid}` }, part.title || part.type)), ` ${isOver(part) ? outcome(part) : percent(part)}`));
    return [h("h3", {}, `Parts (${parts.length})`), h("ul", {}, links)];
  }
}

/** A state as a word with its icon. */
export function chip(row) {
  const state = stateOf(row);
  return h("span", { class: "chip", "data-state": state }, icon(state === "waiting" ? "running" : state === "cancelling" ? "stopping" : state === "ended" ? "cancelled" : state), outcome(row));
}

function bag(name, members) {
  if (!members) return [];
  return [h("h3", {}, name), facts(Object.entries(members).map(([key, value]) => [key, String(value)]))];
}

function stages(row, now) {
  const told = [];
  if (row.startedAt !== undefined) told.push([row.startedAt, "started"]);
  if (row.cancelRequestedAt !== undefined) {
    const by = row.cancelledBy === undefined ? "by the server" : `by user ${row.cancelledBy}`;
    told.push([row.cancelRequestedAt, `asked to stop ${by}${row.cancelReason ? ` (${row.cancelReason})` : ""}`]);
  }
  if (row.overdue && !isOver(row)) told.push([null, "overdue: its grace is over, and it still runs"]);
  if (row.endedAt !== undefined) told.push([row.endedAt, outcome(row)]);
  return h("ol", { class: "stages" }, told.map(([at, what]) => h("li", {}, at === null ? "" : h("span", { class: "quiet" }, `${moment(at, now)} `), what)));
}

/** Put a text where it can be pasted from; where the browser does not let us, show it. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    globalThis.prompt("Copy this:", text);
  }
}
