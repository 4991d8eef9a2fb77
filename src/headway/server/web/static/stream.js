// The live stream of a server, for as long as somebody listens: an EventSource that is given up when it is silent.

const SILENCE = 35_000; // The server gives a sign of life every 10 seconds.
const LONGEST = 30_000;

/**
 * Dispatches `notification` (detail: {type, data}) and `connection` (detail: {state, since}); `state` is `connecting`,
 * `live`, `degraded` (the server answers, and cannot reach the store that it shares with others), `lost` or `refused`,
 * `since` the milliseconds since the epoch when it began.
 */
export class Stream extends EventTarget {
  #api;
  #query;
  #source = null;
  #cursor = "";
  #heard = 0;
  #timer = 0;
  #watchdog = 0;
  #failures = 0;
  #degraded = false;
  state = "connecting";
  since = Date.now();

  /** `query`: what narrows the stream. */
  constructor(api, query = {}) {
    super();
    this.#api = api;
    this.#query = query;
  }

  open() {
    this.close();
    const position = this.#cursor ? { since: this.#cursor } : { snapshot: 1 };
    const url = this.#api.url(":/eventsource/notifications", { filters: "activity", ...this.#query, ...position });
    const source = (this.#source = new EventSource(url));
    this.#heard = Date.now();
    for (const type of ["ping", "activity", "snapshot", "resync"]) {
      source.addEventListener(type, (event) => this.#take(type, event));
    }
    source.addEventListener("error", () => this.#failed());
    this.#watchdog = setInterval(() => this.#look(), 5_000);
  }

  close() {
    clearTimeout(this.#timer);
    clearInterval(this.#watchdog);
    this.#source?.close();
    this.#source = null;
  }

  #take(type, event) {
    this.#heard = Date.now();
    this.#failures = 0;
    if (event.lastEventId) this.#cursor = event.lastEventId;
    if (type === "ping") this.#degraded = JSON.parse(event.data).degraded === true;
    this.#become(this.#degraded ? "degraded" : "live");
    if (type === "activity" || type === "snapshot") {
      this.dispatchEvent(new CustomEvent("notification", { detail: { type, data: JSON.parse(event.data) } }));
    }
  }

  #failed() {
    if (this.state !== "refused") this.#become("lost");
    // While it is CONNECTING the browser tries again by itself, from the last id; a refusal closes it for good.
    if (this.#source?.readyState === EventSource.CLOSED) this.#again();
    else this.#ask(); // Who has been signed out is to see so now, not at the next try.
  }

  #look() {
    if (Date.now() - this.#heard > SILENCE) {
      this.#become("lost");
      this.#again();
    }
  }

  #again() {
    this.close();
    const ceiling = Math.min(LONGEST, 1_000 * 2 ** this.#failures++);
    this.#timer = setTimeout(() => this.open(), Math.random() * ceiling);
    this.#ask();
  }

  async #ask() {
    try {
      await this.#api.request("HEAD", "activities");
    } catch (error) {
      if (error.status === 401 || error.status === 403) {
        this.close();
        this.#become("refused");
      }
    }
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.since = Date.now();
    this.dispatchEvent(new CustomEvent("connection", { detail: { state, since: this.since } }));
  }
}
