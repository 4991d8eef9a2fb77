// Sharing one activity: a link for somebody who has no account here, and the list of those that are open.

import { copy } from "./detail.js";
import { ask, h, table } from "./dom.js";
import { moment } from "./format.js";

const HOUR = 3_600;
const LIFETIMES = [[HOUR, "for an hour"], [24 * HOUR, "for a day"], [7 * 24 * HOUR, "for a week"], [30 * 24 * HOUR, "for 30 days"]];
const CLOSE = [{ label: "Close", value: "close", kind: "primary" }];

/** Whether a user may share: where a host application knows who is calling, a link of ours would open nothing. */
export function mayShare(user) {
  return user.login !== false && (user.may ?? []).includes("delegate");
}

/** Ask for how long, make a link, and show it this once. */
export async function share(api, row) {
  const options = LIFETIMES.map(([value, label]) => h("option", { value, selected: value === 24 * HOUR }, label));
  const lifetime = h("select", {}, options);
  const wanted = await ask(`Share ${row.title || row.type}`, form(lifetime), [
    { label: "Cancel", value: "" },
    { label: "Make a link", value: "yes", kind: "primary" },
  ]);
  if (!wanted) return;
  try {
    const made = await api.json("POST", "web/shares", { body: { uuid: row.uuid, expiresIn: Number(lifetime.value) } });
    await show(made, linkTo(api, made));
  } catch (error) {
    await ask("It could not be shared", h("p", {}, error.message), CLOSE);
  }
}

function form(lifetime) {
  return h(
    "div",
    { class: "fields" },
    h("p", {}, "Whoever has the link sees this activity live, with its context, its result, what it prints and what went wrong. They need not sign in, and they see and do nothing else."),
    h("label", {}, "Open", lifetime),
  );
}

/** Behind "#" a browser keeps it to itself, so it is in no log of a server or proxy. */
function linkTo(api, { secret, uuid }) {
  return `${api.url("web/")}#shared=${secret}&uuid=${uuid}`;
}

function show(made, link) {
  const field = h("input", { readonly: true, value: link, "aria-label": "Link", onfocus: (event) => event.target.select() });
  const copied = h("span", { class: "quiet", role: "status" });
  const press = async () => {
    await copy(link);
    copied.textContent = "Copied.";
  };
  const button = h("button", { type: "button", class: "plain", onclick: press }, "Copy link");
  const content = h(
    "div",
    { class: "fields" },
    field,
    h("p", { class: "copying" }, button, " ", copied),
    h("p", { class: "quiet" }, `Open until ${moment(made.expiresAt, Date.now() / 1000)}. Account lists what is shared, and ends it.`),
  );
  return ask("Copy it now: it is not shown again", content, [{ label: "Done", value: "done", kind: "primary" }]);
}

/** What is shared, as a part of the account; `revoked`: called when one was. Nothing where nothing is. */
export async function listShares(page, revoked) {
  const { shares } = await page.api.json("GET", "web/shares");
  if (!shares.length) return [];
  const now = Date.now() / 1000;
  const rows = shares.map((each) => [
    h("bdi", {}, h("a", { href: `#/activity/${each.uuid}` }, each.title || each.type || each.uuid)),
    h("bdi", {}, each.userName || `user ${each.userID}`),
    moment(each.createdAt, now),
    moment(each.expiresAt, now),
    mayShare(page.user) ? h("button", { class: "danger", type: "button", "aria-label": `Revoke ${each.title || each.type || each.uuid}`, onclick: () => revoke(page, each, revoked) }, "Revoke") : "",
  ]);
  return [h("h2", {}, "Shared"), table("Shared", ["Activity", "By", "Since", "Expires", "Actions"], rows)];
}

async function revoke(page, { id }, revoked) {
  const sure = await ask("Revoke this link?", h("p", {}, "Whoever has it sees nothing any more, within a second."), [
    { label: "Keep it", value: "" },
    { label: "Revoke", value: "yes", kind: "danger" },
  ]);
  if (!sure) return;
  await page.api.request("DELETE", `web/shares/${encodeURIComponent(id)}`).catch((error) => page.announce(error.message));
  revoked();
}
