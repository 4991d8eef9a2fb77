// What is running, live.

import "./list.js";
import { cancelRows } from "./cancelling.js";
import { Detail } from "./detail.js";
import { h } from "./dom.js";
import { mayShare, share } from "./share.js";
import { isOver, outcome } from "./states.js";

export class Now {
  #page;
  #list;
  #search;
  #said;
  #bulk;
  #pause;
  #pane;
  #detail = null;
  #open = null;
  #fetched = null;

  constructor(page) {
    this.#page = page;
    this.#list = h("headway-activities", { src: page.api.base, "role-name": page.user.role });
    this.#list.names = page.names;
    this.#search = h("input", {
      type: "search",
      placeholder: "Filter: words, type=…, state=…, owner=…, Context.key=…   ( / )",
      "aria-label": "Filter",
      oninput: () => this.#filter(this.#search.value),
    });
    this.#said = h("span", { class: "said" });
    this.#pause = h("button", { class: "plain", type: "button", "aria-pressed": "false", onclick: () => this.#toggle() }, "Pause");
    this.#bulk = h("button", { class: "plain", type: "button", onclick: () => this.#cancel(this.#list.cancellable) }, "Stop…");
    this.#pane = h("div", { class: "pane" }, this.#list);
    this.element = h("div", { class: "view now" }, h("h1", { class: "unseen" }, "What is running"), h("div", { class: "tools" }, this.#search, this.#pause, this.#bulk, this.#said), this.#pane);
    this.#list.addEventListener("select", (event) => (location.hash = `#/activity/${event.detail.uuid}${this.#query()}`));
    this.#list.addEventListener("cancel-request", (event) => {
      event.preventDefault();
      this.#cancel(event.detail);
    });
    this.#list.addEventListener("connection", (event) => {
      page.connected(event.detail);
      if (event.detail.state === "live") this.#refetch();
    });
    this.#list.addEventListener("announce", (event) => page.announce(event.detail));
    this.#list.addEventListener("ended", (event) => this.#ended(event.detail));
    this.#list.addEventListener("change", () => this.#changed());
    this.#clock = setInterval(() => this.#open && !this.element.hidden && this.#showDetail(), 1_000);
    this.#keys = (event) => this.#key(event);
    addEventListener("keydown", this.#keys);
  }

  #keys;
  #clock;
  #followed = new Set();

  leave() {
    removeEventListener("keydown", this.#keys);
    clearInterval(this.#clock);
  }

  /** Show an activity's details, or none; `query`: the filter, which is kept in the address. */
  go(uuid, query) {
    const filter = query.get("q") ?? "";
    const inside = this.#detail?.element.contains(document.activeElement);
    if (document.activeElement !== this.#search) this.#search.value = filter;
    this.#list.setAttribute("filter", filter);
    this.#open = uuid || null;
    this.#fetched = null;
    if (uuid && !this.#list.model.rows.has(uuid)) this.#fetch(uuid);
    this.#changed();
    this.#list.paint();
    if (inside && !uuid) this.#list.focus(); // where one was before the details were opened
  }

  #query() {
    const text = this.#search.value.trim();
    return text ? `?q=${encodeURIComponent(text)}` : "";
  }

  #filter(text) {
    this.#list.setAttribute("filter", text);
    const path = this.#open ? `#/activity/${this.#open}` : "#/";
    history.replaceState(null, "", `${path}${this.#query()}`);
  }

  #toggle() {
    this.#list.paused = !this.#list.paused;
    this.#pause.setAttribute("aria-pressed", String(this.#list.paused));
    this.#pause.textContent = this.#list.paused ? "Paused" : "Pause";
  }

  #changed() {
    const { live, shown } = this.#list.model.counts();
    this.#said.textContent = live === shown ? `${live} running` : `${shown} of ${live} running`;
    const stoppable = this.#list.isConnected ? this.#list.cancellable.length : 0;
    this.#bulk.textContent = stoppable ? `Stop ${stoppable}…` : "Stop…";
    this.#bulk.disabled = stoppable === 0;
    this.#page.counted({ live, progress: this.#list.model.progress() });
    this.#showDetail();
  }

  #showDetail() {
    const listed = this.#list.model.rows.get(this.#open);
    const row = listed?.gone && this.#fetched ? this.#fetched : (listed ?? this.#fetched);
    this.#pane.classList.toggle("open", Boolean(row));
    if (!row) {
      this.#detail?.element.remove();
      return;
    }
    this.#fetched = row; // it stays, when the list lets it go
    const close = () => (location.hash = `#/${this.#query()}`);
    const follow = (uuid) => this.#follow(uuid);
    const sharing = mayShare(this.#page.user) ? (each) => share(this.#page.api, each) : null;
    this.#detail ??= new Detail({ cancel: (each) => this.#cancel([each]), close, follow, share: sharing }, { role: this.#page.user.role, api: this.#page.api, names: this.#page.names });
    if (!this.#detail.element.isConnected) this.#pane.append(this.#detail.element);
    const parts = [...this.#list.model.rows.values()].filter((each) => each.parentUUID === row.uuid);
    this.#detail.show(row, parts, this.#followed.has(row.uuid));
  }

  /** Tell, by the browser, when it has ended; or do not after all. */
  async #follow(uuid) {
    if (this.#followed.delete(uuid)) return this.#showDetail();
    if ((await Notification.requestPermission()) === "granted") this.#followed.add(uuid);
    else this.#page.announce("This browser does not allow notifications here.");
    this.#showDetail();
  }

  /** What was asked for before the stream began may have ended in between: then the stream does not tell of it. */
  #refetch() {
    if (this.#open && this.#fetched && !isOver(this.#fetched) && !this.#list.model.rows.has(this.#open)) this.#fetch(this.#open);
  }

  #ended(row) {
    if (row.gone && row.uuid === this.#open) this.#fetch(row.uuid); // the stream could not say how
    if (!this.#followed.delete(row.uuid)) return;
    const told = new Notification(row.title || row.type, { body: row.error ? `${outcome(row)}: ${row.error}` : outcome(row), tag: row.uuid });
    told.onclick = () => {
      focus();
      location.hash = `#/activity/${row.uuid}`;
    };
  }

  async #fetch(uuid) {
    try {
      const row = await this.#page.api.get(uuid);
      if (this.#open === uuid) this.#fetched = row;
    } catch (error) {
      this.#page.announce(error.message);
      if (this.#open === uuid && error.status === 404) this.#fetched = { uuid, type: "", title: "There is no such activity", progress: -1, gone: true };
    }
    this.#showDetail();
  }

  #cancel(rows) {
    if (rows.length) cancelRows(this.#page.api, rows, { admin: this.#page.user.role === "admin" });
  }

  #key(event) {
    if (this.element.hidden) return;
    const typing = event.target.closest?.("input, textarea, select, dialog");
    if (event.key === "/" && !typing) {
      this.#search.focus();
      event.preventDefault();
    } else if (event.key === "p" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      this.#toggle();
    } else if (event.key === "Escape" && event.target === this.#search) {
      this.#search.value = "";
      this.#filter("");
    } else if (event.key === "Escape" && !typing && this.#open) {
      location.hash = `#/${this.#query()}`;
    }
  }
}
