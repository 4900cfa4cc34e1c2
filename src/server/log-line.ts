/** A line of the log as people read it: `12:03:04 WARN  the data folder is full (folder=/data)`. */

const LEVELS: Readonly<Record<number, string>> = { 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR" };

interface Entry {
  readonly level: number;
  readonly time: number;
  readonly msg: string;
  /** Its name, for programs. */
  readonly event?: string;
  readonly err?: { readonly message: string; readonly stack?: string };
  readonly [field: string]: unknown;
}

/** Returns the line for one JSON object of the log, in the time of this place. */
export function readableLine(json: string): string {
  const { level, time, msg, event: _, err, ...fields }: Entry = JSON.parse(json);
  const clock = new Date(time).toTimeString().slice(0, 8);
  const about = Object.entries(fields).map(([name, value]) => `${name}=${textOf(value)}`);
  const trace = err === undefined ? "" : `\n  ${(err.stack ?? err.message).replaceAll("\n", "\n  ")}`;
  return `${clock} ${(LEVELS[level] ?? "").padEnd(5)} ${msg}${about.length > 0 ? ` (${about.join(", ")})` : ""}${trace}\n`;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
