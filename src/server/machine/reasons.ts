/** Every "no" that the machine says. What each means to a caller stands in the table of reasons. */

import type { KnownReason } from "../../reasons/reasons.ts";

/** The reasons that are the machine's; the others are said before a request reaches it, or when the server stops. */
export type Reason = Exclude<
  KnownReason,
  | "INVALID_REQUEST"
  | "DRAINING"
  | "NOT_KEPT"
  | "TOO_MANY_STREAMS"
  | "TOO_MANY_COMMANDS"
  | "HTTP_VERSION_TOO_OLD"
  | "NOT_ALLOWED"
  | "FOREIGN_PAGE"
  | "UNAUTHENTICATED"
  | "CREDENTIAL_EXPIRED"
>;

/** What keeps a waiter from its grant. */
export type WaitReason = Extract<
  Reason,
  "WAITERS_AHEAD" | "CONCURRENCY_EXHAUSTED" | "RATE_EXHAUSTED" | "PAUSED" | "LEARNING"
>;

/** A "no" with its reason: a value, never thrown. */
export interface Refusal {
  readonly kind: "refused";
  readonly reason: Reason;
  /** The limiter that said no; empty where the "no" is not a limiter's. */
  readonly limiter: string;
  readonly key: string;
  /** Which of the request's claims it was about; -1 where none. */
  readonly claim: number;
  /** µs until the same request can be granted at the earliest; undefined where it cannot be known, or never. */
  readonly retryAfter: number | undefined;
  readonly waitersAhead: number;
  /** Where on a board; undefined where the "no" is not a board's. */
  readonly at: BoardPlace | undefined;
  /** What was asked for, and the limit that it met. */
  readonly numbers: RefusalNumbers;
}

/** The numbers that explain a refusal: each has the name of its field in the contract. Spans are µs. */
export interface RefusalNumbers {
  readonly permits?: number | undefined;
  readonly permitsInUse?: number | undefined;
  readonly maxConcurrent?: number | undefined;
  readonly tokens?: number | undefined;
  readonly tokensAvailable?: number | undefined;
  readonly burstSize?: number | undefined;
  readonly maxWaiters?: number | undefined;
  /** Waiters and leases of one caller. */
  readonly waiters?: number | undefined;
  readonly leases?: number | undefined;
  readonly maxLeases?: number | undefined;
  readonly maxConnections?: number | undefined;
  readonly maxRequestsPerSecond?: number | undefined;
  readonly maxKeys?: number | undefined;
  readonly estimatedWait?: number | undefined;
  readonly maxWait?: number | undefined;
  /** How long the caller has waited. */
  readonly waited?: number | undefined;
  readonly cards?: number | undefined;
  readonly wipLimit?: number | undefined;
  readonly maxCards?: number | undefined;
  readonly maxPullers?: number | undefined;
  readonly limiters?: number | undefined;
  readonly maxLimiters?: number | undefined;
  readonly boards?: number | undefined;
  readonly maxBoards?: number | undefined;
}

/** A place on a board; what is empty is not meant. */
export interface BoardPlace {
  readonly board: string;
  readonly stage: string;
  readonly card: string;
}

interface RefusalDetails {
  readonly limiter?: string;
  readonly key?: string;
  readonly claim?: number;
  readonly retryAfter?: number | undefined;
  readonly waitersAhead?: number;
  readonly at?: Partial<BoardPlace> | undefined;
  readonly numbers?: RefusalNumbers;
}

export function refusal(reason: Reason, details: RefusalDetails = {}): Refusal {
  return {
    kind: "refused",
    reason,
    limiter: details.limiter ?? "",
    key: details.key ?? "",
    claim: details.claim ?? -1,
    retryAfter: details.retryAfter,
    waitersAhead: details.waitersAhead ?? 0,
    at: details.at && { board: "", stage: "", card: "", ...details.at },
    numbers: details.numbers ?? NO_NUMBERS,
  };
}

const NO_NUMBERS: RefusalNumbers = {};
