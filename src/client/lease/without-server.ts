/** What a request for a lease comes to when the server is unavailable: `onUnavailable`. */

import type { AdmissionController, AdmitOptions } from "../api/admission-controller.ts";
import type { Claim, ClaimOptions } from "../api/claim.ts";
import type { AcquireOptions, OnUnavailable, OutagePolicy } from "../api/client.ts";
import { AdmissionError, ServerUnavailableError } from "../api/errors.ts";
import type { ClientEvent } from "../api/events.ts";
import type { Lease, LeaseEnd } from "../api/lease.ts";
import type { Refusal } from "../api/refusal.ts";
import type { LeakGuard } from "../hold/leak-guard.ts";
import { type Clock, elapsed, type Moment } from "../rpc/clock.ts";
import { type Linked, linkSignals } from "../rpc/linked-signal.ts";
import { notify } from "../rpc/notify.ts";
import type { Random } from "../rpc/random.ts";
import type { Wanted } from "../wire/claim.ts";
import { createLease, type LeaseCore } from "./handle.ts";

export interface WithoutServerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly guard: LeakGuard;
  /** Aborts when the client is closed. */
  readonly closing: AbortSignal;
  readonly answerWithin: number;
  readonly onEvent: ((event: ClientEvent) => void) | undefined;
}

/** A request that the server has not answered. */
export interface Unanswered {
  readonly wanted: Wanted;
  readonly options: AcquireOptions & ClaimOptions;
  /** When it was made. */
  readonly since: Moment;
  /** The stack of its caller. */
  readonly site: string;
  /** What it ended with. */
  readonly error: unknown;
}

/** Says whether a call failed since no server was available to it: one that is missing, or one that is about to stop. */
function isUnavailability(error: unknown): error is Error {
  if (error instanceof AdmissionError) return error.code === "UNAVAILABLE";
  return error instanceof ServerUnavailableError;
}

/** Waits for a lease without the server, as the policy says; throws the request's own error where that is `"closed"`. */
export async function acquireWithoutServer(
  ports: WithoutServerPorts,
  onUnavailable: OnUnavailable,
  unanswered: Unanswered,
): Promise<Lease> {
  const { error, options, since } = unanswered;
  if (!isUnavailability(error)) throw error;
  const policy = policyFor(unanswered, onUnavailable);
  if (policy === "closed") throw error;
  if (policy === "open") return report(ports, unanswered, openLease(ports, unanswered));
  const { maxWait } = options;
  // The whole wait stays within what was promised: maxWait, and the time to answer.
  const left = maxWait === undefined ? undefined : maxWait + ports.answerWithin - elapsed(since, ports.clock.now());
  const wait = left === undefined || maxWait === undefined ? undefined : Math.max(0, Math.min(maxWait, left));
  return locally(ports, unanswered, (admit) =>
    policy.acquire({ ...admit, maxWait: wait, onWaiting: options.onWaiting }),
  ) as Promise<Lease>;
}

/** The same, now or not at all. */
export async function tryAcquireWithoutServer(
  ports: WithoutServerPorts,
  onUnavailable: OnUnavailable,
  unanswered: Unanswered,
): Promise<Lease | Refusal> {
  const { error } = unanswered;
  if (!isUnavailability(error)) throw error;
  const policy = policyFor(unanswered, onUnavailable);
  if (policy === "closed") throw error;
  if (policy === "open") return report(ports, unanswered, openLease(ports, unanswered));
  return locally(ports, unanswered, (admit) => policy.tryAcquire(admit));
}

function policyFor(unanswered: Unanswered, onUnavailable: OnUnavailable): OutagePolicy {
  return typeof onUnavailable === "function" ? onUnavailable(claimsOf(unanswered)) : onUnavailable;
}

function claimsOf({ wanted, options }: Unanswered): readonly Claim[] {
  if (typeof wanted !== "string") return wanted;
  const { key, permits, tokens, slots } = options;
  return [{ limiter: wanted, key, permits, tokens, slots }];
}

/** Asks the controller that stands in for the server: one request for all that is claimed. */
async function locally(
  ports: WithoutServerPorts,
  unanswered: Unanswered,
  ask: (admit: AdmitOptions) => ReturnType<AdmissionController["tryAcquire"]>,
): Promise<Lease | Refusal> {
  const claims = claimsOf(unanswered);
  const sum = (count: (claim: Claim) => number | undefined) =>
    claims.reduce((total, claim) => total + (count(claim) ?? 1), 0);
  const linked = linkSignals(unanswered.options.signal, ports.closing);
  try {
    const answer = await ask({
      permits: sum(({ permits }) => permits),
      tokens: sum(({ tokens }) => tokens),
      slots: claims.some(({ slots }) => slots === true),
      signal: linked.signal,
    });
    if (answer.granted) return report(ports, unanswered, localLease(answer, linked));
    linked.unlink();
    return answer;
  } catch (error) {
    linked.unlink();
    throw error;
  }
}

/** The controller's lease, marked, and given back with its client. */
function localLease(lease: Lease, { unlink }: Linked): Lease {
  const release: Lease["release"] = (outcome) => {
    unlink();
    return lease.release(outcome);
  };
  return Object.defineProperties(Object.create(lease) as Lease, {
    // Getters of the lease are called on the lease.
    signal: { get: () => lease.signal },
    valid: { get: () => lease.valid },
    revoking: { get: () => lease.revoking },
    admittedBy: { value: "local", enumerable: true },
    release: { value: release },
    [Symbol.asyncDispose]: { value: async () => void (await release()) },
  });
}

/** A lease that guards nothing: the server knows nothing of it, and is not notified of its end. */
function openLease({ clock, random, guard, closing }: WithoutServerPorts, unanswered: Unanswered): Lease {
  const { options, site } = unanswered;
  const { signal, unlink } = linkSignals(options.signal, closing);
  let isReleased = false;
  const held: LeaseCore = {
    grant: {
      id: `open-${random.requestId()}`,
      claims: claimsOf(unanswered).map(({ limiter, key = "", permits = 1, tokens = 1 }) => {
        return { limiter, key, permits, tokens, fencingToken: 0n, slots: [] };
      }),
      holder: options.holder ?? "",
      grantTime: new Date(clock.now().wall),
    },
    admittedBy: "open",
    signal,
    get valid() {
      return !isReleased && !signal.aborted;
    },
    revoking: undefined,
    async release(): Promise<LeaseEnd> {
      isReleased = true;
      unlink();
      return "released";
    },
  };
  return createLease(held, guard, site);
}

function report({ onEvent }: WithoutServerPorts, unanswered: Unanswered, lease: Lease): Lease {
  const { id, admittedBy } = lease;
  const limiters = claimsOf(unanswered).map(({ limiter }) => limiter);
  if (admittedBy !== "server") {
    const error = unanswered.error as Error;
    notify(onEvent, { kind: "admitted-without-server", leaseId: id, admittedBy, limiters, error });
  }
  return lease;
}
