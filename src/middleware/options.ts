/** The options of a middleware, and what it makes of a request. */

import type { AdmissionController, AdmitOptions } from "../client/api/admission-controller.ts";
import type { Claim } from "../client/api/claim.ts";
import type { Client, OnUnavailable } from "../client/api/client.ts";
import type { Lease, WorkOutcome } from "../client/api/lease.ts";
import type { Refusal } from "../client/api/refusal.ts";

/** A value, or what says it of a request. */
export type OfRequest<R, T> = T | ((request: R) => T);

/** How a request is admitted, whatever admits it. `R` is the request as the framework knows it. */
export interface AdmissionOptions<R> {
  /** Of a keyed limiter. */
  readonly key?: OfRequest<R, string | undefined>;
  /** Permits that the request holds. Default 1. */
  readonly permits?: OfRequest<R, number | undefined>;
  /** Tokens that it spends. Default 1. */
  readonly tokens?: OfRequest<R, number | undefined>;
  /** ms for it to wait in the queue at most; 0: it is admitted now or not at all. Default 1,000. */
  readonly maxWait?: OfRequest<R, number | undefined>;
  /** Requests that need no admission, as those for health. Default: none. */
  readonly skip?: ((request: R) => boolean) | undefined;
  /**
   * The outcome to release with, by the status of the response; `"aborted"`: the client went away before its end. Default:
   * `"overloaded"` for 503 and 504, `"ignored"` for other errors of the server and for aborted ones, else `"success"`.
   */
  readonly outcomeOf?: ((status: number | "aborted", request: R) => WorkOutcome) | undefined;
}

/** How a request is admitted by the service. */
export interface ClientAdmissionOptions<R> extends AdmissionOptions<R> {
  /** The limiter's name, or up to 8 claims, which say their own keys, permits and tokens. */
  readonly limiter: OfRequest<R, string | readonly Claim[]>;
  /** Names the holder, for operators. At most 256 bytes. Default: the client's. */
  readonly holder?: OfRequest<R, string | undefined>;
  /** What it means that the server is unavailable. Default: the client's; where that is `"closed"`, the answer is 503. */
  readonly onUnavailable?: OnUnavailable | undefined;
}

/** Asks for the admission of one request. A wait of 0 may be answered by a refusal, anything else rejects. */
export type Gate<R> = (
  request: R,
  asking: Required<Pick<AdmitOptions, "signal" | "onWaiting">>,
) => Promise<Lease | Refusal>;

const MAX_WAIT = 1000;

/** Makes the gate of a client or a controller; throws a `TypeError` for what is neither, or names no limiter. */
export function createGate<R>(
  admits: Client | AdmissionController,
  options: AdmissionOptions<R> & Partial<ClientAdmissionOptions<R>>,
): Gate<R> {
  const { limiter, holder, key, permits, tokens, maxWait, onUnavailable } = options;
  const claimOf = (request: R) => ({ permits: of(permits, request), tokens: of(tokens, request) });
  const keyOf = (request: R) => {
    const value = of(key, request);
    return value === undefined ? {} : { key: value };
  };

  if (isClient(admits)) {
    if (limiter === undefined)
      throw new TypeError("the middleware needs to know the limiter: admission(client, { limiter })");
    return (request, { signal, onWaiting }) => {
      const wanted = of(limiter, request);
      const asked = { holder: of(holder, request), onUnavailable, signal };
      const claim = typeof wanted === "string" ? { ...claimOf(request), ...keyOf(request) } : {};
      // The overloads tell the two ways to ask apart, where here they are one.
      const name = wanted as string;
      const wait = of(maxWait, request) ?? MAX_WAIT;
      if (wait === 0) return admits.tryAcquire(name, { ...asked, ...claim });
      return admits.acquire(name, { ...asked, ...claim, maxWait: wait, onWaiting });
    };
  }
  if (typeof admits?.acquire !== "function" || typeof admits.tryAcquire !== "function") {
    throw new TypeError(
      "the middleware needs a client (`connect`) or an AdmissionController (`createRateLimiter`) first",
    );
  }
  return (request, { signal, onWaiting }) => {
    const claim = { ...claimOf(request), ...keyOf(request), signal };
    const wait = of(maxWait, request) ?? MAX_WAIT;
    return wait === 0 ? admits.tryAcquire(claim) : admits.acquire({ ...claim, maxWait: wait, onWaiting });
  };
}

function isClient(admits: Client | AdmissionController): admits is Client {
  return typeof (admits as Partial<Client> | undefined)?.controller === "function";
}

function of<R, T>(value: OfRequest<R, T>, request: R): T {
  return typeof value === "function" ? (value as (request: R) => T)(request) : value;
}
