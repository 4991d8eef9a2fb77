// Asking activities to stop: with a confirmation, and with what the server says about each.

import { ask, h } from "./dom.js";

const AT_ONCE = 8; // requests under way

/** Confirm and cancel; the texts of what went wrong. `list`: the element that shows them. */
export async function cancelRows(api, rows, { admin = false, force = false } = {}) {
  const answer = await confirm(rows, admin, force);
  if (answer === null) return [];
  const troubles = [];
  const waiting = [...rows];
  const work = async () => {
    for (let row = waiting.shift(); row; row = waiting.shift()) {
      try {
        await api.cancel(row.uuid, { force: answer === "force" });
      } catch (error) {
        troubles.push(`${row.title || row.type}: ${error.message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (troubles.length) await tell(troubles);
  return troubles;
}

function confirm(rows, admin, force) {
  const one = rows.length === 1;
  const what = one ? rows[0].title || rows[0].type : `${rows.length} activities`;
  const content = [
    h("p", {}, one
      ? "It is asked to stop, and so are its parts. It may take a while, and it may finish before it hears of it: the list says what really happens."
      : "Each is asked to stop, and so are its parts. The list says what really happens to each."),
  ];
  if (!one) content.push(h("ul", {}, rows.slice(0, 100).map((row) => h("li", { dir: "auto" }, row.title || row.type))));
  const buttons = [
    { label: "Let it run", value: "" },
    { label: one ? "Stop it" : `Stop ${rows.length}`, value: "stop", kind: "danger" },
  ];
  if (one && admin && (force || rows[0].overdue)) {
    content.push(h("p", {}, "It was asked before and still runs. Giving it up ends its record as lost; whatever runs may go on."));
    buttons.push({ label: "Give it up", value: "force", kind: "danger" });
  }
  return ask(`Stop ${what}?`, h("div", {}, content), buttons);
}

function tell(troubles) {
  const list = h("ul", {}, troubles.slice(0, 100).map((text) => h("li", { dir: "auto" }, text)));
  return ask(troubles.length === 1 ? "It could not be stopped" : `${troubles.length} could not be stopped`, list, [
    { label: "Close", value: "close", kind: "primary" },
  ]);
}
