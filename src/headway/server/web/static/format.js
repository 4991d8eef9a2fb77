// How figures are told to people. All functions are pure: rows as the wire has them, times in seconds.

const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** The whole percent, as text; empty while nobody knows. */
export function percent(row) {
  return row.progress < 0 ? "" : `${row.progress} %`;
}

/** From 0 to 1, as fine as the server knows it; null while nobody knows. */
export function fraction(row) {
  if (row.progress < 0) return null;
  return row.fraction ?? row.progress / 100;
}

/** An amount of a unit; bytes by their size. */
export function amount(value, unit) {
  if (unit === "bytes" || unit === "B") {
    const step = value < 1 ? 0 : Math.min(BYTES.length - 1, Math.floor(Math.log2(value) / 10));
    return `${number.format(value / 1024 ** step)} ${BYTES[step]}`;
  }
  const told = Math.abs(value) < 1e6 ? number.format(value) : compact.format(value);
  return unit ? `${told} ${unit}` : told;
}

/** How many of how many; empty where nothing is counted. */
export function counts(row) {
  if (row.completed === undefined) return "";
  if (row.total === undefined) return amount(row.completed, row.unit);
  const bytes = row.unit === "bytes" || row.unit === "B";
  return `${amount(row.completed, bytes ? row.unit : "")} of ${amount(row.total, row.unit)}`;
}

/** Units a second; for what is slow, a minute or an hour. */
export function rate(row) {
  if (row.rate === undefined || row.completed === undefined || row.rate <= 0) return "";
  for (const [seconds, name] of [[1, "s"], [60, "min"], [3600, "h"]]) {
    if (row.rate * seconds >= 1 || name === "h") return `${amount(row.rate * seconds, row.unit)}/${name}`;
  }
  return "";
}

/** A length of time: "40 ms", "4.2 s", "3:07", "2 h 05", "3 d 4 h". */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (seconds > 0 && seconds < 0.095) return `${Math.ceil(seconds * 1000)} ms`;
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** How long it has been running, or has run. */
export function elapsed(row, now) {
  return row.startedAt === undefined ? "" : span((row.endedAt ?? now) - row.startedAt);
}

/** What is left, in words; empty while nobody knows. */
export function remaining(row, now) {
  if (row.eta === undefined || row.endedAt !== undefined) return "";
  const left = row.eta - Math.max(0, now - (row.updatedAt ?? now));
  return left <= 0 ? "any moment" : `${span(left)} left`;
}

const sameDay = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const otherDay = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** A moment, with its date unless it is today. */
export function moment(seconds, now) {
  const date = new Date(seconds * 1000);
  const today = new Date(now * 1000).toDateString() === date.toDateString();
  return (today ? sameDay : otherDay).format(date);
}
