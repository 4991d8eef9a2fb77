// What the past tells: how long things take, how they end, and when they ran.

import { csv } from "./csv.js";
import { h, save, scroller } from "./dom.js";
import { fit, s } from "./drawing.js";
import { span } from "./format.js";
import { Filter } from "./model.js";
import { past } from "./past.js";
import { distribution, durations, ends, quantile, trend } from "./plots.js";
import { timeline } from "./timeline.js";

const PERIODS = { 1: "last hour", 6: "last 6 hours", 24: "last 24 hours", 168: "last 7 days" };
const USUAL = "6";
const MOST = 20_000; // rows that are read
const [COLUMN, GAP, FRAME] = [440, 16, 26]; // pixels; app.css has the gap and the frame
const COPIED = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size"];

export class Insights {
  #page;
  #rows = [];
  #live = [];
  #since = 0;
  #now = 0;
  #capped = false;
  #turn = 0;
  #type;
  #hours;
  #body = h("div", { class: "plots" });
  #said = h("p", { class: "quiet", role: "status" });

  constructor(page) {
    this.#page = page;
    this.#type = h("select", { "aria-label": "Type", onchange: () => (this.#keep(), this.#draw()) });
    this.#hours = h("select", { "aria-label": "Period", onchange: () => (this.#keep(), this.#load(this.#type.value)) }, Object.entries(PERIODS).map(([hours, text]) => h("option", { value: hours }, text)));
    this.element = h("div", { class: "view" }, h("h1", { class: "unseen" }, "Insights"), h("div", { class: "tools" }, this.#hours, this.#type), this.#said, this.#body);
    let width = 0;
    new ResizeObserver(([{ contentRect }]) => {
      if (this.#now && contentRect.width && contentRect.width !== width) this.#draw();
      width = contentRect.width;
    }).observe(this.#body);
  }

  leave() {
    this.#turn += 1;
  }

  async go(_argument, query) {
    const hours = query.get("hours");
    this.#hours.value = Object.hasOwn(PERIODS, hours) ? hours : USUAL;
    await this.#load(query.get("type") ?? "");
  }

  /** Read what the period holds, and then draw it. */
  async #load(type) {
    const turn = ++this.#turn;
    this.#said.textContent = "Loading…";
    try {
      const found = await this.#past(() => turn !== this.#turn);
      const live = await this.#page.api.list();
      if (turn !== this.#turn) return;
      [this.#rows, this.#capped, this.#live] = [found.rows, found.capped, live];
      [this.#since, this.#now] = [found.since, found.now];
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#said.textContent = error.message;
      if (error.status === 401) this.#page.leave();
      return;
    }
    const types = [...new Set([...this.#rows, ...this.#live].map((row) => row.type))].sort();
    this.#type.replaceChildren(h("option", { value: "" }, "all types"), ...types.map((each) => h("option", { value: each }, each)));
    this.#type.value = types.includes(type) ? type : "";
    this.#draw();
  }

  async #past(outdated) {
    const now = Date.now() / 1000;
    const since = now - Number(this.#hours.value) * 3600;
    const rows = [];
    for await (const page of past(this.#page.api, new Filter())) {
      rows.push(...page.rows.filter((row) => row.endedAt >= since));
      if (outdated() || this.element.hidden || page.rows.at(-1)?.endedAt < since) break;
      if (rows.length >= MOST && page.next) return { rows, since, now, capped: true };
      this.#said.textContent = `Loading: ${rows.length} so far…`;
    }
    return { rows, since, now, capped: false };
  }

  /** Keep in the address what has been chosen. */
  #keep() {
    const query = new URLSearchParams();
    if (this.#hours.value !== USUAL) query.set("hours", this.#hours.value);
    if (this.#type.value) query.set("type", this.#type.value);
    history.replaceState(null, "", `#/insights${query.size ? `?${query}` : ""}`);
  }

  #draw() {
    const room = this.#body.clientWidth;
    const columns = room >= 2 * COLUMN + GAP ? 2 : 1;
    const of = (rows) => (this.#type.value ? rows.filter((row) => row.type === this.#type.value) : rows);
    const [rows, live] = [of(this.#rows), of(this.#live)];
    this.#said.textContent = this.#sentence(rows, live);
    this.#body.dataset.columns = columns;
    fit(room - FRAME);
    const [ended, ran] = [ends(rows), timeline([...live, ...rows], this.#since, this.#now)];
    fit((room - GAP * (columns - 1)) / columns - FRAME);
    const plots = [
      ["How they end", ended, { wide: true }],
      ["How long they take", distribution(rows)],
      ["How long they took, over time", trend(rows, this.#since, this.#now)],
      ["When they ran", ran, { wide: true, note: ran?.left ? `What runs, and what began last; ${ran.left} more are in the CSV.` : "" }],
    ];
    this.#body.replaceChildren(...plots.filter(([, plot]) => plot).map((plot) => figure(...plot)), rows.length ? figures(rows) : "");
  }

  #sentence(rows, live) {
    const period = PERIODS[this.#hours.value];
    if (!rows.length && !live.length) return `Nothing has ended in the ${period}.`;
    const told = `${rows.length} that have ended in the ${period}${live.length ? `, ${live.length} running` : ""}`;
    if (!this.#capped) return told;
    const back = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(this.#rows.at(-1).endedAt * 1000);
    return `${told}. Only the newest ${this.#rows.length} were read: they go back to ${back}, and all figures are of these.`;
  }
}

/** A plot with its title, what is pointed at in words, and both as files. */
function figure(title, { picture, cells }, { wide = false, note = "" } = {}) {
  const name = title.toLowerCase().replaceAll(/\W+/g, "-");
  const told = h("p", { class: "quiet told" }, note);
  const tell = (event) => {
    const at = event.target.closest("[data-tells]");
    told.textContent = at ? at.dataset.tells : note;
  };
  for (const kind of ["pointerover", "focusin"]) picture.addEventListener(kind, tell);
  for (const kind of ["pointerleave", "focusout"]) picture.addEventListener(kind, () => (told.textContent = note));
  const buttons = h(
    "span",
    { class: "files" },
    h("button", { class: "plain", type: "button", "aria-label": `${title}: save as SVG`, onclick: () => save(`${name}.svg`, "image/svg+xml", [drawing(title, picture)]) }, "SVG"),
    h("button", { class: "plain", type: "button", "aria-label": `${title}: save as CSV`, onclick: () => save(`${name}.csv`, "text/csv", [csv(cells)]) }, "CSV"),
  );
  return h("figure", { class: wide ? "wide" : null }, h("figcaption", {}, title, buttons), picture, told);
}

/** A picture as a file of its own, with the colours that it has here; what is told of a part is its title there. */
function drawing(title, picture) {
  const copy = picture.cloneNode(true);
  const shown = [picture, ...picture.querySelectorAll("*")];
  for (const [index, element] of [copy, ...copy.querySelectorAll("*")].entries()) {
    const style = getComputedStyle(shown[index]);
    for (const name of COPIED) element.setAttribute(name, style.getPropertyValue(name));
    for (const name of ["href", "tabindex"]) element.removeAttribute(name);
    if (element.dataset.tells) element.append(s("title", {}, element.dataset.tells));
  }
  const ground = getComputedStyle(picture.closest("figure")).backgroundColor;
  copy.prepend(s("title", {}, title), s("rect", { width: "100%", height: "100%", fill: ground }));
  return new XMLSerializer().serializeToString(copy);
}

/** The figures behind the pictures, for those who cannot see them, or want them exactly. */
function figures(rows) {
  const types = Map.groupBy(rows, (row) => row.type);
  const lines = [...types.keys()].sort().map((type) => [type, types.get(type)]);
  if (lines.length > 1) lines.push(["all types", rows]);
  const head = ["Type", "Runs", "Half within", "95 % within", "Succeeded", "Failed", "Cancelled", "Lost"];
  const columns = head.map((name, index) => h("th", { scope: "col", class: index ? "number" : null }, name));
  const body = lines.map(([type, of]) => h("tr", {}, h("th", { scope: "row" }, type), told(of).map((cell) => h("td", { class: "number" }, cell))));
  return scroller("Figures by type", h("table", {}, h("thead", {}, h("tr", {}, columns)), h("tbody", {}, body)));
}

function told(rows) {
  const times = durations(rows);
  const share = (state) => `${Math.round((rows.filter((row) => row.state === state).length / rows.length) * 100)} %`;
  const within = [0.5, 0.95].map((part) => (times.length ? span(quantile(times, part)) : ""));
  return [String(rows.length), ...within, ...["succeeded", "failed", "cancelled", "lost"].map(share)];
}
