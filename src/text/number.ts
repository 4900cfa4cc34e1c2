/** Numbers and instants as people read them. */

/** `0`, `0.25`, `3.1`, `48`, `1,250`: three digits or the whole number. */
export function formatNumber(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const [whole = "", fraction] = String(Number(value.toFixed(digits))).split(".");
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** As it was chosen: `0.001` stays that. */
export function formatExactly(value: number): string {
  return Number(value.toFixed(3)).toString();
}

/** `2026-11-24 20:15:03`, by the clock on the wall here. */
export function formatInstant(date: Date): string {
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(twoDigits).join("-");
  return `${day} ${formatTimeOfDay(date)}`;
}

/** `20:15:03`, by the clock on the wall here. */
export function formatTimeOfDay(date: Date): string {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(":");
}

/** `1 lease`, `3 leases`. */
export function formatCount(count: number | bigint, noun: string): string {
  return `${formatNumber(Number(count))} ${noun}${Number(count) === 1 ? "" : "s"}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
