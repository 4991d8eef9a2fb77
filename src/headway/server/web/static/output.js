// The last that an activity has printed, fetched again and again while somebody looks at it.

import { h } from "./dom.js";
import { isOver } from "./states.js";

const PAUSE = 2_000; // milliseconds between two looks
const TROUBLE = 10_000; // after one that was refused
const PATIENCE = 10_000; // without an answer in that time it counts as lost
const LATE = 2; // looks after the end: the last lines may come after it
const KNOWN = 200; // characters by which a beginning is found again
const NEAR = 8; // pixels from the end that count as the end

/** A part of a page that is hidden while there is nothing to show. */
export class Output {
  #api;
  #pane = h("pre", { tabindex: 0, role: "region", "aria-label": "Output" });
  #text = document.createTextNode("");
  #uuid = null;
  #tag = null;
  #over = false;
  #left = LATE;
  #timer = null;
  #turn = 0;

  constructor(api) {
    this.#api = api;
    this.#pane.append(this.#text);
    this.element = h("section", { class: "output", hidden: true }, h("h3", {}, "Output"), this.#pane);
  }

  /** It is about this row. To be told again as long as it is shown: it looks for more only where it can be seen. */
  show(row) {
    if (row.uuid !== this.#uuid) this.#begin(row.uuid);
    if (isOver(row) && !this.#over) this.#hurry();
    this.#over = isOver(row);
    if (this.#timer === null) this.#look();
  }

  #begin(uuid) {
    this.#uuid = uuid;
    this.#tag = null;
    this.#over = false;
    this.#left = LATE;
    this.#turn += 1; // what is on its way is about another one
    this.#hurry();
    this.#write("");
  }

  #hurry() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #later(pause) {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#look();
    }, pause);
  }

  async #look() {
    if (document.hidden || !this.element.parentElement?.checkVisibility() || this.#left <= 0) return;
    const turn = ++this.#turn;
    if (this.#over) this.#left -= 1;
    this.#later(PATIENCE + PAUSE);
    let pause = PAUSE;
    try {
      await this.#fetch(turn);
    } catch (error) {
      if (error.status === 404 && turn === this.#turn) this.#left = 0; // a server that keeps none, or nothing to keep
      if (error.status !== undefined && error.status !== 304) pause = TROUBLE;
    }
    if (turn !== this.#turn) return;
    this.#hurry();
    if (this.#left > 0) this.#later(pause);
  }

  async #fetch(turn) {
    const headers = this.#tag === null ? {} : { "If-None-Match": this.#tag };
    const path = `activities/${encodeURIComponent(this.#uuid)}/output`;
    const response = await this.#api.request("GET", path, { headers, signal: AbortSignal.timeout(PATIENCE) });
    const text = await response.text();
    if (turn !== this.#turn) return;
    this.#tag = response.headers.get("ETag");
    this.#write(text);
  }

  /** Change what has changed and nothing else: what somebody has selected stays selected. */
  #write(text) {
    this.element.hidden = text === "";
    const pane = this.#pane;
    const following = pane.scrollHeight - pane.scrollTop - pane.clientHeight < NEAR;
    const height = pane.scrollHeight;
    const gone = shifted(this.#text.data, text);
    this.#text.deleteData(0, gone);
    if (!following && gone > 0) pane.scrollTop -= height - pane.scrollHeight;
    const same = alike(this.#text.data, text);
    this.#text.replaceData(same, this.#text.length - same, text.slice(same));
    if (following) pane.scrollTop = pane.scrollHeight;
  }
}

/** How many characters at the beginning of a text are missing in what it has become. */
export function shifted(before, after) {
  const known = after.slice(0, KNOWN);
  if (before.startsWith(known)) return 0;
  const place = known.length < KNOWN ? -1 : before.indexOf(known);
  return place < 0 ? 0 : place;
}

/** How many characters at their beginning two texts share. */
export function alike(one, other) {
  const most = Math.min(one.length, other.length);
  let same = 0;
  while (same < most && one[same] === other[same]) same += 1;
  return same;
}
