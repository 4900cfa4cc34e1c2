/**
 * The lease as its holder sees it. Free of any transport: the remote client and the in-process limiter both make such
 * leases.
 */

import type { GrantedClaim } from "./claim.ts";

/**
 * How the guarded work went, for a limit that adapts: `"success"`; `"overloaded"` if the resource timed out or said
 * that it had too much; `"ignored"` if that says nothing about the resource.
 */
export type WorkOutcome = "success" | "overloaded" | "ignored";

/**
 * How a lease ended. `"released"`: by its holder. `"cancelled"`: with its stream. `"expired"`: its ttl ran out unseen.
 * `"revoked"`: by an operator. `"deleted"`: with its limiter. `"displaced"`: another stream took it up, and it lives on
 * there. `"unconfirmed"`: the server has not confirmed it; its permits are back when its ttl has run out.
 */
export type LeaseEnd = "released" | "cancelled" | "expired" | "revoked" | "deleted" | "displaced" | "unconfirmed";

/**
 * What admitted the holder. `"server"`: the service. In an outage, as `onUnavailable` says: `"open"`: none, the lease guards
 * nothing and has no fencing token; `"local"`: a limiter in this process, which knows nothing of other processes. A lease of an
 * in-process limiter is always local.
 */
export type AdmittedBy = "server" | "open" | "local";

/** An operator asks for a lease back. */
export interface RevokingNotice {
  /** When the permits are taken back, released or not, by the server's wall clock. */
  readonly endTime: Date;
  /** Why, in the operator's words; may be empty. */
  readonly message: string;
}

/**
 * A timed right to permits. Hold it with `await using`, or end it with `release`; one that is collected as garbage
 * before that is released as best it can be, with a warning.
 *
 * A grant that holds no permits (limiters with a rate limit alone) leaves nothing to hold: its lease has already been
 * released, and its signal does not abort.
 */
export interface Lease extends AsyncDisposable {
  /** True; a refusal says false. */
  readonly granted: true;
  /** What admitted its holder: other than the server only in an outage, or by an in-process limiter. */
  readonly admittedBy: AdmittedBy;
  /** Names the lease (`client.limiters.leases()` shows it). */
  readonly id: string;
  /** What it holds, in the order of the request's claims. */
  readonly claims: readonly GrantedClaim[];
  /** The holder, as the request named it. */
  readonly holder: string;
  /** When it was granted, by the server's wall clock. */
  readonly grantTime: Date;
  /**
   * Aborts when the lease is lost, with a `LeaseLostError` that says why: stop the work then. A release does not abort
   * it, nor does a lost connection that is made good in time. Reading it checks the clocks, so that a process that was
   * frozen sees an aborted signal before any timer has fired.
   */
  readonly signal: AbortSignal;
  /** Whether its holder may rely on it now: neither released nor lost. Checks the clocks, as `signal` does. */
  readonly valid: boolean;
  /** Set once an operator has asked for it back: finish, and release. */
  readonly revoking: RevokingNotice | undefined;
  /**
   * Gives it back and says how it ended. Never rejects, and doing it twice is harmless: the first outcome counts. Release
   * a lost lease too, once the work has stopped: that says so to the server.
   *
   * @param outcome how the work went; default `"success"`.
   */
  release(outcome?: WorkOutcome): Promise<LeaseEnd>;
  /** Releases it with `"success"`, unless it was released before. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The server is about to stop. */
export interface DrainingNotice {
  /** When it stops waiting for its leases, by its wall clock. */
  readonly endTime: Date;
}

/** The work that a lease guards; stop it when `signal`, which is `lease.signal`, aborts. */
export type GuardedWork<T> = (lease: Lease, signal: AbortSignal) => T | PromiseLike<T>;

/** What is made of an error of guarded work. */
export interface OutcomeOptions {
  /**
   * The outcome to release with when the work threw. Default: `"overloaded"` for an `OverloadedError`, `"ignored"` for
   * anything else.
   */
  readonly outcomeOf?: ((error: unknown) => WorkOutcome) | undefined;
}
