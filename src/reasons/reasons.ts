/**
 * The one table of reasons: each "no" of the contract (`reason.proto`), the status that it travels with, and whether asking
 * again helps. Server, client and in-process limiter read it; the compiler asks for the rest of a reason that is new here.
 */

/** The gRPC status code of an error, by its name. */
export type StatusCode =
  | "CANCELLED"
  | "UNKNOWN"
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

/**
 * Whether the same request may succeed later. `"now"`: it is refused for now, and may succeed unchanged. `"never"`: it needs
 * another request, or another configuration. `"ended"`: what it was about has ended; a new request may be made.
 */
export type When = "now" | "never" | "ended";

interface Row {
  readonly code: StatusCode;
  readonly when: When;
  /** The calls that do not wait (TryAcquire, TryPullCard) return it as their answer, and no error. */
  readonly isAnswer?: true;
}

export const REASONS = {
  LIMITER_NOT_FOUND: { code: "NOT_FOUND", when: "never" },
  LEASE_NOT_FOUND: { code: "NOT_FOUND", when: "never" },
  WAITER_NOT_FOUND: { code: "NOT_FOUND", when: "never" },
  BOARD_NOT_FOUND: { code: "NOT_FOUND", when: "never" },
  CARD_NOT_FOUND: { code: "NOT_FOUND", when: "never" },
  STAGE_NOT_FOUND: { code: "NOT_FOUND", when: "never" },
  SESSION_NOT_FOUND: { code: "NOT_FOUND", when: "ended" },

  CLAIM_EXCEEDS_LIMIT: { code: "FAILED_PRECONDITION", when: "never" },
  REQUEST_ID_REUSED: { code: "FAILED_PRECONDITION", when: "never" },
  DECLARED: { code: "FAILED_PRECONDITION", when: "never" },
  STAGE_NOT_EMPTY: { code: "FAILED_PRECONDITION", when: "never" },
  BOARD_NOT_EMPTY: { code: "FAILED_PRECONDITION", when: "never" },
  CARD_STATE: { code: "FAILED_PRECONDITION", when: "never" },
  FIRST_STAGE: { code: "FAILED_PRECONDITION", when: "never" },
  HTTP_VERSION_TOO_OLD: { code: "FAILED_PRECONDITION", when: "never" },

  NOT_ALLOWED: { code: "PERMISSION_DENIED", when: "never" },
  FOREIGN_PAGE: { code: "PERMISSION_DENIED", when: "never" },
  LEASE_SECRET_MISMATCH: { code: "PERMISSION_DENIED", when: "never" },

  UNAUTHENTICATED: { code: "UNAUTHENTICATED", when: "never" },
  CREDENTIAL_EXPIRED: { code: "UNAUTHENTICATED", when: "never" },

  LIMITER_EXISTS: { code: "ALREADY_EXISTS", when: "never" },
  BOARD_EXISTS: { code: "ALREADY_EXISTS", when: "never" },
  CARD_EXISTS: { code: "ALREADY_EXISTS", when: "never" },

  INVALID_REQUEST: { code: "INVALID_ARGUMENT", when: "never" },
  /** These two travel as INVALID_REQUEST, with the field that breaks the rule. */
  KEY_REQUIRED: { code: "INVALID_ARGUMENT", when: "never" },
  KEY_NOT_ALLOWED: { code: "INVALID_ARGUMENT", when: "never" },

  CONCURRENCY_EXHAUSTED: { code: "RESOURCE_EXHAUSTED", when: "now", isAnswer: true },
  RATE_EXHAUSTED: { code: "RESOURCE_EXHAUSTED", when: "now", isAnswer: true },
  WAITERS_AHEAD: { code: "RESOURCE_EXHAUSTED", when: "now", isAnswer: true },
  PAUSED: { code: "RESOURCE_EXHAUSTED", when: "now", isAnswer: true },
  LEARNING: { code: "RESOURCE_EXHAUSTED", when: "now", isAnswer: true },
  KEYS_EXHAUSTED: { code: "RESOURCE_EXHAUSTED", when: "now", isAnswer: true },
  STAGE_FULL: { code: "RESOURCE_EXHAUSTED", when: "now", isAnswer: true },
  NO_CARD: { code: "RESOURCE_EXHAUSTED", when: "now", isAnswer: true },
  QUEUE_FULL: { code: "RESOURCE_EXHAUSTED", when: "now" },
  CALLER_QUOTA: { code: "RESOURCE_EXHAUSTED", when: "now" },
  WAIT_TOO_LONG: { code: "RESOURCE_EXHAUSTED", when: "now" },
  BOARD_FULL: { code: "RESOURCE_EXHAUSTED", when: "now" },
  TOO_MANY_LIMITERS: { code: "RESOURCE_EXHAUSTED", when: "now" },
  TOO_MANY_BOARDS: { code: "RESOURCE_EXHAUSTED", when: "now" },
  TOO_MANY_STREAMS: { code: "RESOURCE_EXHAUSTED", when: "now" },
  TOO_MANY_COMMANDS: { code: "RESOURCE_EXHAUSTED", when: "now" },
  WAIT_TIMEOUT: { code: "DEADLINE_EXCEEDED", when: "now" },
  DRAINING: { code: "UNAVAILABLE", when: "now" },
  NOT_KEPT: { code: "UNAVAILABLE", when: "now" },
  NOT_AUDITED: { code: "UNAVAILABLE", when: "now" },
  ENGINE_UNAVAILABLE: { code: "UNAVAILABLE", when: "now" },

  ETAG_MISMATCH: { code: "ABORTED", when: "never" },
  WAITER_CANCELLED: { code: "ABORTED", when: "ended" },
  WAITER_DISPLACED: { code: "ABORTED", when: "ended" },
  LEASE_REVOKED: { code: "ABORTED", when: "ended" },
  LEASE_EXPIRED: { code: "ABORTED", when: "ended" },
  LEASE_DISPLACED: { code: "ABORTED", when: "ended" },
  LIMITER_DELETED: { code: "ABORTED", when: "ended" },
  LEASE_ENDED: { code: "ABORTED", when: "ended" },
  STALE_FENCING_TOKEN: { code: "ABORTED", when: "ended" },
  CARD_DELETED: { code: "ABORTED", when: "ended" },
  CARD_BLOCKED: { code: "ABORTED", when: "ended" },
  REQUEST_WITHDRAWN: { code: "ABORTED", when: "ended" },
  SESSION_DISPLACED: { code: "ABORTED", when: "ended" },
} as const satisfies Record<string, Row>;

/** A reason that has a row. */
export type KnownReason = keyof typeof REASONS;

/** Returns whether the same request may succeed later, unchanged. */
export function isNotNow(reason: KnownReason): boolean {
  return REASONS[reason].when === "now";
}

/** Returns whether a call that does not wait returns this reason as its answer; it throws any other. */
export function isAnswer(reason: KnownReason): boolean {
  const row: Row = REASONS[reason];
  return row.isAnswer === true;
}

/** ms after which to ask again where an error says "not now" and the time cannot be known, so that callers back off. */
export const FALLBACK_RETRY_MS = 1_000;
