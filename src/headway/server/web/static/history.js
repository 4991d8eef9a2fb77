// What has ended: a table, a page at a time.

import { chip } from "./detail.js";
import { h, scroller } from "./dom.js";
import { elapsed, moment } from "./format.js";

const STATES = ["", "succeeded", "failed", "cancelled", "lost"];

export class History {
  #page;
  #body = h("tbody");
  #more;
  #type;
  #state;
  #said = h("p", { class: "quiet", role: "status" });
  #next = null;
  #asked = 0;

  constructor(page) {
    this.#page = page;
    this.#type = h("input", { type: "search", placeholder: "Type", "aria-label": "Type", onchange: () => this.#narrow() });
    this.#state = h("select", { "aria-label": "State", onchange: () => this.#narrow() }, STATES.map((state) => h("option", { value: state }, state || "any state")));
    this.#more = h("button", { class: "plain", type: "button", onclick: () => this.#load() }, "More");
    const head = ["State", "Title", "Type", "Owner", "Ended", "Time"].map((name) => h("th", { scope: "col" }, name));
    this.element = h(
      "div",
      { class: "view" },
      h("h1", { class: "unseen" }, "History"),
      h("div", { class: "tools" }, this.#type, this.#state, h("button", { class: "plain", type: "button", onclick: () => this.#export() }, "Download CSV")),
      this.#said,
      scroller("What has ended, newest first", h("table", {}, h("thead", {}, h("tr", {}, head)), this.#body)),
      this.#more,
    );
  }

  go(_argument, query) {
    this.#type.value = query.get("type") ?? "";
    this.#state.value = query.get("state") ?? "";
    this.#body.replaceChildren();
    this.#rows = [];
    this.#next = null;
    this.#load();
  }

  #rows = [];

  #narrow() {
    const query = new URLSearchParams();
    if (this.#type.value.trim()) query.set("type", this.#type.value.trim());
    if (this.#state.value) query.set("state", this.#state.value);
    location.hash = `#/history${query.size ? `?${query}` : ""}`;
  }

  async #load() {
    const asked = ++this.#asked;
    this.#said.textContent = "Loading…";
    try {
      const query = { type: this.#type.value.trim(), state: this.#state.value, before: this.#next, limit: 100 };
      const { rows, next } = await this.#page.api.history(query);
      if (asked !== this.#asked) return;
      const now = Date.now() / 1000;
      this.#rows.push(...rows);
      this.#body.append(...rows.map((row) => line(row, now)));
      this.#next = next;
      this.#said.textContent = this.#rows.length ? "" : "Nothing has ended yet.";
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#said.textContent = error.message;
      if (error.status === 401) this.#page.leave();
    }
    this.#more.hidden = !this.#next;
  }

  #export() {
    const names = ["uuid", "type", "title", "state", "userID", "startedAt", "endedAt", "error"];
    const lines = [names, ...this.#rows.map((row) => names.map((name) => row[name] ?? ""))];
    const file = new Blob([lines.map((cells) => cells.map(quoted).join(",")).join("\r\n")], { type: "text/csv" });
    const link = h("a", { href: URL.createObjectURL(file), download: "headway-history.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}

function line(row, now) {
  const cells = [
    chip(row),
    [h("a", { href: `#/activity/${row.uuid}` }, row.title || row.type), row.error ? h("div", { class: "error" }, row.error) : ""],
    row.type,
    String(row.userID),
    row.endedAt === undefined ? "" : moment(row.endedAt, now),
    elapsed(row, now),
  ];
  return h("tr", {}, cells.map((cell) => h("td", {}, cell)));
}

/** A cell of CSV; one that a spreadsheet would take for a formula is made text. */
function quoted(value) {
  const text = /^[=+\-@\t\r]/.test(String(value)) && typeof value === "string" ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
