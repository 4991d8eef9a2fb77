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

/**
 * Make an element like another one, in place: what stays the same keeps its focus, its selection, and a press that has
 * begun. Listeners stay those of the first one.
 */
export function morph(target, source) {
  for (const name of target.getAttributeNames()) if (!source.hasAttribute(name)) target.removeAttribute(name);
  for (const name of source.getAttributeNames()) {
    if (target.getAttribute(name) !== source.getAttribute(name)) target.setAttribute(name, source.getAttribute(name));
  }
  const wanted = [...source.childNodes];
  for (const [index, child] of wanted.entries()) {
    const there = target.childNodes[index];
    if (!there) target.append(child);
    else if (there.nodeName !== child.nodeName || there.dataset?.key !== child.dataset?.key) there.replaceWith(child);
    else if (child.nodeType === Node.ELEMENT_NODE) morph(there, child);
    else if (there.data !== child.data) there.data = child.data;
  }
  while (target.childNodes.length > wanted.length) target.lastChild.remove();
}

/** Give somebody a file. `parts`: texts, which are its content one after another. */
export function save(name, type, parts) {
  const link = h("a", { href: URL.createObjectURL(new Blob(parts, { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Something wide that scrolls by itself, also by the keyboard. */
export function scroller(label, content) {
  return h("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": label }, content);
}

/** A table that names each row by its first cell. */
export function table(name, head, rows) {
  const lines = rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), rest.map((cell) => h("td", {}, cell instanceof Node ? cell : String(cell)))));
  const columns = h("tr", {}, head.map((label) => h("th", { scope: "col" }, label)));
  return scroller(name, h("table", { "aria-label": name }, h("thead", {}, columns), h("tbody", {}, lines)));
}

/** A list of facts; those without a value are left out. */
export function facts(pairs) {
  const told = pairs.filter(([, value]) => value !== "" && value !== undefined && value !== null);
  return h("dl", {}, told.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value instanceof Node ? value : String(value))]));
}

/**
 * Ask for a decision: the value of the button that was pressed, null when none was. What has to be filled in is, before
 * a button with a value closes it; Enter in a field presses the last one.
 */
export function ask(title, content, buttons) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "asked" }, h("h2", { id: "asked", dir: "auto" }, title), content);
    const row = h("div", { class: "buttons" });
    const press = (value) => {
      const fields = value ? [...dialog.querySelectorAll("input, select")] : [];
      if (fields.every((field) => field.reportValidity())) dialog.close(value);
    };
    for (const { label, value, kind = "plain" } of buttons) {
      row.append(h("button", { type: "button", class: kind, onclick: () => press(value) }, label));
    }
    dialog.append(row);
    dialog.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.target.matches("input")) return;
      event.preventDefault();
      press(buttons.at(-1).value);
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue || null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
