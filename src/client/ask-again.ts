/** Asking again, under the same request id, until there is an answer or no time is left. */

import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Asking } from "./ask.ts";
import type { Clock, Moment } from "./clock.ts";
import { AdmissionError, TooManyStreamsError } from "./errors.ts";
import { linkSignals } from "./link.ts";
import type { AskPorts } from "./ports.ts";
import { sleep } from "./retry.ts";
import { msToDuration } from "./time-wire.ts";
import type { Withdrawal } from "./withdrawing.ts";
import { scheduleBound } from "./within.ts";

/** What all attempts have in common. */
export interface AskOptions {
  /** Default: one that is made for this question. */
  readonly requestId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** ms to wait at most, in all attempts together. */
  readonly maxWait?: number | undefined;
}

interface Withdrawable {
  /** How the server is told that the question is given up; undefined: nothing is held by it. */
  readonly withdrawal?: Withdrawal;
}

export interface WaitingAttempt extends Asking {
  readonly requestId: string;
  /** What is left of it. */
  readonly maxWait: Duration | undefined;
}

/** Reasons that say of a request id that what it stood for is over: its grant was never heard of, or its page had gone away. */
const OVER: ReadonlySet<string> = new Set(["LEASE_ENDED", "LEASE_EXPIRED", "REQUEST_WITHDRAWN"]);

function saysOver(error: unknown): boolean {
  return error instanceof AdmissionError && OVER.has(error.reason);
}

/** ms for which the server keeps the place of a waiter whose connection is lost: the ttl that limiters have by default. */
const PLACE_KEPT = 30_000;

/**
 * Asks a question whose answer may have to be waited for. The server speaks at once, so until it has, the call has
 * `answerWithin` and no more; from then on `maxWait` and `answerWithin`, or, without a `maxWait`, as long as the connection
 * lives.
 *
 * A waiter has a place in the queue to lose: however many attempts have failed, the next is made, for as long as
 * the place is kept or the wait goes on.
 */
export async function askAgain<A>(
  ports: AskPorts,
  options: AskOptions & Withdrawable,
  askOnce: (attempt: WaitingAttempt) => Promise<A>,
): Promise<A> {
  const { availability, calls, clock, random, retries } = ports;
  const { maxWait } = options;
  const wait = createWait(clock, maxWait);
  options.signal?.throwIfAborted();
  ports.closing.throwIfAborted();
  const passage = availability.enter();
  const bound = createBound(clock, calls.answerWithin, (within) => {
    const detail = `it has ${bound.isExtended ? "not granted" : "said nothing"} within ${within} ms`;
    return calls.unavailable(detail, { cause: lastError });
  });
  const { signal, unlink } = linkSignals(options.signal, ports.closing, bound.signal);
  let requestId = options.requestId ?? random.requestId();
  let attempts = 0;
  /** Whether the server may have something under the request id. */
  let mayStand = false;
  /** What the last attempt ended with. */
  let lastError: unknown;
  /** Whether this request id has been sent before. */
  let isRetry = false;
  /** When the place was lost that the server had given, in monotonic ms; `"held"`: it is not; undefined: there was none. */
  let lostAt: number | "held" | undefined;
  const extendBound = () => bound.extendTo(maxWait === undefined ? undefined : maxWait + calls.answerWithin);
  const lastWord = createLastWord(ports, options, () => requestId);
  const onHeard = () => {
    attempts = 0;
    lostAt = "held";
    extendBound();
  };

  function delayAfter(error: unknown): number | undefined {
    const { monotonic } = clock.now();
    if (lostAt === "held") lostAt = monotonic;
    const hasPlace = lostAt !== undefined && (wait.isBounded || monotonic - lostAt < PLACE_KEPT);
    const failed = Math.max(1, attempts);
    if (hasPlace) return retries.patientDelayAfter(error, failed);
    return passage.isProbe ? undefined : retries.delayAfter(error, failed);
  }

  try {
    for (;;) {
      signal.throwIfAborted();
      const away = ports.untilShown(signal);
      if (away !== undefined) await away;
      attempts += 1;
      passage.sent();
      try {
        mayStand = true;
        lastWord.arm();
        return await askOnce({ requestId, maxWait: wait.left(), signal, onHeard });
      } catch (error) {
        if (error instanceof TooManyStreamsError && !isRetry) mayStand = false;
        if (signal.aborted) throw signal.reason;
        lastError = error;
        // The server lives, and says when to come again.
        if (error instanceof AdmissionError) extendBound();
        const isOver: boolean = isRetry && saysOver(error);
        const delay = delayAfter(error);
        isRetry = !isOver;
        if (isOver && options.requestId === undefined) requestId = random.requestId();
        else if (delay === undefined || wait.isOverIn(delay) || bound.isOverIn(delay)) throw error;
        else await sleep(clock, delay, signal);
      }
    }
  } catch (error) {
    const isCallers = options.signal?.aborted === true || ports.closing.aborted;
    giveUp(ports, options, { error, isCallers, requestId: mayStand ? requestId : undefined });
    passage.failed(isCallers ? undefined : error);
    throw error;
  } finally {
    lastWord.disarm();
    bound.disarm();
    unlink();
  }
}

export interface InstantAttempt {
  readonly requestId: string;
  /** When the attempt began. */
  readonly sentAt: Moment;
  /** ms that are left for its answer. */
  readonly within: number;
  /** Aborts when the answer is not wanted any more; what it grants is then given back. */
  readonly signal: AbortSignal;
}

/** Asks a question that is answered at once: all attempts together have `answerWithin`. */
export async function askNow<A>(
  ports: AskPorts,
  options: Omit<AskOptions, "maxWait"> & Withdrawable,
  answer: (attempt: InstantAttempt) => Promise<A>,
): Promise<A> {
  const { availability, calls, clock, random, retries } = ports;
  options.signal?.throwIfAborted();
  ports.closing.throwIfAborted();
  const passage = availability.enter();
  let { requestId = random.requestId() } = options;
  const lastWord = createLastWord(ports, options, () => requestId);
  const { signal, unlink } = linkSignals(options.signal, ports.closing);
  const until = clock.now().monotonic + calls.answerWithin;
  /** Whether the server may have something under the request id. */
  let mayStand = false;
  try {
    for (let attempts = 1; ; attempts += 1) {
      const away = ports.untilShown(signal);
      if (away !== undefined) await away;
      passage.sent();
      try {
        const sentAt = clock.now();
        mayStand = true;
        lastWord.arm();
        const asked = answer({ requestId, sentAt, within: until - sentAt.monotonic, signal });
        return await unlessAborted(asked, signal, ports.underway);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const isOver = attempts > 1 && options.requestId === undefined && saysOver(error);
        if (isOver) requestId = random.requestId();
        const delay = isOver ? 0 : passage.isProbe ? undefined : retries.delayAfter(error, attempts);
        if (delay === undefined || clock.now().monotonic + delay >= until) throw error;
        await sleep(clock, delay, signal);
      }
    }
  } catch (error) {
    giveUp(ports, options, { error, isCallers: signal.aborted, requestId: mayStand ? requestId : undefined });
    passage.failed(signal.aborted ? undefined : error);
    throw error;
  } finally {
    lastWord.disarm();
    unlink();
  }
}

/** Withdraws the request should its page go away meanwhile; not under an id of the caller's own, which may come back with it. */
function createLastWord({ ungranted }: AskPorts, options: AskOptions & Withdrawable, requestId: () => string) {
  const { withdrawal } = options;
  if (withdrawal === undefined || options.requestId !== undefined) return { arm() {}, disarm() {} };
  const lastWord = () => withdrawal.lastWord(requestId());
  return { arm: () => void ungranted.add(lastWord), disarm: () => void ungranted.delete(lastWord) };
}

/**
 * Withdraws a request that may stand, unless the server has answered it. Under an id of the caller's own the caller may ask
 * again, unless it has said that it does not want the answer (`isCallers`).
 */
function giveUp(
  { withdraw }: AskPorts,
  options: AskOptions & Withdrawable,
  end: { readonly error: unknown; readonly isCallers: boolean; readonly requestId: string | undefined },
): void {
  const { error, isCallers, requestId } = end;
  const isGivenUp = isCallers || (options.requestId === undefined && !(error instanceof AdmissionError));
  if (!isGivenUp || requestId === undefined || options.withdrawal === undefined) return;
  withdraw(requestId, { withdrawal: options.withdrawal, isUrgent: isCallers });
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

/** The bound of a call, whatever it waits for: a signal that aborts with `reason` when it is over. */
function createBound(clock: Clock, first: number, reason: (within: number) => Error) {
  const since = clock.now().monotonic;
  const controller = new AbortController();
  let within: number | undefined;
  let isExtended = false;
  let disarm = () => {};

  function arm(span: number | undefined): void {
    disarm();
    within = span;
    if (span === undefined) return;
    const left = since + span - clock.now().monotonic;
    disarm = scheduleBound(clock, left, () => controller.abort(reason(span)));
  }

  arm(first);
  return {
    signal: controller.signal,
    get isExtended() {
      return isExtended;
    },
    /** So many ms from the beginning; undefined: none. The first time counts. */
    extendTo(span: number | undefined): void {
      if (isExtended) return;
      isExtended = true;
      arm(span);
    },
    isOverIn: (delay: number) => within !== undefined && clock.now().monotonic + delay >= since + within,
    disarm: () => disarm(),
  };
}
