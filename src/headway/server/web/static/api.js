// The server, asked by fetch. Relative to where these files come from, so that it works below any path.

/** The server that serves this file: its root, with a slash at the end. */
export const HERE = new URL("../", import.meta.url).href;

/** What the server says no with. */
export class Refused extends Error {
  constructor(status, message, reason) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** One server. */
export class Api {
  #token;

  /** `base`: its root; a token is never in it: the browser's cookie opens it, or else, by itself, a `token`. */
  constructor(base = HERE, { token } = {}) {
    this.base = new URL(base, document.baseURI).href.replace(/\/?$/, "/");
    this.#token = token;
  }

  url(path, query = {}) {
    const url = new URL(path, this.base);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
    }
    return url.href;
  }

  /** Any request; its response when it went well. Throws Refused, or TypeError when nobody answers. */
  async request(method, path, { query, body, headers, signal } = {}) {
    const response = await fetch(this.url(path, query), {
      method,
      signal,
      credentials: this.#token === undefined ? "same-origin" : "omit",
      headers: {
        Accept: "application/json",
        ...(this.#token === undefined ? {} : { "X-Plex-Token": this.#token }),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!response.ok) throw await refusal(response);
    return response;
  }

  async json(method, path, options) {
    const text = await (await this.request(method, path, options)).text();
    return text ? JSON.parse(text) : null;
  }

  async list(query) {
    return (await this.json("GET", "activities", { query })).MediaContainer.Activity ?? [];
  }

  async get(uuid, options) {
    const found = await this.json("GET", `activities/${encodeURIComponent(uuid)}`, options);
    return found.MediaContainer.Activity[0];
  }

  /** A page of what has ended: its rows, and the cursor of the next. */
  async history(query) {
    const response = await this.request("GET", "activities/history", { query });
    const rows = (await response.json()).MediaContainer.Activity ?? [];
    return { rows, next: response.headers.get("X-Headway-Cursor") };
  }

  /** Ask it to stop; the state it was in when the answer was sent. */
  async cancel(uuid, { force = false } = {}) {
    const query = force ? { force: 1 } : {};
    const response = await this.request("DELETE", `activities/${encodeURIComponent(uuid)}`, { query });
    return response.headers.get("X-Headway-State");
  }
}

async function refusal(response) {
  let message = `The server answered ${response.status}.`;
  let reason = "";
  try {
    const [error] = (await response.json()).errors;
    message = error.message || message;
    reason = error.reason || "";
  } catch {
    // Not every answer is ours: a proxy's page says nothing that could be shown.
  }
  return new Refused(response.status, message, reason);
}
