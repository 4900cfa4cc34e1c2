/** What the client throws. Each error's `cause` is what the transport said, where it said something. */

import type { StatusCode } from "../../reasons/reasons.ts";
import { isRetryable, type Reason } from "./reasons.ts";

export type { StatusCode };

/** A field of a request that breaks a rule of the contract. */
export interface Violation {
  /** Its path, as `claims[1].key`. */
  readonly field: string;
  /** What is wrong, for people. */
  readonly description: string;
  /** Which rule, for programs. */
  readonly rule: string;
}

/** What an `AdmissionError` is made of. */
export interface AdmissionErrorInit {
  readonly reason: Reason;
  readonly code: StatusCode;
  readonly retryAfterMs?: number | undefined;
  readonly limiter?: string | undefined;
  readonly key?: string | undefined;
  readonly board?: string | undefined;
  readonly stage?: string | undefined;
  readonly card?: string | undefined;
  readonly violations?: readonly Violation[] | undefined;
  readonly cause?: unknown;
}

/** The service said no, on purpose. */
export class AdmissionError extends Error {
  override readonly name: string = "AdmissionError";
  /** Why; switch over it. */
  readonly reason: Reason;
  readonly code: StatusCode;
  /** Whether the same request may succeed later: "not now" against "never". */
  readonly retryable: boolean;
  /** ms after which to ask again; undefined where asking again does not help. */
  readonly retryAfterMs: number | undefined;
  /** The limiter that said no; empty where none did. */
  readonly limiter: string;
  /** Its key; empty for a limiter without keys. */
  readonly key: string;
  /** The board that said no; empty where none did. */
  readonly board: string;
  /** Which of its stages; empty where that does not matter. */
  readonly stage: string;
  /** The id of the card that it was about; empty where it was about none. */
  readonly card: string;
  /** With the reason INVALID_REQUEST: each field that breaks a rule; else empty. */
  readonly violations: readonly Violation[];

  constructor(message: string, init: AdmissionErrorInit) {
    super(message, { cause: init.cause });
    this.reason = init.reason;
    this.code = init.code;
    this.retryable = isRetryable(init.reason, init.retryAfterMs);
    this.retryAfterMs = init.retryAfterMs;
    this.limiter = init.limiter ?? "";
    this.key = init.key ?? "";
    this.board = init.board ?? "";
    this.stage = init.stage ?? "";
    this.card = init.card ?? "";
    this.violations = init.violations ?? [];
  }
}

/** The server does not know who calls: there is no credential, or it does not count. A token was asked for once more before. */
export class UnauthenticatedError extends AdmissionError {
  override readonly name = "UnauthenticatedError";
}

/** The server knows who calls, and does not allow it. It is not asked again. */
export class PermissionDeniedError extends AdmissionError {
  override readonly name = "PermissionDeniedError";
}

/** What a `ServerUnavailableError` may tell besides. */
export interface UnavailableInit {
  /** What to do; undefined: what mostly helps. */
  readonly advice?: string | undefined;
  readonly cause?: unknown;
  readonly retryAfterMs?: number | undefined;
}

/**
 * The server could not be reached, has not answered in time, or the connection to it was lost, and trying again has not
 * helped. Nothing else is this error: a caller that goes on without the server (`onUnavailable`) relies on that.
 */
export class ServerUnavailableError extends Error {
  override readonly name = "ServerUnavailableError";
  /** The same call may succeed once the server can be reached. */
  readonly retryable = true;
  /** Where the client looked for the server. */
  readonly address: string;
  /** What happened, in the transport's words where it has said something. */
  readonly detail: string;
  /** ms until the client asks the server again; before that calls fail at once. Undefined where it may ask at any time. */
  readonly retryAfterMs: number | undefined;

  /** What to do, where that follows from how it failed, as with certificates. */
  readonly advice: string | undefined;

  constructor(address: string, detail: string, { advice, cause, retryAfterMs }: UnavailableInit = {}) {
    super(
      `no answer from the admission service at ${address} (${detail}): ` +
        (advice ?? "is it running there, and is this its gRPC port in Node, its web port in a browser?"),
      { cause },
    );
    this.advice = advice;
    this.address = address;
    this.detail = detail;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The server failed, or does not speak this contract: nothing that the caller did, and trying again will not help. */
export class ServerError extends Error {
  override readonly name = "ServerError";
  readonly retryable = false;
  readonly code: StatusCode;

  constructor(message: string, code: StatusCode, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/**
 * Why a lease was lost. `"VALIDITY_EXPIRED"`: no renewal was confirmed in time. `"CONNECTION_LOST"`: the stream of a
 * lease without a ttl broke. `"PAGE_HIDDEN"`: the browser left the page. The others are the server's.
 */
export type LossReason =
  | "VALIDITY_EXPIRED"
  | "CONNECTION_LOST"
  | "PAGE_HIDDEN"
  | "LEASE_REVOKED"
  | "LEASE_EXPIRED"
  | "LEASE_DISPLACED"
  | "LEASE_NOT_FOUND"
  | "LEASE_SECRET_MISMATCH"
  | "LEASE_ENDED"
  | "LIMITER_DELETED";

/** The reason with which `lease.signal` aborts: the holder may no longer rely on its permits. */
export class LeaseLostError extends Error {
  override readonly name = "LeaseLostError";
  readonly reason: LossReason;
  readonly leaseId: string;

  constructor(leaseId: string, reason: LossReason, detail: string, cause?: unknown) {
    super(`lease ${leaseId} is lost: ${detail}`, { cause });
    this.reason = reason;
    this.leaseId = leaseId;
  }
}

/**
 * Why work on a card was lost. `"VALIDITY_EXPIRED"`: no renewal was confirmed in time. `"CONNECTION_LOST"`: the stream
 * of work without a ttl broke. `"PAGE_HIDDEN"`: the browser left the page. `"LEASE_ENDED"`: another client has ended it under the same fencing
 * token. `"LEASE_REVOKED"`, `"LIMITER_DELETED"`: the lease on the stage's limiter is gone. The others are the server's.
 */
export type WorkLossReason =
  | "VALIDITY_EXPIRED"
  | "CONNECTION_LOST"
  | "PAGE_HIDDEN"
  | "LEASE_EXPIRED"
  | "LEASE_DISPLACED"
  | "LEASE_REVOKED"
  | "LEASE_ENDED"
  | "LIMITER_DELETED"
  | "STALE_FENCING_TOKEN"
  | "CARD_DELETED"
  | "CARD_BLOCKED"
  | "CARD_NOT_FOUND"
  | "BOARD_NOT_FOUND";

/** The reason with which `work.signal` aborts: the worker may no longer rely on its card. */
export class WorkLostError extends Error {
  override readonly name = "WorkLostError";
  readonly reason: WorkLossReason;
  readonly board: string;
  readonly card: string;

  constructor({ board, card }: { readonly board: string; readonly card: string }, loss: WorkLoss) {
    super(`work on card ${card} of board ${board} is lost: ${loss.detail}`, { cause: loss.cause });
    this.reason = loss.reason;
    this.board = board;
    this.card = card;
  }
}

/** What a `WorkLostError` tells. */
export interface WorkLoss {
  readonly reason: WorkLossReason;
  readonly detail: string;
  readonly cause?: unknown;
}

/** As many streams are open as may be, in this client or in all tabs of the page's origin. */
export class TooManyStreamsError extends Error {
  override readonly name = "TooManyStreamsError";
  /** The same call may succeed once this client has closed a stream. */
  readonly retryable = true;
  readonly maxStreams: number;

  constructor(maxStreams: number) {
    super(
      `${maxStreams} streams are open, as many as may be: over HTTP/1.1 a browser has six connections for all tabs of a ` +
        "page. Release a lease, serve the page over https (HTTP/2), or use tryAcquire, which needs no stream",
    );
    this.maxStreams = maxStreams;
  }
}

/** The client was closed. */
export class ClientClosedError extends Error {
  override readonly name = "ClientClosedError";
  readonly retryable = false;

  constructor() {
    super("this client is closed");
  }
}

/** Throw it inside `withLease` to say that the resource had too much to do. */
export class OverloadedError extends Error {
  override readonly name = "OverloadedError";
}
