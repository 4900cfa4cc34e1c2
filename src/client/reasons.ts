/** Why the service said no. Free of any transport, so that the in-process limiter speaks the same words. */

/**
 * Every reason that the contract knows (`reason.proto`), without its prefix; `"UNKNOWN"` stands for one that only a
 * newer server knows. "Not now" can be tried again; "never" needs another request or another configuration.
 */
export type Reason =
  // Never, as things stand.
  | "LIMITER_NOT_FOUND"
  | "LEASE_NOT_FOUND"
  | "WAITER_NOT_FOUND"
  | "BOARD_NOT_FOUND"
  | "CARD_NOT_FOUND"
  | "STAGE_NOT_FOUND"
  | "CLAIM_EXCEEDS_LIMIT"
  | "REQUEST_ID_REUSED"
  | "DECLARED"
  | "STAGE_NOT_EMPTY"
  | "BOARD_NOT_EMPTY"
  | "CARD_STATE"
  | "FIRST_STAGE"
  | "LEASE_SECRET_MISMATCH"
  | "LIMITER_EXISTS"
  | "BOARD_EXISTS"
  | "CARD_EXISTS"
  | "INVALID_REQUEST"
  // Not now.
  | "CONCURRENCY_EXHAUSTED"
  | "RATE_EXHAUSTED"
  | "WAITERS_AHEAD"
  | "PAUSED"
  | "LEARNING"
  | "QUEUE_FULL"
  | "KEYS_EXHAUSTED"
  | "WAIT_TOO_LONG"
  | "STAGE_FULL"
  | "NO_CARD"
  | "BOARD_FULL"
  | "WAIT_TIMEOUT"
  | "DRAINING"
  | "TOO_MANY_STREAMS"
  // Somebody else was faster, or an operator stepped in.
  | "ETAG_MISMATCH"
  | "WAITER_CANCELLED"
  | "WAITER_DISPLACED"
  | "LEASE_REVOKED"
  | "LEASE_EXPIRED"
  | "LEASE_DISPLACED"
  | "LIMITER_DELETED"
  | "LEASE_ENDED"
  | "STALE_FENCING_TOKEN"
  | "CARD_DELETED"
  | "CARD_BLOCKED"
  | "REQUEST_WITHDRAWN"
  | "UNKNOWN";
