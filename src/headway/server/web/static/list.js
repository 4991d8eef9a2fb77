// <headway-activities src="…" filter="Context.librarySectionID=3">: the live list of a server's activities.
//
// Rows have one height, so that only those in sight are in the page, however many there are. They are in order of start
// and stay where they are: nothing is sorted by what changes, and nothing leaves while somebody points at the list. What
// comes in above the row under the pointer scrolls the list by as much.
// A frame is painted when something has changed, and never more than one at a time.
//
// Attributes: src (the server; by default the one this file came from), filter (see model.js), role-name (the user's
// role). Events: `select` (detail: row), `cancel-request` (detail: rows; unless it is prevented, the element asks and
// cancels by itself), `change` (what is counted may be another), `connection` (detail: {state, since}), `ended` (detail:
// row), `announce` (detail: text for a screen reader).

import { Api, HERE } from "./api.js";
import { cancelRows } from "./cancelling.js";
import { Backlog, Filter, Model } from "./model.js";
import { Numbers } from "./names.js";
import { RowView, HEIGHT } from "./row.js";
import { SharedStream } from "./sharing.js";
import { whyNot } from "./states.js";

const STYLE = new URL("list.css", import.meta.url).href;
const MARGIN = 6; // rows above and below those in sight
const RESTING = 60_000; // milliseconds after which a pointer that does not move points at nothing

export class HeadwayActivities extends HTMLElement {
  static observedAttributes = ["src", "filter"];

  model = new Model();
  /** Who the owners are; a page that knows their names puts them here. */
  names = new Numbers();
  #stream = null;
  #views = new Map();
  #free = [];
  #lines = [];
  #frame = 0;
  #clock = 0;
  #active = null;
  #pointer = null;
  #paused = null;
  #heard = false;
  #body;
  #space;
  #empty;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = STYLE;
    this.#body = element("div", { class: "list", role: "treegrid", tabindex: "0", "aria-label": "Activities" });
    this.#space = element("div", { class: "space", role: "rowgroup" });
    this.#empty = element("p", { class: "empty" });
    this.#body.append(this.#space);
    root.append(style, this.#body, this.#empty);
    this.#body.addEventListener("scroll", () => this.paint(), { passive: true });
    this.#body.addEventListener("keydown", (event) => this.#key(event));
    this.#body.addEventListener("pointermove", (event) => this.#pointing(event), { passive: true });
    this.#body.addEventListener("pointerleave", () => {
      this.#pointer = null;
      this.#changed();
    });
    this.#body.addEventListener("focus", () => this.#focused());
    this.#body.addEventListener("click", (event) => this.#clicked(event));
  }

  connectedCallback() {
    this.api = new Api(this.getAttribute("src") ?? HERE);
    this.model.filter = new Filter(this.getAttribute("filter") ?? "", this.names);
    this.#connect();
    this.#clock = setInterval(() => this.#tick(), 1_000);
    this.#resized = new ResizeObserver(() => this.paint());
    this.#resized.observe(this.#body);
  }

  disconnectedCallback() {
    this.#stream?.close();
    this.#stream = null;
    clearInterval(this.#clock);
    cancelAnimationFrame(this.#frame);
    this.#resized?.disconnect();
  }

  attributeChangedCallback(name, before, value) {
    if (!this.#stream || before === value) return; // connectedCallback reads them all
    if (name === "filter") {
      this.model.filter = new Filter(value ?? "", this.names);
      this.#changed({ asked: true });
    } else {
      this.disconnectedCallback();
      this.model = new Model();
      this.#heard = false;
      this.#changed({ asked: true });
      this.connectedCallback();
    }
  }

  #resized = null;

  /** True while nothing moves, because somebody wants to look. What happens meanwhile is shown afterwards. */
  get paused() {
    return this.#paused !== null;
  }

  set paused(value) {
    if (value === this.paused) return;
    const gathered = this.#paused?.details() ?? [];
    this.#paused = value ? new Backlog() : null;
    for (const detail of gathered) this.model.apply(detail, Date.now());
    this.#changed({ asked: true });
  }

  /** What the filter shows, may be cancelled by this user, and has not been asked to stop. */
  get cancellable() {
    const rows = [...this.model.rows.values()].filter((row) => this.model.filter.admits(row) && row.state !== "cancelling");
    return rows.filter((row) => whyNot(row, this.getAttribute("role-name")) === "");
  }

  /** The keyboard goes to the list. */
  focus(options) {
    this.#body.focus(options);
  }

  /** Paint before the next frame. */
  paint() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #connect() {
    this.#stream = new SharedStream(this.api);
    this.#stream.addEventListener("notification", (event) => this.#take(event.detail));
    this.#stream.addEventListener("connection", (event) => this.#emit("connection", event.detail));
    this.#stream.open();
  }

  #take(detail) {
    this.#heard = true;
    if (this.#paused !== null) {
      this.#paused.take(detail, (uuid) => this.model.rows.has(uuid));
      return;
    }
    this.model.apply(detail, Date.now());
    this.#changed();
  }

  /** `asked`: by whoever looks at the list, who then does not mind that it moves. */
  #changed({ asked = false } = {}) {
    this.#stale = true;
    this.#asked ||= asked;
    this.paint();
  }

  #stale = true;
  #asked = false;

  get #pointed() {
    return this.#pointer !== null && Date.now() - this.#pointer.at < RESTING;
  }

  #pointing(event) {
    this.#pointer = { y: event.clientY - this.#body.getBoundingClientRect().top, at: Date.now() };
  }

  #shown() {
    return new Set(this.#lines.map((line) => line.row.uuid));
  }

  #tick() {
    const held = this.#pointed ? this.#shown() : new Set();
    if (this.#active && this.shadowRoot.activeElement) held.add(this.#active);
    if (!this.paused && this.model.age(Date.now(), held)) this.#stale = true;
    this.paint(); // clocks run
  }

  #paint() {
    // Asked before anything is changed: afterwards the browser would have to lay the page out for the answer.
    let { scrollTop: top, clientHeight: height } = this.#body;
    if (this.#stale) {
      this.#stale = false;
      if (this.#arrange(top, height)) ({ scrollTop: top, clientHeight: height } = this.#body);
      this.#say();
      this.#emit("change");
    }
    const now = Date.now() / 1000;
    const first = Math.max(0, Math.floor(top / HEIGHT) - MARGIN);
    const last = Math.min(this.#lines.length, Math.ceil((top + height) / HEIGHT) + MARGIN);
    const seen = new Set();
    for (let index = first; index < last; index += 1) seen.add(this.#lines[index].row.uuid);
    this.#recycle(seen);
    const several = new Set([...this.model.rows.values()].map((row) => row.userID)).size > 1;
    const role = this.getAttribute("role-name");
    // From the last to the first, so that new ones are put before the one that follows: in the order they are read in.
    for (let index = last - 1, next = null; index >= first; index -= 1) {
      const view = this.#view(this.#lines[index].row.uuid, next);
      view.show(this.#lines[index], { index, now, names: several ? this.names : null, role, active: this.#active });
      next = view.element;
    }
    if (seen.has(this.#active)) this.#body.setAttribute("aria-activedescendant", `row-${this.#active}`);
    else this.#body.removeAttribute("aria-activedescendant");
    this.#empty.hidden = this.#lines.length > 0;
    const nothing = this.model.rows.size ? "Nothing here matches the filter." : "Nothing is running.";
    this.#empty.textContent = this.#heard ? nothing : "Loading…";
  }

  /**
   * Put the lines in order; what is under the pointer stays there, unless whoever looks has asked for a change. `at`,
   * `room`: where the list is scrolled to, and what is seen of it. True when that may be another now.
   */
  #arrange(at, room) {
    const still = this.#pointed && !this.#asked;
    this.#asked = false;
    const under = still ? Math.floor((at + this.#pointer.y) / HEIGHT) : -1;
    const uuid = this.#lines[under]?.row.uuid;
    this.#lines = this.model.lines(still ? this.#shown() : undefined);
    const index = uuid === undefined ? -1 : this.#lines.findIndex((line) => line.row.uuid === uuid);
    const moved = index < 0 ? 0 : index - under;
    const top = at + moved * HEIGHT;
    const height = `${Math.max(this.#lines.length * HEIGHT, still ? top + room : 0)}px`;
    this.#body.setAttribute("aria-rowcount", String(this.#lines.length));
    if (!moved && this.#space.style.height === height) return false;
    this.#space.style.height = height;
    if (moved) this.#body.scrollTop = top;
    return true;
  }

  #view(uuid, next) {
    let view = this.#views.get(uuid);
    if (!view) {
      view = this.#free.pop() ?? new RowView();
      this.#views.set(uuid, view);
      this.#space.insertBefore(view.element, next);
    }
    return view;
  }

  #recycle(seen) {
    for (const [uuid, view] of this.#views) {
      if (seen.has(uuid)) continue;
      this.#views.delete(uuid);
      view.element.remove();
      if (this.#free.length < 64) this.#free.push(view);
    }
  }

  #say() {
    for (const row of this.model.ends()) this.#emit("ended", row);
    const said = this.model.announcements();
    if (said.length) this.#emit("announce", said.length > 3 ? `${said.length} changes` : said.join(". "));
  }

  #emit(name, detail) {
    return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, cancelable: true }));
  }

  #clicked(event) {
    const at = event.target.closest("[data-uuid]");
    const row = at && this.model.rows.get(at.dataset.uuid);
    if (!row) return;
    const act = event.target.closest("[data-act]")?.dataset.act;
    this.#active = row.uuid;
    if (act === "toggle") this.#toggle(row.uuid);
    else if (act === "cancel") this.#ask(row);
    else this.#emit("select", row);
    this.paint();
  }

  #toggle(uuid) {
    if (!this.model.collapsed.delete(uuid)) this.model.collapsed.add(uuid);
    this.#changed({ asked: true });
  }

  #ask(row) {
    const why = whyNot(row, this.getAttribute("role-name"));
    if (why) this.#emit("announce", why);
    else if (this.#emit("cancel-request", [row])) cancelRows(this.api, [row]);
  }

  /** By the keyboard: a press of the pointer must not scroll what it presses on. */
  #focused() {
    if (this.#body.matches(":focus-visible")) this.#focus(this.model.rows.has(this.#active) ? this.#active : this.#lines[0]?.row.uuid);
  }

  #focus(uuid) {
    const index = this.#lines.findIndex((line) => line.row.uuid === uuid);
    if (index < 0) return;
    this.#active = uuid;
    const top = index * HEIGHT;
    if (top < this.#body.scrollTop) this.#body.scrollTop = top;
    const bottom = top + HEIGHT - this.#body.clientHeight;
    if (bottom > this.#body.scrollTop) this.#body.scrollTop = bottom;
    this.#paint();
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's own
    const index = this.#lines.findIndex((line) => line.row.uuid === this.#active);
    const line = this.#lines[index];
    const page = Math.max(1, Math.floor(this.#body.clientHeight / HEIGHT) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -this.#lines.length, End: this.#lines.length };
    if (event.key in moves) {
      const to = Math.min(this.#lines.length - 1, Math.max(0, index + moves[event.key]));
      this.#focus(this.#lines[to]?.row.uuid);
    } else if (!line) {
      return;
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight" || event.key === " ") {
      const open = event.key === " " ? !line.expanded : event.key === "ArrowRight";
      if (line.children && open !== line.expanded) this.#toggle(line.row.uuid);
      else if (event.key === "ArrowLeft" && line.row.parentUUID) this.#focus(line.row.parentUUID);
    } else if (event.key === "Enter") {
      this.#emit("select", line.row);
    } else if (event.key === "Delete" || event.key === "c") {
      this.#ask(line.row);
    } else {
      return;
    }
    event.preventDefault();
  }
}

function element(name, attributes) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

customElements.define("headway-activities", HeadwayActivities);
