/** Refusals as they travel: the only file that knows status codes. */

import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../gen/google/rpc/error_details_pb.ts";
import type { Reason, Refusal } from "../machine/reasons.ts";
import { microsToDuration } from "./time-wire.ts";

export { Code };

/** What a detail of an error says, before it is packed. */
export interface WireDetail {
  readonly desc: DescMessage;
  readonly value: MessageInitShape<DescMessage>;
}

/** An error that the caller is meant to see, as every transport sends it. */
export class WireError extends Error {
  override readonly name = "WireError";
  readonly code: Code;
  readonly details: readonly WireDetail[];

  constructor(code: Code, message: string, details: readonly WireDetail[] = []) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** What a field of a request did wrong; `field` is its path, as `claims[1].key`. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
  /** Which rule, for programs. */
  readonly reason: string;
}

/** The reasons that are no machine's. */
type ServerReason = "INVALID_REQUEST" | "DRAINING";

const DOMAIN = "ggen.backpressure";

/**
 * What an error says of a request at most: errors travel in headers and trailers, of which clients take a few KB, and end
 * their connection, with every lease on it, where there are more.
 */
const MAX_VIOLATIONS = 8;
const MAX_TEXT = 300;

const CODES: Record<Reason, Code> = {
  LIMITER_NOT_FOUND: Code.NotFound,
  LEASE_NOT_FOUND: Code.NotFound,
  WAITER_NOT_FOUND: Code.NotFound,
  CLAIM_EXCEEDS_LIMIT: Code.FailedPrecondition,
  REQUEST_ID_REUSED: Code.FailedPrecondition,
  DECLARED: Code.FailedPrecondition,
  LEASE_SECRET_MISMATCH: Code.PermissionDenied,
  LIMITER_EXISTS: Code.AlreadyExists,
  KEY_REQUIRED: Code.InvalidArgument,
  KEY_NOT_ALLOWED: Code.InvalidArgument,
  CONCURRENCY_EXHAUSTED: Code.ResourceExhausted,
  RATE_EXHAUSTED: Code.ResourceExhausted,
  WAITERS_AHEAD: Code.ResourceExhausted,
  PAUSED: Code.ResourceExhausted,
  LEARNING: Code.ResourceExhausted,
  QUEUE_FULL: Code.ResourceExhausted,
  KEYS_EXHAUSTED: Code.ResourceExhausted,
  WAIT_TOO_LONG: Code.ResourceExhausted,
  WAIT_TIMEOUT: Code.DeadlineExceeded,
  ETAG_MISMATCH: Code.Aborted,
  WAITER_CANCELLED: Code.Aborted,
  WAITER_DISPLACED: Code.Aborted,
  LEASE_REVOKED: Code.Aborted,
  LEASE_EXPIRED: Code.Aborted,
  LEASE_DISPLACED: Code.Aborted,
  LIMITER_DELETED: Code.Aborted,
  LEASE_ENDED: Code.Aborted,
  BOARD_NOT_FOUND: Code.NotFound,
  CARD_NOT_FOUND: Code.NotFound,
  STAGE_NOT_FOUND: Code.NotFound,
  STAGE_NOT_EMPTY: Code.FailedPrecondition,
  BOARD_NOT_EMPTY: Code.FailedPrecondition,
  CARD_STATE: Code.FailedPrecondition,
  FIRST_STAGE: Code.FailedPrecondition,
  BOARD_EXISTS: Code.AlreadyExists,
  CARD_EXISTS: Code.AlreadyExists,
  STAGE_FULL: Code.ResourceExhausted,
  NO_CARD: Code.ResourceExhausted,
  BOARD_FULL: Code.ResourceExhausted,
  STALE_FENCING_TOKEN: Code.Aborted,
  CARD_DELETED: Code.Aborted,
  CARD_BLOCKED: Code.Aborted,
  REQUEST_WITHDRAWN: Code.Aborted,
};

/** The "not now" that brings a RetryInfo even where nobody can know the time, so that clients back off. */
const FALLBACK_RETRY_MICROS = 1_000_000;
const NOT_NOW: ReadonlySet<Reason> = new Set([
  "CONCURRENCY_EXHAUSTED",
  "RATE_EXHAUSTED",
  "WAITERS_AHEAD",
  "PAUSED",
  "LEARNING",
  "QUEUE_FULL",
  "KEYS_EXHAUSTED",
  "WAIT_TOO_LONG",
  "STAGE_FULL",
  "NO_CARD",
  "BOARD_FULL",
]);

/** A refusal as the error that it is where it is one. */
export function refusalError(refusal: Refusal): WireError {
  if (refusal.reason === "KEY_REQUIRED" || refusal.reason === "KEY_NOT_ALLOWED") {
    const field = refusal.claim < 0 ? "key" : `claims[${refusal.claim}].key`;
    return invalidRequest([{ field, description: refusalMessage(refusal), reason: refusal.reason }]);
  }
  const code = CODES[refusal.reason];
  const details = [errorInfo(refusal.reason, { limiter: refusal.limiter, key: refusal.key, ...refusal.at })];
  if (code === Code.NotFound || code === Code.AlreadyExists) {
    const [resourceType] = refusal.reason.toLowerCase().split("_", 1);
    details.push(detail(ResourceInfoSchema, { resourceType, resourceName: clip(resourceName(refusal, resourceType)) }));
  }
  if (NOT_NOW.has(refusal.reason)) {
    const retryDelay = microsToDuration(refusal.retryAfter ?? FALLBACK_RETRY_MICROS);
    details.push(detail(RetryInfoSchema, { retryDelay }));
  }
  return new WireError(code, refusalMessage(refusal), details);
}

/** A request that breaks rules of the contract; `violations` is not empty, and the first few of them are told. */
export function invalidRequest(violations: readonly FieldViolation[]): WireError {
  const fieldViolations = violations
    .slice(0, MAX_VIOLATIONS)
    .map(({ field, description, reason }) => ({ field, description: clip(description), reason }));
  const summary = fieldViolations
    .map(({ field, description }) => (field === "" ? description : `${field}: ${description}`))
    .join("; ");
  return new WireError(Code.InvalidArgument, summary, [
    errorInfo("INVALID_REQUEST", {}),
    detail(BadRequestSchema, { fieldViolations }),
  ]);
}

/** µs after which somebody who is sent away from a server that stops may try again. */
const RETRY_AFTER_DRAIN = 1_000_000;

/** The server is about to stop; `retryAfter` in µs. */
export function draining(retryAfter = RETRY_AFTER_DRAIN): WireError {
  return new WireError(Code.Unavailable, "the server is about to stop and takes nothing new; try another, or later", [
    errorInfo("DRAINING", {}),
    detail(RetryInfoSchema, { retryDelay: microsToDuration(retryAfter) }),
  ]);
}

/** The server stops before an answer could be given: nobody can say whether it is done. */
export function sentAway(): WireError {
  const { code, details } = draining();
  const message =
    "the server stops before it could keep what was asked, which may be done or not; ask again, with the same request_id " +
    "if there was one";
  return new WireError(code, message, details);
}

/** A bug, with nothing of its inside: whoever sends it has logged that whole. */
export function internalError(): WireError {
  return new WireError(Code.Internal, "an internal error; the server's log says more");
}

/** A refusal in one sentence for people. */
export function refusalMessage(refusal: Refusal): string {
  return MESSAGES[refusal.reason](subjectOf(refusal), refusal);
}

/** What a refusal is about: a limiter and perhaps its key, or a place on a board. */
function subjectOf({ limiter, key, at }: Refusal): string {
  if (at === undefined) return `limiter ${quote(limiter)}${key === "" ? "" : ` (key ${quote(key)})`}`;
  const card = at.card === "" ? "" : `card ${quote(at.card)} of `;
  const stage = at.stage === "" ? "" : `stage ${quote(at.stage)} of `;
  return `${card}${card === "" ? stage : ""}board ${quote(at.board)}`;
}

/** The name of the thing of this type that a refusal is about. */
function resourceName({ limiter, at }: Refusal, resourceType: string | undefined): string {
  switch (resourceType) {
    case "board":
      return at?.board ?? "";
    case "stage":
      return at?.stage ?? "";
    case "card":
      return at?.card ?? "";
    default:
      return limiter;
  }
}

const MESSAGES: Record<Reason, (name: string, refusal: Refusal) => string> = {
  LIMITER_NOT_FOUND: (name) => `there is no ${name}, or it is being deleted; ListLimiters says what there is`,
  LEASE_NOT_FOUND: () => "no lease has this id, or it ended long ago",
  WAITER_NOT_FOUND: () => "nobody waits under this id; they may have been granted, or have left",
  CLAIM_EXCEEDS_LIMIT: (name) => `${name} never has as much as the claim asks, not even when idle`,
  REQUEST_ID_REUSED: () => "this request_id was used for another call or other claims; use a fresh one",
  DECLARED: (name) => `${name} is declared in the server's file; take its declaration out instead`,
  LEASE_SECRET_MISMATCH: () => "the secret is not that of this lease; only its holder has it",
  LIMITER_EXISTS: (name) =>
    `${name} exists with other content, or still drains after its deletion; UpdateLimiter changes one`,
  KEY_REQUIRED: (name) => `${name} is keyed: the claim must name a key`,
  KEY_NOT_ALLOWED: (name) => `${name} is not keyed: the claim must not name a key`,
  CONCURRENCY_EXHAUSTED: (name) => `${name} has too few free permits now`,
  RATE_EXHAUSTED: (name) => `${name} has too few tokens now`,
  WAITERS_AHEAD: (name, { waitersAhead }) => `${name} has ${waitersAhead} waiting, and nobody overtakes`,
  PAUSED: (name) => `${name} is paused and admits nobody`,
  LEARNING: (name) =>
    `${name} admits nobody until the leases of before the server's start, not all of which it knows, have run out`,
  QUEUE_FULL: (name, { waitersAhead, limiter, at }) =>
    limiter === "" && at === undefined
      ? "the server has as many waiters as it will bear"
      : `${name} has ${waitersAhead} waiting, as many as may`,
  KEYS_EXHAUSTED: (name) => `${name} has as many keys in use as it may (max_keys)`,
  WAIT_TOO_LONG: (name) => `${name} would let you wait longer than you will`,
  WAIT_TIMEOUT: (name) => `${name} had no room for you within your max_wait, deadline, or its own bound`,
  ETAG_MISMATCH: (name) => `${name} has changed since you read it; read it again`,
  WAITER_CANCELLED: () => "an operator took you out of the queue",
  WAITER_DISPLACED: () => "another stream came with the same request_id and took this one's place",
  LEASE_REVOKED: () => "an operator revoked the lease",
  LEASE_EXPIRED: () => "the lease outlived the last sign of its holder by its ttl",
  LEASE_DISPLACED: () => "another stream resumed the lease; it lives on there",
  LIMITER_DELETED: (name, { limiter }) => `${limiter === "" ? "the limiter" : name} was deleted by force`,
  LEASE_ENDED: () => "the lease that was asked for has ended; ask for a new one, under a fresh request_id",
  BOARD_NOT_FOUND: (name) => `there is no ${name}; ListBoards says what there is`,
  CARD_NOT_FOUND: (name) => `there is no ${name}, or it was completed so long ago that it is not kept`,
  STAGE_NOT_FOUND: (name) => `there is no ${name}; GetBoard says which stages it has`,
  STAGE_NOT_EMPTY: (name) => `cards stand in ${name}: it cannot be removed, and not be given another kind or place`,
  BOARD_NOT_EMPTY: (name) => `cards that are not completed stand on ${name}; complete or delete them, or use force`,
  CARD_STATE: (name) => `${name} is in a state in which this cannot be done to it; GetCard says in which`,
  FIRST_STAGE: (name) => `${name} is its first: nobody pulls into it, AddCard puts cards there`,
  BOARD_EXISTS: (name) => `${name} exists with other content; UpdateBoard changes one`,
  CARD_EXISTS: (name) => `${name} exists with other content; UpdateCard changes one`,
  STAGE_FULL: (name) => `${name} has as many cards as it may (wip_limit)`,
  NO_CARD: (name) => `there is no card to pull into ${name} now`,
  BOARD_FULL: (name) => `${name} has as many cards as it may (max_cards)`,
  STALE_FENCING_TOKEN: (name) => `the work under this fencing token on ${name} has ended; nothing was changed`,
  CARD_DELETED: (name) => `${name} was deleted`,
  CARD_BLOCKED: (name) => `${name} was blocked`,
  REQUEST_WITHDRAWN: () =>
    "the request was withdrawn under its request_id and has taken nothing; ask anew, under a fresh request_id",
};

function errorInfo(reason: Reason | ServerReason, metadata: Record<string, string>): WireDetail {
  const said = Object.fromEntries(
    Object.entries(metadata).flatMap(([name, value]) => (value === "" ? [] : [[name, clip(value)]])),
  );
  return detail(ErrorInfoSchema, { reason, domain: DOMAIN, metadata: said });
}

function detail<D extends DescMessage>(desc: D, value: MessageInitShape<D>): WireDetail {
  return { desc, value };
}

function quote(name: string): string {
  return JSON.stringify(clip(name));
}

/** The beginning of a text that may be of any length. */
function clip(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT).toWellFormed()}…`;
}
