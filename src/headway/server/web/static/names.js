// Who the owners of activities are: names, for those who may know them.

const PATIENCE = 30_000; // milliseconds until somebody unknown is asked for again

/** Nobody is known. */
export class Numbers {
  /** A user, in words. */
  of(id) {
    return `user ${id}`;
  }

  /** The id that is meant by a word in a filter, as text. */
  id(word) {
    return word;
  }
}

/** The users of a server, asked for when one is to be named by whoever may ask; `user`: who that is. */
export class Names extends Numbers {
  #api;
  #mayAsk;
  #known = new Map();
  #askedAt = -Infinity;

  constructor(api, user) {
    super();
    this.#api = api;
    this.#mayAsk = (user.may ?? []).includes("administer");
    if (user.name) this.#known.set(user.userID, user.name);
  }

  of(id) {
    const name = this.#known.get(id);
    if (name === undefined) this.learn();
    return name ?? super.of(id);
  }

  id(word) {
    for (const [id, name] of this.#known) if (name === word) return String(id);
    if (!/^\d+$/.test(word)) this.learn();
    return word;
  }

  /** Ask who there is, unless that was asked a moment ago. Whoever shows names shows them again before long. */
  async learn() {
    if (!this.#mayAsk || performance.now() - this.#askedAt < PATIENCE) return;
    this.#askedAt = performance.now();
    const { users } = await this.#api.json("GET", "web/users").catch(() => ({ users: [] }));
    for (const { userID, name } of users) this.#known.set(userID, name);
  }
}
