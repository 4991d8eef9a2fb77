// One row of the list: made once, filled in again and again. Texts of the server go in as text, never as markup.

import { counts, elapsed, fraction, percent, rate, remaining } from "./format.js";
import { icon, outcome, stateOf, STATES, whyNot, isOver } from "./states.js";

/** Pixels of a row; list.css says so, too. */
export const HEIGHT = 60;

const PARTS = ["title", "subtitle", "percent", "facts", "owner", "word"];

export class RowView {
  #told = {};
  #icon = "";

  constructor() {
    this.element = make("div", "row", { role: "row" });
    this.toggle = make("button", "toggle", { type: "button", tabindex: "-1", "data-act": "toggle" });
    this.toggle.append(icon("chevron"));
    this.sign = make("span", "sign", { role: "gridcell" });
    this.bar = make("div", "bar", { role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" });
    this.fill = make("div", "fill");
    this.bar.append(this.fill);
    for (const part of PARTS) this[part] = make("span", part);
    const main = make("div", "main", { role: "gridcell" });
    const top = make("div", "top");
    top.append(this.title, this.subtitle);
    main.append(top, this.bar);
    const side = make("div", "side", { role: "gridcell" });
    const figures = make("div", "figures");
    figures.append(this.word, this.percent);
    side.append(figures, this.facts);
    this.stop = make("button", "stop", { type: "button", tabindex: "-1", "data-act": "cancel" });
    this.stop.append(icon("stop"));
    this.owner.setAttribute("role", "gridcell");
    this.element.append(cell("before", this.toggle), this.sign, main, this.owner, side, cell("after", this.stop));
  }

  /** Show a line of the model. */
  show({ row, depth, children, expanded }, { index, now, names, role, active }) {
    const state = stateOf(row);
    this.#place(row, index, depth, active);
    this.#say("title", row.title || row.type);
    this.#say("subtitle", row.error && isOver(row) ? row.error : row.subtitle);
    this.#say("percent", isOver(row) ? "" : percent(row));
    this.#say("word", isOver(row) ? outcome(row) : STATES[state].word);
    const facts = isOver(row) ? [elapsed(row, now)] : [remaining(row, now), counts(row), rate(row), elapsed(row, now)];
    this.#say("facts", facts.filter(Boolean).join(" · "));
    this.#say("owner", names ? names.of(row.userID) : "");
    this.#state(state);
    this.#progress(row, state);
    this.toggle.hidden = children === 0;
    if (children) this.element.setAttribute("aria-expanded", String(expanded));
    else this.element.removeAttribute("aria-expanded");
    this.toggle.setAttribute("aria-label", `${expanded ? "Hide" : "Show"} ${children} parts`);
    const why = whyNot(row, role);
    this.stop.hidden = isOver(row);
    this.stop.setAttribute("aria-disabled", String(why !== ""));
    this.stop.title = why || (state === "cancelling" || state === "overdue" ? "Asked to stop already" : "Stop");
    this.stop.setAttribute("aria-label", `Stop ${row.title || row.type}`);
  }

  #place(row, index, depth, active) {
    const { element } = this;
    element.dataset.uuid = row.uuid;
    element.id = `row-${row.uuid}`;
    element.style.transform = `translateY(${index * HEIGHT}px)`;
    element.style.setProperty("--depth", depth);
    element.setAttribute("aria-level", String(depth + 1));
    element.setAttribute("aria-rowindex", String(index + 1));
    element.classList.toggle("active", row.uuid === active);
  }

  #say(part, text) {
    if (this.#told[part] === text) return;
    this.#told[part] = text ?? "";
    this[part].textContent = text ?? "";
    if (["title", "subtitle", "facts", "owner"].includes(part)) this[part].title = text ?? "";
  }

  #state(state) {
    if (this.#icon === state) return;
    this.#icon = state;
    this.element.dataset.state = state;
    this.sign.replaceChildren(icon(STATES[state].icon));
  }

  #progress(row, state) {
    const known = fraction(row);
    this.bar.hidden = isOver(row);
    this.bar.classList.toggle("unknown", known === null);
    if (known === null) this.fill.style.removeProperty("--part");
    else this.fill.style.setProperty("--part", known);
    if (known === null) this.bar.removeAttribute("aria-valuenow");
    else this.bar.setAttribute("aria-valuenow", String(Math.floor(known * 100)));
    this.bar.setAttribute("aria-label", `${row.title || row.type}, ${STATES[state].word}`);
  }
}

/** A cell for a button: a row of a grid has nothing but cells. */
function cell(className, button) {
  const made = make("span", className, { role: "gridcell" });
  made.append(button);
  return made;
}

function make(name, className, attributes = {}) {
  const made = document.createElement(name);
  made.className = className;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
