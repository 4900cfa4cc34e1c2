/** Asking again, under the same request id, until there is an answer. */

import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Asking } from "./ask.ts";
import type { Clock, Moment } from "./clock.ts";
import { AdmissionError } from "./errors.ts";
import { linkSignals } from "./link.ts";
import type { AskPorts } from "./ports.ts";
import { sleep } from "./retry.ts";
import { msToDuration } from "./time-wire.ts";

/** What all attempts have in common. */
export interface AskOptions {
  /** Default: one that is made for this question. */
  readonly requestId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** ms to wait at most, in all attempts together. */
  readonly maxWait?: number | undefined;
}

export interface WaitingAttempt extends Asking {
  readonly requestId: string;
  /** What is left of it. */
  readonly maxWait: Duration | undefined;
}

/** Reasons that say of a request id that what it stood for is over: its grant was never heard of. */
const LOST_GRANTS: ReadonlySet<string> = new Set(["LEASE_ENDED", "LEASE_EXPIRED"]);

/** ms for which the server keeps the place of a waiter whose connection is lost: the ttl that limiters have by default. */
const PLACE_KEPT = 10_000;

/**
 * Asks a question that waits for its answer. One that the server had taken in has a place to lose, and is asked again for
 * as long as its `maxWait` allows, or its place is kept where there is none.
 */
export async function askAgain<A>(
  ports: AskPorts,
  options: AskOptions,
  askOnce: (attempt: WaitingAttempt) => Promise<A>,
): Promise<A> {
  const { clock, random, retries } = ports;
  const wait = createWait(clock, options.maxWait);
  const { signal, unlink } = linkSignals(options.signal, ports.closing);
  let requestId = options.requestId ?? random.requestId();
  let attempts = 0;
  /** Whether this request id has been sent before. */
  let isRetry = false;
  /** When the place was lost that the server had given, in monotonic ms; `"held"`: it is not; undefined: there was none. */
  let lostAt: number | "held" | undefined;
  const onHeard = () => {
    attempts = 0;
    lostAt = "held";
  };

  function delayAfter(error: unknown): number | undefined {
    const { monotonic } = clock.now();
    if (lostAt === "held") lostAt = monotonic;
    const hasPlace = lostAt !== undefined && (wait.isBounded || monotonic - lostAt < PLACE_KEPT);
    const failed = Math.max(1, attempts);
    return hasPlace ? retries.patientDelayAfter(error, failed) : retries.delayAfter(error, failed);
  }

  try {
    for (;;) {
      signal.throwIfAborted();
      attempts += 1;
      try {
        return await askOnce({ requestId, maxWait: wait.left(), signal, onHeard });
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const isLostGrant: boolean = isRetry && error instanceof AdmissionError && LOST_GRANTS.has(error.reason);
        const delay = delayAfter(error);
        isRetry = !isLostGrant;
        if (isLostGrant && options.requestId === undefined) requestId = random.requestId();
        else if (delay === undefined || wait.isOverIn(delay)) throw error;
        else await sleep(clock, delay, signal);
      }
    }
  } finally {
    unlink();
  }
}

export interface InstantAttempt {
  readonly requestId: string;
  /** When the attempt began. */
  readonly sentAt: Moment;
  /** Aborts when nobody wants the answer any more; what it grants is then given back. */
  readonly signal: AbortSignal;
}

/** Asks a question that is answered at once. */
export async function askNow<A>(
  ports: AskPorts,
  options: Omit<AskOptions, "maxWait">,
  answer: (attempt: InstantAttempt) => Promise<A>,
): Promise<A> {
  const { clock, random, retries } = ports;
  const { requestId = random.requestId() } = options;
  const { signal, unlink } = linkSignals(options.signal, ports.closing);
  try {
    for (let attempts = 1; ; attempts += 1) {
      signal.throwIfAborted();
      try {
        const asked = answer({ requestId, sentAt: clock.now(), signal });
        return await unlessAborted(asked, signal, ports.underway);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const delay = retries.delayAfter(error, attempts);
        if (delay === undefined) throw error;
        await sleep(clock, delay, signal);
      }
    }
  } finally {
    unlink();
  }
}

/** An abort does not cancel the call, whose answer may be a grant: that is awaited apart, and given back. */
function unlessAborted<A>(asked: Promise<A>, signal: AbortSignal, underway: Set<Promise<unknown>>): Promise<A> {
  return new Promise((resolve, reject) => {
    const takeBack = () => reject(signal.reason);
    signal.addEventListener("abort", takeBack);
    const answered = asked.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", takeBack);
      underway.delete(answered);
    });
    underway.add(answered);
  });
}

/** What is left of `maxWait` (ms) for each of several calls. */
function createWait(clock: Clock, maxWait = Number.POSITIVE_INFINITY) {
  if (maxWait === Number.POSITIVE_INFINITY) return { isBounded: false, left: () => undefined, isOverIn: () => false };
  msToDuration(maxWait, "maxWait");
  const until = clock.now().monotonic + maxWait;
  const left = () => Math.max(0, Math.ceil(until - clock.now().monotonic));
  return {
    isBounded: true,
    left: () => msToDuration(left(), "maxWait"),
    isOverIn: (delay: number) => left() < delay,
  };
}
