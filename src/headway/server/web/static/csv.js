// Tables as text (RFC 4180), for programs and for spreadsheets.

/** Lines of cells. */
export function csv(lines) {
  return lines.map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
}

/** A moment as spreadsheets and programs read it: ISO 8601 in UTC; empty for none. */
export function instant(seconds) {
  return seconds === undefined ? "" : new Date(seconds * 1000).toISOString();
}

/** Text that a spreadsheet would take for a formula is made text: the page shows what anybody may have written. */
function cell(value) {
  const formula = typeof value === "string" && /^[=+\-@\t\r\n＝＋－＠]/.test(value);
  const text = `${formula ? "'" : ""}${value ?? ""}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
