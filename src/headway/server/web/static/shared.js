// One activity for whoever has a link to it, live, with nothing around it. Whoever is signed in to this browser is not
// asked for and not disturbed: the link's secret goes in a header, and no cookie goes with it.

import { Api } from "./api.js";
import { Detail } from "./detail.js";
import { h } from "./dom.js";
import { fraction, percent } from "./format.js";
import { Numbers } from "./names.js";
import { isOver, outcome } from "./states.js";

const PAUSE = 2_000; // milliseconds between two looks
const PATIENCE = 10_000; // without an answer in that time it counts as lost

/** The secret and uuid in an address; null when it is no link of this kind. */
export function sharedIn(fragment) {
  if (!fragment.startsWith("#shared=")) return null;
  const named = new URLSearchParams(fragment.slice(1));
  return { secret: named.get("shared"), uuid: named.get("uuid") ?? "" };
}

export class Shared {
  #api;
  #uuid;
  #tell;
  #detail;
  #bar = h("progress", { max: 1, "aria-label": "Progress" });
  #row = null;
  #state = { state: "connecting", since: Date.now() };
  #asked = 0;
  #heard = Date.now();
  #timer;
  #clock;
  #awake;

  /** `tell`: {connected(state), announce(text), progress(0..1 or null)}. */
  constructor({ secret, uuid }, tell) {
    this.#api = new Api(undefined, { token: secret });
    this.#uuid = uuid;
    this.#tell = tell;
    this.#detail = new Detail(null, { api: this.#api, names: new Numbers() });
    this.element = h("div", { class: "view shared" }, h("h1", { class: "unseen" }, "A shared activity"), this.#bar);
    this.#bar.hidden = true;
    this.#awake = () => document.hidden || this.#wake();
    document.addEventListener("visibilitychange", this.#awake);
    this.#clock = setInterval(() => this.#row && !document.hidden && this.#draw(), 1_000);
    tell.connected(this.#state);
    // What was cut off on its way here is no secret, and maybe not even text that a header can hold.
    if (/^hwg_[\w-]+$/.test(secret)) this.#look();
    else this.#gone();
  }

  leave() {
    this.#asked = -1;
    clearTimeout(this.#timer);
    clearInterval(this.#clock);
    document.removeEventListener("visibilitychange", this.#awake);
  }

  get #finished() {
    return this.#asked < 0;
  }

  /** Nobody has looked for a while, so nothing is known of now. */
  #wake() {
    if (Date.now() - this.#heard > 2 * PAUSE) this.#become("connecting");
    this.#look();
  }

  async #look() {
    clearTimeout(this.#timer);
    if (this.#finished || document.hidden) return;
    const turn = ++this.#asked;
    let found;
    try {
      found = await this.#api.get(this.#uuid, { signal: AbortSignal.timeout(PATIENCE) });
    } catch (error) {
      if (turn !== this.#asked) return; // a later one is on its way
      if (error.status === 401 || error.status === 404) return this.#gone();
      this.#become("lost");
    }
    if (turn !== this.#asked) return;
    if (found) this.#show(found);
    if (!this.#finished) this.#timer = setTimeout(() => this.#look(), PAUSE);
  }

  #show(row) {
    const ended = isOver(row) && this.#row !== null && !isOver(this.#row);
    this.#row = row;
    this.#heard = Date.now();
    this.#become(isOver(row) ? "over" : "live");
    this.#draw();
    if (ended) this.#tell.announce(`${row.title || row.type}: ${outcome(row)}`);
    if (isOver(row)) this.leave(); // nothing changes it any more
  }

  #draw() {
    const row = this.#row;
    if (!this.#detail.element.isConnected) this.element.append(this.#detail.element);
    this.#detail.show(row, [], false);
    const told = isOver(row) ? outcome(row) : percent(row);
    document.title = `${told ? `${told} · ` : ""}${row.title || row.type}`;
    const known = isOver(row) ? null : fraction(row);
    this.#bar.hidden = known === null;
    this.#bar.value = known ?? 0;
    this.#tell.progress(known);
  }

  #gone() {
    this.leave();
    this.#become("gone");
    document.title = "Headway";
    this.#tell.progress(null);
    this.element.replaceChildren(h("h1", { class: "unseen" }, "A shared activity"), h("p", { class: "notice", role: "status" }, "This link has expired or was revoked."));
  }

  #become(state) {
    if (this.#state.state === state) return;
    this.#state = { state, since: Date.now() };
    this.#tell.connected(this.#state);
  }
}
