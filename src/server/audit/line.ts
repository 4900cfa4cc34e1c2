/** A line of the audit file: JSON, with the SHA-256 of the line before it and one of its own. */

import { createHash } from "node:crypto";

/** What a line tells, in fields of the event's own. */
export interface AuditEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Where a chain stands. */
export interface ChainEnd {
  /** The number of the last line; 0: there is none. */
  readonly seq: number;
  /** Its SHA-256. */
  readonly digest: string;
}

/** Of what has no line yet. */
export const BEGINNING: ChainEnd = { seq: 0, digest: "0".repeat(64) };

/** What is read of a line: where the chain stands behind it, or what is wrong with it. */
export type LineReading =
  | { readonly kind: "whole"; readonly end: ChainEnd; readonly prev: string }
  | { readonly kind: "broken"; readonly why: string };

const OWN = /^(\{.*),"own":"([0-9a-f]{64})"\}$/;

/** Returns the next line, without its line break, and where the chain stands behind it. `time`: ms since 1970. */
export function nextLine(
  { seq, digest }: ChainEnd,
  time: number,
  event: AuditEvent,
): { readonly text: string; readonly end: ChainEnd } {
  const fields = { seq: seq + 1, time: new Date(time).toISOString(), ...event, prev: digest };
  const whole = JSON.stringify(fields);
  const text = `${whole.slice(0, -1)},"own":"${sha256(whole)}"}`;
  return { text, end: { seq: seq + 1, digest: sha256(text) } };
}

/** Reads a line by itself. */
export function readLine(text: string): LineReading {
  const [, content, own] = OWN.exec(text) ?? [];
  if (content === undefined) return { kind: "broken", why: "it is no line of an audit file, or was cut off" };
  const whole = `${content}}`;
  if (sha256(whole) !== own) return { kind: "broken", why: "it was changed: its own SHA-256 is another" };
  const { seq, prev } = JSON.parse(whole) as { readonly seq: number; readonly prev: string };
  return { kind: "whole", end: { seq, digest: sha256(text) }, prev };
}

/** Returns what is wrong with a line behind another; undefined: nothing. */
export function gapBetween(
  before: ChainEnd,
  { end, prev }: Extract<LineReading, { kind: "whole" }>,
): string | undefined {
  if (end.seq !== before.seq + 1) return `line ${before.seq + 1} of the chain is missing: it is line ${end.seq}`;
  return prev === before.digest ? undefined : "it does not follow the line before, which was changed or put in";
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
