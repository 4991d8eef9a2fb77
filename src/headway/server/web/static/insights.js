// What the past tells: how long things take, how they end, and when they ran.

import { h, scroller } from "./dom.js";
import { distribution, duration, ends, fit, quantile, timeline, trend } from "./plots.js";
import { span } from "./format.js";

const PAGES = 4; // of 500 rows each
const HOURS = [1, 6, 24];
const [COLUMN, GAP] = [440, 16]; // pixels; app.css says so, too

export class Insights {
  #page;
  #rows = [];
  #type;
  #hours;
  #body = h("div", { class: "plots" });
  #said = h("p", { class: "quiet", role: "status" });

  constructor(page) {
    this.#page = page;
    this.#type = h("select", { "aria-label": "Type", onchange: () => this.#narrow() });
    this.#hours = h("select", { "aria-label": "Hours", onchange: () => this.#draw() }, HOURS.map((hours) => h("option", { value: hours, selected: hours === 6 }, `last ${hours} h`)));
    this.element = h("div", { class: "view" }, h("h1", { class: "unseen" }, "Insights"), h("div", { class: "tools" }, this.#type, this.#hours), this.#said, this.#body);
    let width = 0;
    new ResizeObserver(([{ contentRect }]) => {
      if (this.#rows.length && contentRect.width && contentRect.width !== width) this.#draw();
      width = contentRect.width;
    }).observe(this.#body);
  }

  async go(_argument, query) {
    this.#said.textContent = "Loading…";
    try {
      this.#rows = await this.#past();
    } catch (error) {
      this.#said.textContent = error.message;
      if (error.status === 401) this.#page.leave();
      return;
    }
    const types = [...new Set(this.#rows.map((row) => row.type))].sort();
    this.#type.replaceChildren(h("option", { value: "" }, "all types"), ...types.map((type) => h("option", { value: type }, type)));
    this.#type.value = types.includes(query.get("type")) ? query.get("type") : "";
    this.#draw();
  }

  async #past() {
    const rows = [];
    for (let page = 0, before = null; page < PAGES; page += 1) {
      const found = await this.#page.api.history({ limit: 500, before });
      rows.push(...found.rows);
      before = found.next;
      if (!before) break;
    }
    return rows;
  }

  #narrow() {
    history.replaceState(null, "", `#/insights${this.#type.value ? `?type=${encodeURIComponent(this.#type.value)}` : ""}`);
    this.#draw();
  }

  #draw() {
    const columns = this.#body.clientWidth >= 2 * COLUMN + GAP ? 2 : 1;
    fit((this.#body.clientWidth - GAP * (columns - 1)) / columns - 26);
    const rows = this.#type.value ? this.#rows.filter((row) => row.type === this.#type.value) : this.#rows;
    this.#said.textContent = rows.length ? `${rows.length} that have ended` : "Nothing has ended yet.";
    const plots = [
      ["How they end", ends(rows)],
      ["How long they take", distribution(rows)],
      ["How long they took, over time", trend(rows)],
      ["When they ran", timeline(rows, Number(this.#hours.value), Date.now() / 1000)],
    ];
    this.#body.replaceChildren(...plots.filter(([, plot]) => plot).map(([title, plot]) => figure(title, plot)), table(rows));
  }
}

function figure(title, plot) {
  const save = h("button", { class: "plain", type: "button", onclick: () => download(title, plot) }, "SVG");
  return h("figure", {}, h("figcaption", {}, title, save), plot);
}

/** The figures behind the pictures, for those who cannot see them, or want them exactly. */
function table(rows) {
  const types = [...new Set(rows.map((row) => row.type))].sort();
  const lines = types.map((type) => {
    const of = rows.filter((row) => row.type === type);
    const times = of.map(duration).filter((value) => value !== null).sort((a, b) => a - b);
    const share = (state) => `${Math.round((of.filter((row) => row.state === state).length / of.length) * 100)} %`;
    const cells = [of.length, ...[0.5, 0.95].map((part) => (times.length ? span(quantile(times, part)) : "")), share("succeeded"), share("failed"), share("cancelled"), share("lost")];
    return h("tr", {}, h("th", { scope: "row" }, type), cells.map((cell) => h("td", { class: "number" }, String(cell))));
  });
  const head = ["Type", "Runs", "Half within", "95 % within", "Succeeded", "Failed", "Cancelled", "Lost"];
  const columns = head.map((name, index) => h("th", { scope: "col", class: index ? "number" : null }, name));
  return scroller("Figures by type", h("table", {}, h("thead", {}, h("tr", {}, columns)), h("tbody", {}, lines)));
}

/** Save a picture as a file of its own, with the colours that it has here. */
function download(title, plot) {
  const copy = plot.cloneNode(true);
  const shown = [plot, ...plot.querySelectorAll("*")];
  for (const [index, element] of [copy, ...copy.querySelectorAll("*")].entries()) {
    const style = getComputedStyle(shown[index]);
    for (const name of ["fill", "stroke", "stroke-width", "font-family", "font-size"]) element.setAttribute(name, style.getPropertyValue(name));
  }
  const link = h("a", { href: URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" })), download: `${title.toLowerCase().replaceAll(/\W+/g, "-")}.svg` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
