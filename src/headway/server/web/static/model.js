// What the list shows, and in which order: pure, so that it can be tested without a page.

import { Numbers } from "./names.js";
import { isOver, outcome, stateOf } from "./states.js";

/** Milliseconds that an activity stays in the list after its end. */
export const LINGER = 10_000;

/** A filter in words: `type=…`, `state=…`, `owner=…`, `Context.KEY=…`, and text that must be somewhere in it. */
export class Filter {
  constructor(text = "", names = new Numbers()) {
    this.names = names;
    this.text = text.trim().normalize();
    this.words = [];
    this.members = [];
    for (const token of this.text.match(/(?:[^\s"]+|"[^"]*")+/g) ?? []) {
      const plain = token.replaceAll('"', "");
      const [, name, value] = plain.match(/^(type|state|owner|userID|Context\.[^=]+)=(.*)$/) ?? [];
      if (name) this.members.push([name, value]);
      else this.words.push(plain.toLowerCase());
    }
  }

  admits(row) {
    return this.members.every(([name, value]) => has(row, name, value, this.names)) && this.words.every((word) => says(row, word));
  }

  /** As far as a server can tell: arguments that admit all that this does. */
  query() {
    const query = {};
    for (const [name, value] of this.members) {
      const owner = name === "owner" || name === "userID";
      const told = owner ? this.names.id(value) : value;
      if (owner ? /^\d+$/.test(told) : !told.endsWith("*")) query[owner ? "userID" : name] ??= told;
    }
    const longest = this.words.toSorted((one, other) => other.length - one.length)[0];
    return longest === undefined ? query : { ...query, q: longest };
  }
}

function has(row, name, value, names) {
  if (name === "type") return row.type === value || (value.endsWith("*") && row.type.startsWith(value.slice(0, -1)));
  if (name === "state") return stateOf(row) === value || row.state === value;
  if (name === "owner" || name === "userID") return String(row.userID) === names.id(value);
  return String(row.Context?.[name.slice("Context.".length)] ?? "") === value && value !== "";
}

function says(row, word) {
  const about = Object.values(row.Context ?? {}).filter((value) => typeof value !== "boolean");
  return [row.title, row.subtitle, row.type, ...about].some((text) => String(text ?? "").toLowerCase().includes(word));
}

/** The activities of a server as a list: in order of start, parts below what they are parts of. */
export class Model {
  rows = new Map();
  collapsed = new Set();
  filter = new Filter();
  #overSince = new Map();
  #announced = [];
  #ended = [];

  /** Take in what a stream told; `now` in milliseconds. */
  apply({ type, data }, now) {
    if (type === "snapshot") this.#snapshot(data.MediaContainer.Activity ?? [], now);
    else this.#change(data.ActivityNotification, now);
  }

  /** Drop what has been over for long enough; true when something went. `held`: uuids that must stay for now. */
  age(now, held = new Set()) {
    let went = false;
    for (const [uuid, since] of this.#overSince) {
      if (now - since < LINGER || held.has(uuid) || this.#hasLiveChild(uuid)) continue;
      this.#overSince.delete(uuid);
      this.rows.delete(uuid);
      this.collapsed.delete(uuid);
      went = true;
    }
    return went;
  }

  /**
   * What is to be shown, in order: [{row, depth, children, expanded}]. A match shows what it is a part of. `kept`:
   * uuids that stay although the filter admits them no more.
   */
  lines(kept = new Set()) {
    const children = new Map();
    for (const row of this.rows.values()) {
      const parent = this.rows.has(row.parentUUID) ? row.parentUUID : null;
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(row);
    }
    const wanted = this.#wanted(kept);
    const lines = [];
    const walk = (parent, depth) => {
      for (const row of children.get(parent) ?? []) {
        if (!wanted.has(row.uuid)) continue;
        const parts = (children.get(row.uuid) ?? []).length;
        const expanded = !this.collapsed.has(row.uuid);
        lines.push({ row, depth, children: parts, expanded });
        if (parts && expanded) walk(row.uuid, depth + 1);
      }
    };
    walk(null, 0);
    return lines;
  }

  /** How many live activities there are, and how many of them the filter shows. */
  counts() {
    let live = 0;
    let shown = 0;
    for (const row of this.rows.values()) {
      if (isOver(row)) continue;
      live += 1;
      if (this.filter.admits(row)) shown += 1;
    }
    return { live, shown };
  }

  /** The mean progress of what is live, from 0 to 1; null where nothing tells. */
  progress() {
    const known = [...this.rows.values()].filter((row) => !isOver(row) && !row.parentUUID && row.progress >= 0);
    return known.length ? known.reduce((sum, row) => sum + (row.fraction ?? row.progress / 100), 0) / known.length : null;
  }

  /** What a listener is to be told of since the last time: starts and ends, not each percent. */
  announcements() {
    return this.#announced.splice(0);
  }

  /** What has ended since the last time. */
  ends() {
    return this.#ended.splice(0);
  }

  #snapshot(rows, now) {
    const live = new Set(rows.map((row) => row.uuid));
    for (const row of this.rows.values()) {
      if (!live.has(row.uuid) && !isOver(row)) this.#end({ ...row, gone: true }, now);
    }
    for (const row of rows) this.#put(row);
  }

  #change({ event, Activity }, now) {
    if (event === "ended") {
      this.#end(Activity, now);
      return;
    }
    if (event === "started") this.#announced.push(`Started: ${Activity.title || Activity.type}`);
    this.#put(Activity);
  }

  #put(row) {
    this.#overSince.delete(row.uuid);
    this.rows.set(row.uuid, row);
  }

  #end(row, now) {
    this.rows.set(row.uuid, row);
    this.#overSince.set(row.uuid, now);
    this.#announced.push(`${row.title || row.type}: ${outcome(row)}`);
    this.#ended.push(row);
  }

  #hasLiveChild(uuid) {
    for (const row of this.rows.values()) if (row.parentUUID === uuid) return true;
    return false;
  }

  #wanted(kept) {
    const wanted = new Set();
    for (const row of this.rows.values()) {
      if (!this.filter.admits(row) && !kept.has(row.uuid)) continue;
      for (let each = row; each && !wanted.has(each.uuid); each = this.rows.get(each.parentUUID)) wanted.add(each.uuid);
    }
    return wanted;
  }
}

/** What a paused list is told meanwhile: of each activity the last word, so that it stays small however long that is. */
export class Backlog {
  #snapshot = null;
  #ended = new Map();
  #changes = new Map();

  /** `known`: whether the list shows an activity; of others an end changes nothing. */
  take(detail, known) {
    if (detail.type === "snapshot") {
      this.#snapshot = detail;
      this.#changes.clear();
      return;
    }
    const { event, uuid } = detail.data.ActivityNotification;
    if (event !== "ended") {
      this.#changes.set(uuid, this.#changes.has(uuid) ? later(this.#changes.get(uuid), detail) : detail);
      return;
    }
    this.#changes.delete(uuid);
    if (known(uuid)) this.#ended.set(uuid, detail);
    if (this.#snapshot) this.#snapshot = without(this.#snapshot, uuid);
  }

  /** All of it, as a stream would tell it. */
  details() {
    return [...this.#ended.values(), ...(this.#snapshot ? [this.#snapshot] : []), ...this.#changes.values()];
  }
}

/** The later of two, and still a start when the first was one. */
function later(first, { type, data }) {
  const { event } = first.data.ActivityNotification;
  return { type, data: { ActivityNotification: { ...data.ActivityNotification, event } } };
}

function without({ type, data }, uuid) {
  const rows = (data.MediaContainer.Activity ?? []).filter((row) => row.uuid !== uuid);
  return { type, data: { MediaContainer: { Activity: rows } } };
}
