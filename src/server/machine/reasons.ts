/**
 * Every "no" that the machine says, in one place. What a reason means to a caller, and with which status it travels,
 * stands in `reason.proto` and `wire/error-wire.ts`.
 */
export type Reason =
  | "LIMITER_NOT_FOUND"
  | "LEASE_NOT_FOUND"
  | "LEASE_SECRET_MISMATCH"
  | "WAITER_NOT_FOUND"
  | "CLAIM_EXCEEDS_LIMIT"
  | "REQUEST_ID_REUSED"
  | "DECLARED"
  | "LIMITER_EXISTS"
  | "KEY_REQUIRED"
  | "KEY_NOT_ALLOWED"
  | "CONCURRENCY_EXHAUSTED"
  | "RATE_EXHAUSTED"
  | "WAITERS_AHEAD"
  | "PAUSED"
  | "LEARNING"
  | "QUEUE_FULL"
  | "KEYS_EXHAUSTED"
  | "WAIT_TOO_LONG"
  | "WAIT_TIMEOUT"
  | "ETAG_MISMATCH"
  | "WAITER_CANCELLED"
  | "WAITER_DISPLACED"
  | "LEASE_REVOKED"
  | "LEASE_EXPIRED"
  | "LEASE_DISPLACED"
  | "LIMITER_DELETED"
  | "LEASE_ENDED"
  | "BOARD_NOT_FOUND"
  | "CARD_NOT_FOUND"
  | "STAGE_NOT_FOUND"
  | "STAGE_NOT_EMPTY"
  | "BOARD_NOT_EMPTY"
  | "CARD_STATE"
  | "FIRST_STAGE"
  | "BOARD_EXISTS"
  | "CARD_EXISTS"
  | "STAGE_FULL"
  | "NO_CARD"
  | "BOARD_FULL"
  | "STALE_FENCING_TOKEN"
  | "CARD_DELETED"
  | "CARD_BLOCKED"
  | "REQUEST_WITHDRAWN";

/** A "no" with its reason: a value, never thrown. */
export interface Refusal {
  readonly kind: "refused";
  readonly reason: Reason;
  /** The limiter that said no; empty where the "no" is not a limiter's. */
  readonly limiter: string;
  readonly key: string;
  /** Which of the request's claims it was about; -1 where none. */
  readonly claim: number;
  /** µs until the same request can be granted at the earliest; undefined where nobody can know, or never. */
  readonly retryAfter: number | undefined;
  readonly waitersAhead: number;
  /** Where on a board; undefined where the "no" is not a board's. */
  readonly at: BoardPlace | undefined;
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
  };
}
