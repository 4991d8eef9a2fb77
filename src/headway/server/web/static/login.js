// Who is there: a session in a cookie that no script can read, made from a token or a one-use link.

import { h } from "./dom.js";

/** The user of this browser's session; null when there is none. */
export async function session(api) {
  try {
    return await api.json("GET", "web/session");
  } catch (error) {
    if (error.status === 401 || error.status === 403) return null;
    throw error;
  }
}

/** Take the one-use code out of the address and go in by it: the user; null when it is spent, undefined without one. */
export async function takeLink(api) {
  const code = new URLSearchParams(location.hash.slice(1)).get("link");
  if (!code) return undefined;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    return await api.json("POST", "web/session", { body: { link: code } });
  } catch (error) {
    if (error.status) return null;
    throw error;
  }
}

/** The form that asks for a token. `done`: called when it was good. `trouble`: what went wrong; `notice`: what else to say. */
export function login(api, done, { trouble = "", notice = "" } = {}) {
  const error = h("p", { class: "error", role: "alert" }, trouble);
  const token = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true, autofocus: true });
  const form = h(
    "form",
    {
      class: "login",
      onsubmit: async (event) => {
        event.preventDefault();
        error.textContent = "";
        try {
          await api.json("POST", "web/session", { body: { token: token.value.trim() } });
          token.value = "";
          done();
        } catch (refused) {
          error.textContent = refused.status === 401 ? "This token opens nothing here." : refused.message;
          token.select();
        }
      },
    },
    h("h1", {}, "Sign in to Headway"),
    notice ? h("p", { role: "status" }, notice) : null,
    h("label", {}, "Token", token),
    error,
    h("button", { class: "primary", type: "submit" }, "Sign in"),
    h("p", { class: "quiet" }, "On the server's machine, ", h("code", {}, "headway web"), " prints a link that signs you in once."),
  );
  return h("div", { class: "view" }, form);
}
