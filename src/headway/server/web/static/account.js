// Who one is here, and what opens the server.

import { ask, facts, h, table } from "./dom.js";
import { moment } from "./format.js";
import { listShares } from "./share.js";

const ROLES = ["admin", "user", "reporter", "reader"];
const LIFETIMES = [[7, "in a week"], [30, "in a month"], [90, "in three months"], [365, "in a year"], [0, "never"]];

export class Account {
  #page;
  #tokens = h("div");

  constructor(page) {
    this.#page = page;
    const { user } = page;
    const now = Date.now() / 1000;
    this.element = h(
      "div",
      { class: "view" },
      h("h1", { class: "name" }, user.name || `User ${user.userID}`),
      facts([
        ["user", user.userID],
        ["role", user.role],
        ["signed in until", user.expiresAt ? moment(user.expiresAt, now) : ""],
      ]),
      user.login === false
        ? h("p", { class: "quiet" }, "You are signed in by the application around this page.")
        : h(
            "p",
            {},
            h("button", { class: "plain", type: "button", onclick: () => this.#out("web/session") }, "Sign out"),
            " ",
            h("button", { class: "plain", type: "button", onclick: () => this.#everywhere() }, "Sign out everywhere"),
          ),
      h("label", { class: "theme" }, "Colours", themes()),
      this.#tokens,
    );
  }

  go() {
    if (this.#page.user.login !== false) this.#list();
  }

  async #out(path) {
    await this.#page.api.request("DELETE", path).catch(() => {});
    this.#page.leave();
  }

  async #everywhere() {
    const sure = await ask("Sign out everywhere?", h("p", {}, "Every browser that is signed in as you has to sign in again."), [
      { label: "Stay", value: "" },
      { label: "Sign out", value: "yes", kind: "danger" },
    ]);
    if (sure) this.#out("web/sessions");
  }

  async #list() {
    const { api, user } = this.#page;
    try {
      const { tokens } = await api.json("GET", "web/tokens");
      const { users } = this.#may("administer") ? await api.json("GET", "web/users") : { users: null };
      const shares = await listShares(this.#page, () => this.#list());
      this.#tokens.replaceChildren(...shares, ...this.#ofTokens(tokens), ...(users ? ofUsers(users) : []));
    } catch (error) {
      this.#tokens.replaceChildren(h("p", { class: "quiet" }, error.message));
      if (error.status === 401 && user) this.#page.leave();
    }
  }

  #may(action) {
    return (this.#page.user.may ?? []).includes(action);
  }

  #ofTokens(tokens) {
    const now = Date.now() / 1000;
    const rows = tokens.map((token) => [
      h("bdi", {}, token.name || "(no name)", token.current ? " (signed in by it)" : ""),
      h("bdi", {}, token.userName || `user ${token.userID}`),
      token.role,
      token.expiresAt ? moment(token.expiresAt, now) : "never",
      this.#may("delegate") ? h("button", { class: "danger", type: "button", "aria-label": `Revoke ${token.name}`, onclick: () => this.#revoke(token) }, "Revoke") : "",
    ]);
    return [
      h("h2", {}, "Tokens"),
      table("Tokens", ["Token", "User", "Role", "Expires", "Actions"], rows),
      this.#may("delegate") ? h("p", {}, h("button", { class: "plain", type: "button", onclick: () => this.#make() }, "New token…")) : "",
    ];
  }

  async #revoke(token) {
    const warning = token.current ? " You are signed in by it, and are signed out." : "";
    const sure = await ask(`Revoke ${token.name}?`, h("p", {}, `Whoever uses it is cut off within a second.${warning}`), [
      { label: "Keep it", value: "" },
      { label: "Revoke", value: "yes", kind: "danger" },
    ]);
    if (!sure) return;
    await this.#page.api.request("DELETE", `web/tokens/${encodeURIComponent(token.id)}`).catch((error) => this.#page.announce(error.message));
    this.#list();
  }

  async #make() {
    const name = h("input", { required: true, maxlength: 64, pattern: ".*\\S.*" });
    const of = h("input", { required: true, maxlength: 64, value: this.#page.user.name });
    const roles = ROLES.slice(ROLES.indexOf(this.#page.user.role)).map((each) => h("option", { selected: each === "user" }, each));
    const role = h("select", {}, roles);
    const days = h("select", {}, LIFETIMES.map(([value, label]) => h("option", { value, selected: value === 90 }, label)));
    const fields = [["Name", name], ...(this.#may("administer") ? [["User", of]] : []), ["Role", role], ["Expires", days]];
    const made = await ask("New token", h("div", { class: "fields" }, fields.map(([label, field]) => h("label", {}, label, field))), [
      { label: "Cancel", value: "" },
      { label: "Make it", value: "yes", kind: "primary" },
    ]);
    if (!made) return;
    const body = { name: name.value.trim(), role: role.value };
    if (Number(days.value)) body.expiresIn = Number(days.value) * 86_400;
    if (this.#may("administer")) body.userName = of.value.trim();
    try {
      const { token } = await this.#page.api.json("POST", "web/tokens", { body });
      const shown = h("input", { readonly: true, value: token, "aria-label": "Token", onfocus: (event) => event.target.select() });
      await ask("Copy it now: it is not shown again", shown, [{ label: "Done", value: "done", kind: "primary" }]);
    } catch (error) {
      await ask("It could not be made", h("p", {}, error.message), [{ label: "Close", value: "close", kind: "primary" }]);
    }
    this.#list();
  }
}

/** See theme.js, which is there before any module. */
function themes() {
  const tell = (event) => dispatchEvent(new CustomEvent("headway-theme", { detail: event.target.value }));
  const chosen = document.documentElement.dataset.theme ?? "";
  const options = [["", "as the system"], ["light", "light"], ["dark", "dark"]];
  return h("select", { onchange: tell }, options.map(([value, label]) => h("option", { value, selected: value === chosen }, label)));
}

function ofUsers(users) {
  const now = Date.now() / 1000;
  const rows = users.map((user) => [h("bdi", {}, user.name), user.userID, moment(user.createdAt, now), user.tokens, user.sessions]);
  return [h("h2", {}, "Users"), table("Users", ["Name", "User", "Since", "Tokens", "Browsers"], rows)];
}
