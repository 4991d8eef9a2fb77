// Who one is here, and what opens the server.

import { ask, facts, h } from "./dom.js";
import { moment } from "./format.js";

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
    let found;
    try {
      found = await this.#page.api.json("GET", "web/tokens");
    } catch (error) {
      this.#tokens.replaceChildren(h("p", { class: "quiet" }, error.message));
      return;
    }
    const now = Date.now() / 1000;
    const rows = found.tokens.map((token) =>
      h(
        "tr",
        {},
        [token.name, token.userName ?? "", token.role, token.expiresAt ? moment(token.expiresAt, now) : "never"].map((cell) => h("td", {}, cell)),
        h("td", {}, h("button", { class: "danger", type: "button", onclick: () => this.#revoke(token) }, "Revoke")),
      ),
    );
    const head = ["Token", "User", "Role", "Expires", "Actions"].map((name) => h("th", { scope: "col" }, name));
    this.#tokens.replaceChildren(
      h("h2", {}, "Tokens"),
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows))),
      h("p", {}, h("button", { class: "plain", type: "button", onclick: () => this.#make() }, "New token…")),
    );
  }

  async #revoke(token) {
    const sure = await ask(`Revoke ${token.name}?`, h("p", {}, "Whoever uses it is cut off within a second."), [
      { label: "Keep it", value: "" },
      { label: "Revoke", value: "yes", kind: "danger" },
    ]);
    if (!sure) return;
    await this.#page.api.request("DELETE", `web/tokens/${encodeURIComponent(token.id)}`).catch((error) => this.#page.announce(error.message));
    this.#list();
  }

  async #make() {
    const name = h("input", { required: true, maxlength: 64 });
    const roles = ["admin", "user", "reporter", "reader"];
    const role = h("select", {}, roles.slice(roles.indexOf(this.#page.user.role)).map((each) => h("option", {}, each)));
    const made = await ask("New token", h("div", {}, h("label", {}, "Name", name), h("label", {}, "Role", role)), [
      { label: "Cancel", value: "" },
      { label: "Make it", value: "yes", kind: "primary" },
    ]);
    if (!made || !name.value.trim()) return;
    try {
      const body = { name: name.value.trim(), role: role.value };
      const { token } = await this.#page.api.json("POST", "web/tokens", { body });
      const shown = h("input", { readonly: true, value: token, onfocus: (event) => event.target.select() });
      await ask("Copy it now: it is not shown again", shown, [{ label: "Done", value: "done", kind: "primary" }]);
    } catch (error) {
      this.#page.announce(error.message);
    }
    this.#list();
  }
}
