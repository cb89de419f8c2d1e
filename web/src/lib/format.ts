// Numbers, sizes and times as people read them.

const whole = new Intl.NumberFormat("en-US");
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export const count = (n: number | null | undefined): string => (n == null ? "–" : whole.format(n));
export const short = (n: number | null | undefined): string => (n == null ? "–" : n < 10_000 ? whole.format(Math.round(n)) : compact.format(n));
/** A number of which only a sample was kept is not told as if it had been counted. */
export const about = (text: string, estimated: boolean | undefined): string => (estimated ? `≈ ${text}` : text);
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

export function bytes(n: number | null | undefined): string {
  if (n == null) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  let at = 0;
  while (n >= 1000 && at < units.length - 1) {
    n /= 1000;
    at++;
  }
  return `${at === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[at]}`;
}

export function duration(ms: number | null | undefined): string {
  if (ms == null || Number.isNaN(ms)) return "–";
  if (ms === 0) return "0 ms";
  if (ms < 1) return `${Math.max(1, Math.round(ms * 1000))} µs`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(ms < 9_995 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
  return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
}

/** For an axis, whose values are round already. */
export function axisDuration(ms: number): string {
  if (ms === 0) return "0";
  return ms < 1000 ? `${+ms.toPrecision(3)} ms` : ms < 60_000 ? `${+(ms / 1000).toPrecision(3)} s` : `${+(ms / 60_000).toPrecision(3)} min`;
}

export function ago(when: string | null | undefined, now: number = Date.now()): string {
  if (!when) return "never";
  const seconds = Math.round((now - Date.parse(when)) / 1000);
  if (Number.isNaN(seconds)) return "–";
  const past = seconds >= 0;
  const s = Math.abs(seconds);
  if (s < 5) return "now";
  const text =
    s < 60
      ? `${s}s`
      : s < 3600
        ? `${Math.floor(s / 60)}m`
        : s < 86_400
          ? `${Math.floor(s / 3600)}h`
          : s < 86_400 * 60
            ? `${Math.floor(s / 86_400)}d`
            : `${Math.floor(s / 2_592_000)}mo`;
  return past ? `${text} ago` : `in ${text}`;
}

const stamp = new Intl.DateTimeFormat("en-GB", {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat("en-GB", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const fullTime = (when: string | null | undefined): string => (when ? stamp.format(new Date(when)) : "–");
/** Today's times without the date. */
export function listTime(when: string, now: Date = new Date()): string {
  const date = new Date(when);
  return (date.toDateString() === now.toDateString() ? clock : dayAndClock).format(date);
}

export const digest = (text: string | null | undefined, length = 10): string => (text ? text.replace(/^sha256:/, "").slice(0, length) : "–");
export const score = (n: number | null | undefined, digits = 3): string => (n == null ? "–" : n.toFixed(digits));

/** A source's address as people write it: paths are paths. */
export function place(uri: string): string {
  if (!uri.startsWith("file://")) return uri;
  try {
    return decodeURI(uri.slice("file://".length));
  } catch {
    return uri.slice("file://".length);
  }
}

/** The stages that an answer or a search names, in the page's words. */
const STAGES: Record<string, string> = { legs: "find", take: "read", pack: "choose", first_token: "first token" };
export const stageName = (stage: string): string => STAGES[stage] ?? stage.replaceAll("_", " ");

/** Dollars as the server writes them. A call often costs a small part of a cent, which two decimals would call nothing. */
export function money(dollars: string | number | null | undefined): string {
  if (dollars == null) return "–";
  const n = Number(dollars);
  if (Number.isNaN(n)) return "–";
  if (n === 0) return "$0";
  const digits = Math.abs(n) >= 1 ? 2 : Math.min(12, Math.max(2, 1 - Math.floor(Math.log10(Math.abs(n)))));
  return `${n < 0 ? "−" : ""}$${Math.abs(n).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

/** The same for a column, where a hundredth of a cent and less has no room. */
export function moneyBrief(dollars: string | number | null | undefined): string {
  const n = Number(dollars);
  return n > 0 && n < 0.0001 ? "<$0.0001" : money(dollars);
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export function percent(part: number, all: number): string {
  if (all === 0) return "0%";
  const share = (100 * part) / all;
  return share > 0 && share < 0.1 ? "<0.1%" : `${share < 10 && share % 1 !== 0 ? share.toFixed(1) : Math.round(share)}%`;
}
