// Making elements. Text goes in as text: nothing that a server says is ever markup.

/** An element with attributes (`on…` listens, `class` and the rest are set) and children (strings become text). */
export function h(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

/** A list of facts; those without a value are left out. */
export function facts(pairs) {
  const told = pairs.filter(([, value]) => value !== "" && value !== undefined && value !== null);
  return h("dl", {}, told.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value instanceof Node ? value : String(value))]));
}

/** Ask for a decision: the value of the button that was pressed, null when none was. */
export function ask(title, content, buttons) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "asked" }, h("h2", { id: "asked" }, title), content);
    const row = h("div", { class: "buttons" });
    for (const { label, value, kind = "plain" } of buttons) {
      row.append(h("button", { type: "button", class: kind, onclick: () => dialog.close(value) }, label));
    }
    dialog.append(row);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue || null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
