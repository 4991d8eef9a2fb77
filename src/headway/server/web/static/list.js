// <headway-activities src="…" filter="Context.librarySectionID=3">: the live list of a server's activities.
//
// Rows have one height, so that only those in sight are in the page, however many there are. They are in order of start
// and stay where they are: nothing is sorted by what changes, and nothing leaves while somebody points at the list.
// A frame is painted when something has changed, and never more than one at a time.
//
// Attributes: src (the server; by default the one this file came from), filter (see model.js), role-name (the user's
// role). Events: `select` (detail: row), `cancel-request` (detail: rows), `change` (what is counted may be another),
// `connection` (detail: {state, since}), `ended` (detail: row), `announce` (detail: text for a screen reader).

import { Api, HERE } from "./api.js";
import { Filter, Model } from "./model.js";
import { RowView, HEIGHT } from "./row.js";
import { SharedStream } from "./sharing.js";
import { whyNot } from "./states.js";

const STYLE = new URL("list.css", import.meta.url).href;
const MARGIN = 6; // rows above and below those in sight

export class HeadwayActivities extends HTMLElement {
  static observedAttributes = ["src", "filter"];

  model = new Model();
  #stream = null;
  #views = new Map();
  #free = [];
  #lines = [];
  #frame = 0;
  #clock = 0;
  #active = null;
  #pointed = false;
  #paused = null;
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
    this.#body.addEventListener("pointerenter", () => (this.#pointed = true));
    this.#body.addEventListener("pointerleave", () => (this.#pointed = false));
    this.#body.addEventListener("focus", () => this.#focus(this.#active ?? this.#lines[0]?.row.uuid));
    this.#body.addEventListener("click", (event) => this.#clicked(event));
  }

  connectedCallback() {
    this.api = new Api(this.getAttribute("src") ?? HERE);
    this.model.filter = new Filter(this.getAttribute("filter") ?? "");
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
    this.#resized.disconnect();
  }

  attributeChangedCallback(name, before, value) {
    if (!this.isConnected || before === value) return;
    if (name === "filter") {
      this.model.filter = new Filter(value ?? "");
      this.#changed();
    } else {
      this.#stream?.close();
      this.model = new Model();
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
    const gathered = this.#paused ?? [];
    this.#paused = value ? [] : null;
    if (!value) {
      for (const detail of gathered) this.model.apply(detail, Date.now());
      this.#changed();
    }
  }

  /** What the filter shows and may be cancelled by this user. */
  get cancellable() {
    const rows = [...this.model.rows.values()].filter((row) => this.model.filter.admits(row));
    return rows.filter((row) => whyNot(row, this.getAttribute("role-name")) === "");
  }

  /** Note something about an activity that the stream has not told yet. */
  note(row) {
    if (this.model.rows.has(row.uuid)) this.model.rows.set(row.uuid, row);
    this.#changed();
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
    if (this.#paused !== null) {
      // A snapshot says all that was said before it.
      if (detail.type === "snapshot") this.#paused.length = 0;
      this.#paused.push(detail);
      return;
    }
    this.model.apply(detail, Date.now());
    this.#changed();
  }

  #changed() {
    this.#stale = true;
    this.paint();
  }

  #stale = true;

  #tick() {
    const held = new Set(this.#pointed ? this.#views.keys() : []);
    if (this.#active && this.shadowRoot.activeElement) held.add(this.#active);
    if (!this.paused && this.model.age(Date.now(), held)) this.#stale = true;
    this.paint(); // clocks run
  }

  #paint() {
    if (this.#stale) {
      this.#stale = false;
      this.#lines = this.model.lines();
      this.#space.style.height = `${this.#lines.length * HEIGHT}px`;
      this.#body.setAttribute("aria-rowcount", String(this.#lines.length));
      this.#say();
      this.#emit("change");
    }
    const now = Date.now() / 1000;
    const first = Math.max(0, Math.floor(this.#body.scrollTop / HEIGHT) - MARGIN);
    const last = Math.min(this.#lines.length, Math.ceil((this.#body.scrollTop + this.#body.clientHeight) / HEIGHT) + MARGIN);
    const seen = new Set();
    for (let index = first; index < last; index += 1) seen.add(this.#lines[index].row.uuid);
    this.#recycle(seen);
    const several = new Set([...this.model.rows.values()].map((row) => row.userID)).size > 1;
    const role = this.getAttribute("role-name");
    for (let index = first; index < last; index += 1) {
      this.#view(this.#lines[index].row.uuid).show(this.#lines[index], { index, now, several, role, active: this.#active });
    }
    this.#empty.hidden = this.#lines.length > 0;
    this.#empty.textContent = this.model.rows.size ? "Nothing here matches the filter." : "Nothing is running.";
  }

  #view(uuid) {
    let view = this.#views.get(uuid);
    if (!view) {
      view = this.#free.pop() ?? new RowView();
      this.#views.set(uuid, view);
      this.#space.append(view.element);
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
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
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
    this.#changed();
  }

  #ask(row) {
    if (whyNot(row, this.getAttribute("role-name")) === "") this.#emit("cancel-request", [row]);
  }

  #focus(uuid) {
    const index = this.#lines.findIndex((line) => line.row.uuid === uuid);
    if (index < 0) return;
    this.#active = uuid;
    const top = index * HEIGHT;
    if (top < this.#body.scrollTop) this.#body.scrollTop = top;
    const bottom = top + HEIGHT - this.#body.clientHeight;
    if (bottom > this.#body.scrollTop) this.#body.scrollTop = bottom;
    this.#body.setAttribute("aria-activedescendant", `row-${uuid}`);
    this.#paint();
  }

  #key(event) {
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
