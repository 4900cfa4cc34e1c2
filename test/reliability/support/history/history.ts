/** What clients have asked and heard, as each of them saw it: enough to tell whether the server has kept its promises. */

import { readFileSync } from "node:fs";

/** One request. Times are µs by the machine's monotonic clock, which all its processes share. */
export interface Attempt {
  readonly kind: "attempt";
  /** Empty: none. Attempts with the same id are one request, asked again. */
  readonly requestId: string;
  readonly claims: readonly AskedClaim[];
  readonly sent: number;
  /** When it was first heard that it waits: by then it stood in the queue. */
  readonly queued?: number | undefined;
  readonly outcome: Outcome;
}

export interface AskedClaim {
  readonly limiter: string;
  readonly key: string;
}

export type Outcome =
  | {
      readonly kind: "granted";
      readonly heard: number;
      readonly leaseId: string;
      readonly held: readonly HeldClaim[];
      /** Until then it was surely held: its end was asked for no sooner, and its time had not run out. */
      readonly until: number;
    }
  | {
      readonly kind: "not granted";
      /** Until then, if it was queued, it surely waited: later it was refused as its time was over. Zero: unknown. */
      readonly waitedUntil: number;
    };

export interface HeldClaim extends AskedClaim {
  readonly permits: number;
  readonly tokens: number;
  readonly fencingToken: number;
  readonly slots: readonly number[];
}

/** An answer that no order of events explains, such as a first release of what had ended already. */
export interface Surprise {
  readonly kind: "surprise";
  readonly what: string;
}

export type HistoryLine = Attempt | Surprise;

export function readHistory(path: string): readonly HistoryLine[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as HistoryLine);
}

/** µs; the only clock of a history. */
export function micros(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1e6 + nanos / 1e3;
}
