// What has ended, read from the server a page at a time.

import { csv, instant } from "./csv.js";

/**
 * What a filter admits, newest first: {rows, next, looked}, where `next` is the cursor to go on from, null at the end,
 * and `looked` how many were looked at for this page. `before`: the cursor to begin at. `limit`: rows asked for at once.
 */
export async function* past(api, filter, { before = null, limit = 500 } = {}) {
  do {
    const page = await api.history({ ...filter.query(), before, limit });
    before = page.next;
    yield { rows: page.rows.filter((row) => filter.admits(row)), next: before, looked: page.rows.length };
  } while (before);
}

const json = (bag) => (bag === undefined ? "" : JSON.stringify(bag));

const COLUMNS = {
  ...Object.fromEntries(["uuid", "type", "title", "subtitle", "state", "error", "userID"].map((name) => [name, (row) => row[name]])),
  startedAt: (row) => instant(row.startedAt),
  endedAt: (row) => instant(row.endedAt),
  seconds: (row) => (row.startedAt === undefined || row.endedAt === undefined ? "" : Math.round((row.endedAt - row.startedAt) * 1000) / 1000),
  ...Object.fromEntries(["progress", "completed", "total", "unit", "cancellable"].map((name) => [name, (row) => row[name]])),
  cancelRequested: (row) => Boolean(row.cancelRequested),
  cancelRequestedAt: (row) => instant(row.cancelRequestedAt),
  ...Object.fromEntries(["cancelledBy", "cancelReason", "parentUUID"].map((name) => [name, (row) => row[name]])),
  Context: (row) => json(row.Context),
  Response: (row) => json(row.Response),
};

/** The first line of a table of activities. */
export const HEAD = csv([Object.keys(COLUMNS)]);

/** A line for each activity. */
export function table(rows) {
  return csv(rows.map((row) => Object.values(COLUMNS).map((value) => value(row))));
}
