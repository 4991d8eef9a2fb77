// What has ended: a table, a page at a time.

import { chip } from "./detail.js";
import { h, save, scroller } from "./dom.js";
import { elapsed, moment } from "./format.js";
import { Filter } from "./model.js";
import { HEAD, past, table } from "./past.js";

const STATES = ["", "succeeded", "failed", "cancelled", "lost"];
const PAGE = 100; // rows that are shown at least before somebody asks for more
const TYPING = 300; // milliseconds without a key after which a filter is meant

export class History {
  #page;
  #body = h("tbody");
  #more;
  #search;
  #state;
  #file;
  #said = h("p", { class: "quiet", role: "status" });
  #next = null;
  #asked = 0;
  #typing = 0;
  #shown = 0;
  #saving = null; // what stands for the file that is being made

  constructor(page) {
    this.#page = page;
    this.#search = h("input", {
      type: "search",
      placeholder: "Filter: words, type=…, owner=…, Context.key=…   ( / )",
      "aria-label": "Filter",
      oninput: () => {
        clearTimeout(this.#typing);
        this.#typing = setTimeout(() => this.#narrow(), TYPING);
      },
    });
    this.#state = h("select", { "aria-label": "State", onchange: () => this.#narrow() }, STATES.map((state) => h("option", { value: state }, state || "any state")));
    this.#file = h("button", { class: "plain", type: "button", onclick: () => (this.#saving ? this.#stop() : this.#export()) }, "Download CSV");
    this.#more = h("button", { class: "plain", type: "button", onclick: () => this.#load() }, "More");
    const head = ["State", "Title", "Type", "Owner", "Ended", "Time"].map((name) => h("th", { scope: "col" }, name));
    this.element = h(
      "div",
      { class: "view" },
      h("h1", { class: "unseen" }, "History"),
      h("div", { class: "tools" }, this.#search, this.#state, this.#file),
      this.#said,
      scroller("What has ended, newest first", h("table", { class: "history" }, h("thead", {}, h("tr", {}, head)), this.#body)),
      this.#more,
    );
    this.#keys = (event) => this.#key(event);
    addEventListener("keydown", this.#keys);
  }

  #keys;

  leave() {
    removeEventListener("keydown", this.#keys);
    clearTimeout(this.#typing);
    this.#asked += 1;
    this.#saving = null;
  }

  go(_argument, query) {
    if (document.activeElement !== this.#search) this.#search.value = query.get("q") ?? "";
    this.#state.value = query.get("state") ?? "";
    this.#begin();
  }

  get #filter() {
    return new Filter(`${this.#search.value} ${this.#state.value ? `state=${this.#state.value}` : ""}`, this.#page.names);
  }

  #narrow() {
    const query = new URLSearchParams();
    if (this.#search.value.trim()) query.set("q", this.#search.value.trim());
    if (this.#state.value) query.set("state", this.#state.value);
    history.replaceState(null, "", `#/history${query.size ? `?${query}` : ""}`);
    this.#begin();
  }

  #begin() {
    this.#body.replaceChildren();
    this.#shown = 0;
    this.#next = null;
    this.#load();
  }

  /** As many more as there are to a page; where a filter admits few of what the server gives, it is asked again. */
  async #load() {
    const asked = ++this.#asked;
    const filter = this.#filter;
    let [added, looked] = [0, 0];
    this.#more.hidden = true;
    this.#said.textContent = "Loading…";
    try {
      await this.#page.names.learn();
      for await (const page of past(this.#page.api, filter, { before: this.#next, limit: PAGE })) {
        if (asked !== this.#asked) return;
        const now = Date.now() / 1000;
        this.#body.append(...page.rows.map((row) => line(row, now, this.#page.names)));
        this.#next = page.next;
        added += page.rows.length;
        looked += page.looked;
        if (added >= PAGE) break;
        this.#said.textContent = `Looking further back: ${looked} so far…`;
      }
      this.#shown += added;
      this.#said.textContent = this.#shown ? "" : filter.text ? "Nothing here matches the filter." : "Nothing has ended yet.";
    } catch (error) {
      if (asked === this.#asked) this.#trouble(error);
    }
    if (asked === this.#asked) this.#more.hidden = !this.#next;
  }

  /** All that the filter admits, as far back as the server remembers, not only what is shown. */
  async #export() {
    const filter = this.#filter;
    const parts = [HEAD];
    const mine = (this.#saving = {});
    let many = 0;
    this.#file.textContent = "Stop";
    try {
      for await (const page of past(this.#page.api, filter)) {
        if (mine !== this.#saving) return;
        parts.push(table(page.rows));
        many += page.rows.length;
        this.#said.textContent = `Reading: ${many} so far…`;
      }
      save("headway-history.csv", "text/csv", parts);
      this.#stop(`${many} saved.`);
    } catch (error) {
      this.#stop();
      this.#trouble(error);
    }
  }

  #stop(said = "Stopped: nothing was saved.") {
    this.#saving = null;
    this.#file.textContent = "Download CSV";
    this.#said.textContent = said;
  }

  #trouble(error) {
    this.#said.textContent = error.message;
    if (error.status === 401) this.#page.leave();
  }

  #key(event) {
    if (this.element.hidden || event.target.closest?.("input, textarea, select, dialog")) return;
    if (event.key !== "/") return;
    this.#search.focus();
    event.preventDefault();
  }
}

function line(row, now, names) {
  const cells = [
    chip(row),
    [h("a", { href: `#/activity/${row.uuid}` }, row.title || row.type), h("div", { class: "quiet narrow" }, `${row.type} · ${elapsed(row, now)}`), row.error ? h("div", { class: "error" }, row.error) : ""],
    row.type,
    names.of(row.userID),
    row.endedAt === undefined ? "" : moment(row.endedAt, now),
    elapsed(row, now),
  ];
  return h("tr", {}, cells.map((cell) => h("td", {}, cell)));
}
