/** What is observed of a server that answers: plain values, of which the checks make findings. */

import type { Board } from "../../client/api/board.ts";
import type { Limiter } from "../../client/api/limiter.ts";

export interface Observations {
  readonly address: string;
  readonly clientVersion: string;
  /** ms of each call that was timed. */
  readonly roundTrips: readonly number[];
  /** What stands between, as the headers of an answer say; undefined: nothing that says so. */
  readonly proxy: string | undefined;
  /** Services by name with whether each serves; the empty name is the server as a whole. */
  readonly health: ReadonlyMap<string, boolean>;
  /** Undefined: the server does not say. */
  readonly server: ServerFacts | undefined;
  readonly web: WebPort;
  readonly limiters: readonly Limiter[];
  readonly boards: readonly Board[];
}

export interface ServerFacts {
  /** Empty: an older server, which does not say. */
  readonly version: string;
  /** ms by which its clock is ahead of this one's; undefined: it does not say. Off by half a round trip at most. */
  readonly clockAhead: number | undefined;
  readonly draining: boolean;
  /** ms for which it grants nothing still. */
  readonly learningFor: number;
  /** Empty: there is none. */
  readonly storeProblem: string;
  /** The first of what is wrong with its file as it was read last; how many there are. */
  readonly fileProblems: readonly string[];
  readonly fileProblemCount: number;
  readonly keeps: "nothing" | "no-leases" | "process" | "disk";
  /** Fields of its file that wait for its next start. */
  readonly restartFields: readonly string[];
  /** Where it serves gRPC, as its configuration says: host:port. */
  readonly listens: string;
  /** Undefined: it does not say. */
  readonly load: LoadFacts | undefined;
}

/** What a server carries over all its threads. */
export interface LoadFacts {
  readonly streams: number;
  readonly connections: number;
  /** ms by which timers came late in the last minute, where that was worst: 99 of 100 not later than `p99`. */
  readonly p99: number;
  readonly longest: number;
  readonly thread: string;
  /** Bytes. */
  readonly heapUsed: number;
  /** Undefined: nothing is kept, or it does not say. */
  readonly storeBytes: number | undefined;
}

export type WebPort =
  | { readonly kind: "reached"; readonly url: string }
  | { readonly kind: "unreachable"; readonly url: string; readonly why: string }
  /** It listens where this machine is not, or on any port that was free. */
  | { readonly kind: "unknown" };

/** ms: the median of the round trips. */
export function medianOf(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
