/**
 * The typed client. Every span of time in it is a number of milliseconds: those that one chooses carry the contract's
 * names (`maxWait`, `ttl`), those that one receives end in `Ms`; instants are `Date`s.
 */

import type { Transport } from "@connectrpc/connect";
import type { AdmissionController, WaitingNotice } from "./admission-controller.ts";
import type { BoardClient } from "./board-client.ts";
import type { Boards } from "./boards.ts";
import type { Claim, ClaimOptions } from "./claim.ts";
import type { ClientEvent } from "./events.ts";
import type { DrainingNotice, GuardedWork, Lease, OutcomeOptions, RevokingNotice } from "./lease.ts";
import type { Limit, LimitedFunction } from "./limit.ts";
import type { Limiters } from "./limiters.ts";
import type { Refusal } from "./refusal.ts";

/**
 * What an outage means for a request for a lease. `"closed"`: it rejects with the error. `"open"`: it is granted, without
 * any limit. An `AdmissionController`, as one of `createRateLimiter`: that decides, for this process alone; it is asked once
 * for all claims together, for the sum of their permits and of their tokens.
 *
 * Such a lease is marked (`lease.admittedBy`) and reported to `onEvent`. Its release goes to no server.
 */
export type OutagePolicy = "closed" | "open" | AdmissionController;

/**
 * The same for all requests, or a function that says it for each from its claims, as where keys have limits of their own:
 * `([claim]) => limiters.controller(claim.limiter, { key: claim.key })`. What the function throws, the request rejects with.
 */
export type OnUnavailable = OutagePolicy | ((claims: readonly Claim[]) => OutagePolicy);

/** How to ask for a lease, now or not at all. */
export interface TryAcquireOptions {
  /**
   * ms that the lease outlives the last sign of its holder: 100 up to the limiter's `maxTtl` (a longer one is cut to
   * that); for `acquire` also 0: it ends with its stream. Default: the limiter's.
   */
  readonly ttl?: number | undefined;
  /** Names the holder, for operators. At most 256 bytes. Default: the client's. */
  readonly holder?: string | undefined;
  /**
   * 16 to 128 printable characters, as good as a secret. The client makes one for each call, so that its own retries
   * are harmless; give one to make yours harmless too. An abort withdraws it: then ask anew under another.
   */
  readonly requestId?: string | undefined;
  /** Aborting it gives the lease back, before and after the grant; `lease.signal` then aborts with the same reason. */
  readonly signal?: AbortSignal | undefined;
  /** What it means that the server is unavailable, or about to stop. Default: the client's. */
  readonly onUnavailable?: OnUnavailable | undefined;
  /** Headers of this request, beside the client's and before them: as a `traceparent`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Called once, when an operator asks for the lease back: finish and release before `endTime`. */
  readonly onRevoking?: ((notice: RevokingNotice) => void) | undefined;
}

/** How to wait for a lease. */
export interface AcquireOptions extends TryAcquireOptions {
  /** ms to wait at most, to 24 hours. Default: as long as the limiter allows. 0: now or not at all. */
  readonly maxWait?: number | undefined;
  /** Called with the place in the queue whenever the caller has to wait, and when that changes. */
  readonly onWaiting?: ((notice: WaitingNotice) => void) | undefined;
  /** Called when the server is about to stop: finish and release before `endTime`. */
  readonly onDraining?: ((notice: DrainingNotice) => void) | undefined;
}

/** How `withLease` asks, and what it makes of an error. */
export interface WithLeaseOptions extends AcquireOptions, OutcomeOptions {}

/** How `limit` asks for each call. */
export interface LimitOptions extends Omit<WithLeaseOptions, "requestId"> {
  /** How many calls may ask the server at once; the others wait in this process, in their order. Default 100. */
  readonly mostAsking?: number | undefined;
}

/** A connection to the admission service. */
export interface Client extends AsyncDisposable {
  /**
   * Waits its turn and holds the lease until it is released: `await using lease = await client.acquire("payments-db")`.
   * A lost connection is made good: while waiting with the old place in the queue, while holding with the same lease,
   * whose signal aborts only if its validity (half its ttl) runs out before. With a ttl of 0 it aborts at once.
   *
   * Rejects with an `AdmissionError` when the service says no, a `ServerUnavailableError` when it cannot be reached, a
   * `TooManyStreamsError` when this client may hold no more, or the reason of `options.signal`.
   */
  acquire(limiter: string, options?: AcquireOptions & ClaimOptions): Promise<Lease>;
  /** The same for up to 8 claims, granted whole at one instant or not at all. */
  acquire(claims: readonly Claim[], options?: AcquireOptions): Promise<Lease>;
  /**
   * Takes a lease if that is possible at once, and never waits. A refusal is an answer: look at `granted`. The lease
   * has no stream; the client renews it until it is released. Rejects as `acquire` does for what is no refusal.
   */
  tryAcquire(limiter: string, options?: TryAcquireOptions & ClaimOptions): Promise<Lease | Refusal>;
  /** The same for up to 8 claims. */
  tryAcquire(claims: readonly Claim[], options?: TryAcquireOptions): Promise<Lease | Refusal>;
  /**
   * Acquires, does the work and releases, whatever happens: with `"success"` when the work returns, as
   * `options.outcomeOf` says when it throws. A lost lease aborts the work's signal; what the work makes of that is what
   * comes back.
   */
  withLease<T>(limiter: string, work: GuardedWork<T>): Promise<T>;
  withLease<T>(limiter: string, options: WithLeaseOptions & ClaimOptions, work: GuardedWork<T>): Promise<T>;
  withLease<T>(claims: readonly Claim[], work: GuardedWork<T>): Promise<T>;
  withLease<T>(claims: readonly Claim[], options: WithLeaseOptions, work: GuardedWork<T>): Promise<T>;
  /**
   * A function that runs others under leases, in the shape of p-limit: `const limit = client.limit("payments-db")`, then
   * `await limit(() => query())`, `await limit(query, "a", "b")`, `await limit.map(ids, load)`. Each call acquires, with these
   * options, and releases when its function is done. The bound is the limiter's, for all processes together.
   */
  limit(limiter: string, options?: LimitOptions & ClaimOptions): Limit;
  limit(claims: readonly Claim[], options?: LimitOptions): Limit;
  /** `fn` with admission: a function that runs it under a lease with each call, and the arguments of the call. */
  limit<A extends unknown[], T>(limiter: string, fn: (...args: A) => T | PromiseLike<T>): LimitedFunction<A, T>;
  limit<A extends unknown[], T>(
    limiter: string,
    options: LimitOptions & ClaimOptions,
    fn: (...args: A) => T | PromiseLike<T>,
  ): LimitedFunction<A, T>;
  limit<A extends unknown[], T>(
    claims: readonly Claim[],
    options: LimitOptions,
    fn: (...args: A) => T | PromiseLike<T>,
  ): LimitedFunction<A, T>;
  /** One limiter (and key) as an `AdmissionController`. */
  controller(limiter: string, options?: { readonly key?: string | undefined }): AdmissionController;
  /** Makes, changes and watches limiters; lists leases and waiters. */
  readonly limiters: Limiters;
  /** A board, to put cards on it, to work on them, and to look. Nothing is asked yet. */
  board(name: string): BoardClient;
  /** Makes and changes boards. */
  readonly boards: Boards;
  /**
   * Releases every lease, with `"ignored"`, gives every card back but those that are a person's (without a ttl), ends every
   * wait with a `ClientClosedError`, and closes the connections.
   */
  close(): Promise<void>;
  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** How often a call that found no server, or a stopping one, is made again. */
export interface RetryOptions {
  /**
   * Calls at most, the first one included, within `answerWithin`. Default 6. A wait in the queue that was interrupted is
   * taken up again for as long as its `maxWait` allows, without one for 30 s at least, and the end of a lease or of work is
   * repeated until the ttl has passed, unless this is 1.
   */
  readonly maxAttempts?: number | undefined;
  /** ms before the second call, doubled each time, of which half to all is waited. Default 100. */
  readonly initialDelay?: number | undefined;
  /** ms that the delay grows to. Default 3,000. */
  readonly maxDelay?: number | undefined;
}

/** The options of every client, whatever its transport. */
export interface ClientOptions {
  /**
   * ms for the server to answer, whatever state the connection is in: it bounds every call, all its attempts together, and
   * for a wait the call has `maxWait` besides. Without a `maxWait` it is the time for the server's first word, which comes at
   * once, waiting or granted. Default 2,000.
   *
   * A call that has no answer by then rejects with a `ServerUnavailableError`, and the calls after it do so at once, but for
   * one now and then (after half a second, then less and less often, up to 5 s) which asks whether the server is back.
   */
  readonly answerWithin?: number | undefined;
  /**
   * What it means for `acquire`, `tryAcquire`, `withLease` and `limit` that the server is unavailable, or about to stop.
   * Default `"closed"`. Leases that are held in an outage stay as they are.
   */
  readonly onUnavailable?: OnUnavailable | undefined;
  /** Names the holder or worker, where a request does not; for operators. At most 256 bytes. Default: empty. */
  readonly holder?: string | undefined;
  readonly retry?: RetryOptions | undefined;
  /**
   * Returns the headers of a call: a `traceparent` by which the server's spans belong to the caller's trace, or `authorization`. Called
   * with each call, retries included, and at once where a lease or a card is asked for, so that the context of the code that asks is
   * there: `headers: () => { const carrier = {}; propagation.inject(context.active(), carrier); return carrier; }`.
   *
   * In a session, `traceparent` and `tracestate` go with each command; the other headers with the call that is the session, when it is
   * opened, so what the function throws then, whatever waits for the session rejects with. A call rejects with what the function throws,
   * and with a `TypeError` where what it returns cannot be sent.
   */
  readonly headers?: (() => Readonly<Record<string, string>>) | undefined;
  /**
   * Streams open at once (leases held by `acquire`, cards held by `pull`, waiting requests, watches). Default: without
   * bound; in a browser 4 where the page speaks HTTP/1.1.
   */
  readonly maxStreams?: number | undefined;
  /** Called with what the client does by itself, as resuming a lease after a lost connection; for logs. */
  readonly onEvent?: ((event: ClientEvent) => void) | undefined;
}

/** A client over a transport that the caller brings. */
export interface CreateClientOptions extends ClientOptions {
  /** Any Connect transport. The caller closes what lies under it. */
  readonly transport: Transport;
  /** Where the server is, for error messages. Default: "the given transport". */
  readonly address?: string | undefined;
}
