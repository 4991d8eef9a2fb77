// One stream for all tabs of a browser: the tab that holds the lock reads it and tells the others.
//
// Each listener sees what a Stream tells. When the tab that reads is closed, its lock goes to another one, which begins
// with a snapshot; so nothing is lost but time. What comes in one piece from the server is told in one piece, and only
// where somebody listens: copying each change for others would cost more than all that is done with it here.

import { Stream } from "./stream.js";

/** Like a Stream, shared. */
export class SharedStream extends EventTarget {
  #api;
  #query;
  #channel = null;
  #stream = null;
  #release = null;
  #abort = null;
  #rows = new Map();
  #listened = false;
  #waiting = [];
  #turn = new MessageChannel(); // a timer would be slow in a tab that nobody looks at
  state = "connecting";
  since = Date.now();

  constructor(api, query = {}) {
    super();
    this.#api = api;
    this.#query = query;
    this.#turn.port1.onmessage = () => this.#pass();
  }

  /** True while this tab is the one that reads. */
  get reads() {
    return this.#stream !== null;
  }

  open() {
    const name = `headway ${this.#api.url("", this.#query)}`;
    if (!navigator.locks || !("BroadcastChannel" in globalThis)) {
      this.#read(); // No secure context: then each tab for itself.
      return;
    }
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = (event) => event.data.forEach((message) => this.#heard(message));
    this.#channel.postMessage([{ type: "hello" }]);
    this.#abort = new AbortController();
    navigator.locks
      .request(name, { signal: this.#abort.signal }, () => {
        this.#read();
        return new Promise((release) => (this.#release = release));
      })
      .catch(() => {}); // closed before it was our turn
  }

  close() {
    this.#pass();
    this.#abort?.abort();
    this.#release?.();
    this.#stream?.close();
    this.#channel?.close();
    this.#stream = this.#channel = this.#release = this.#abort = null;
  }

  #read() {
    this.#stream = new Stream(this.#api, this.#query);
    this.#stream.addEventListener("notification", (event) => {
      this.#remember(event.detail);
      this.#tell(event.detail);
      this.#queue({ type: "notification", detail: event.detail });
    });
    this.#stream.addEventListener("connection", (event) => {
      this.#connected(event.detail);
      this.#queue({ type: "connection", detail: event.detail });
    });
    this.#channel?.postMessage([{ type: "who" }]);
    this.#stream.open();
  }

  #queue(message) {
    if (!this.#listened) return;
    if (this.#waiting.push(message) === 1) this.#turn.port2.postMessage(null);
  }

  #pass() {
    if (this.#waiting.length) this.#channel?.postMessage(this.#waiting.splice(0));
  }

  #heard(message) {
    if (this.#stream !== null) {
      if (message.type === "hello") this.#welcome();
    } else if (message.type === "who") {
      this.#channel.postMessage([{ type: "hello" }]);
    } else if (message.type === "notification") {
      this.#tell(message.detail);
    } else if (message.type === "connection") {
      this.#connected(message.detail);
    }
  }

  #welcome() {
    this.#listened = true;
    const { state, since } = this.#stream;
    const data = { MediaContainer: { Activity: [...this.#rows.values()] } };
    this.#queue({ type: "connection", detail: { state, since } });
    if (state === "live" || state === "degraded") this.#queue({ type: "notification", detail: { type: "snapshot", data } });
  }

  #remember({ type, data }) {
    if (type === "snapshot") {
      this.#rows = new Map((data.MediaContainer.Activity ?? []).map((row) => [row.uuid, row]));
      return;
    }
    const { event, uuid, Activity } = data.ActivityNotification;
    if (event === "ended") this.#rows.delete(uuid);
    else this.#rows.set(uuid, Activity);
  }

  #tell(detail) {
    this.dispatchEvent(new CustomEvent("notification", { detail }));
  }

  #connected(detail) {
    this.state = detail.state;
    this.since = detail.since;
    this.dispatchEvent(new CustomEvent("connection", { detail }));
  }
}
