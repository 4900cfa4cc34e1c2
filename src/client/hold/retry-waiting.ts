/** Asking again, under the same request id, until there is an answer or no time is left. */

import type { Duration } from "@bufbuild/protobuf/wkt";
import { AdmissionError, TooManyStreamsError } from "../api/errors.ts";
import type { Clock } from "../rpc/clock.ts";
import { linkSignals } from "../rpc/linked-signal.ts";
import type { AskPorts } from "../rpc/ports.ts";
import { sleep } from "../rpc/retry.ts";
import { inVisits, type Visibility, type Visit } from "../rpc/visibility.ts";
import { scheduleBound } from "../rpc/within.ts";
import { msToDuration } from "../wire/time.ts";
import { type AskedOptions, createAsked } from "./request.ts";
import type { Asking } from "./waiting-call.ts";

/** What all attempts have in common. */
export interface AskOptions extends AskedOptions {
  readonly signal?: AbortSignal | undefined;
  /** ms to wait at most, in all attempts together, whether the page is there or not. */
  readonly maxWait?: number | undefined;
}

export interface WaitingAttempt extends Asking {
  readonly requestId: string;
  /** What is left of it. */
  readonly maxWait: Duration | undefined;
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
 *
 * A page that goes away leaves the queue, and asks anew when it comes back. `answerWithin` bounds a server, so the time
 * away does not count; `maxWait` is the caller's time, so it does: a wait that has run out meanwhile asks once more, now or
 * not at all.
 */
export async function askAgain<A>(
  ports: AskPorts,
  options: AskOptions,
  askOnce: (attempt: WaitingAttempt) => Promise<A>,
): Promise<A> {
  const { availability, calls, clock, retries, visibility } = ports;
  const { maxWait } = options;
  const wait = createWait(clock, maxWait);
  options.signal?.throwIfAborted();
  ports.closing.throwIfAborted();
  const passage = availability.enter();
  const asked = createAsked(ports, options);
  const bound = createBound({ clock, visibility }, calls.answerWithin, (within) => {
    const detail = `it has ${bound.isExtended ? "not granted" : "said nothing"} within ${within} ms`;
    return calls.unavailable(detail, { cause: lastError });
  });
  const { signal, unlink } = linkSignals(options.signal, ports.closing, bound.signal);
  let attempts = 0;
  /** What the last attempt ended with. */
  let lastError: unknown;
  /** When the place was lost that the server had given, by `visibility.now`; `"held"`: it is not; undefined: there was none. */
  let lostAt: number | "held" | undefined;
  const extendBound = () => bound.extendTo(maxWait === undefined ? undefined : maxWait + calls.answerWithin);
  const onHeard = () => {
    attempts = 0;
    lostAt = "held";
    extendBound();
  };

  async function attemptUntil(visit: Visit): Promise<A> {
    for (;;) {
      attempts += 1;
      passage.sent();
      asked.sent();
      try {
        return await askOnce({ requestId: asked.requestId, maxWait: wait.left(), signal: visit.signal, onHeard });
      } catch (error) {
        if (error instanceof TooManyStreamsError) asked.unsent();
        if (visit.signal.aborted) throw visit.signal.reason;
        lastError = error;
        // The server lives, and says when to come again.
        if (error instanceof AdmissionError) extendBound();
        const delay = delayAfter(error);
        if (asked.isOver(error)) asked.renew();
        else if (delay === undefined || wait.isOverIn(delay) || bound.isOverIn(delay)) throw error;
        else await sleep(clock, delay, visit.signal);
      }
    }
  }

  function delayAfter(error: unknown): number | undefined {
    const now = visibility.now();
    if (lostAt === "held") lostAt = now;
    const hasPlace = lostAt !== undefined && (wait.isBounded || now - lostAt < PLACE_KEPT);
    const failed = Math.max(1, attempts);
    if (hasPlace) return retries.patientDelayAfter(error, failed);
    return passage.isProbe ? undefined : retries.delayAfter(error, failed);
  }

  function leavePage(): void {
    attempts = 0;
    if (asked.endsWithPage) asked.renew();
  }

  try {
    return await inVisits({ visibility, signal }, attemptUntil, leavePage);
  } catch (error) {
    const isCallers = options.signal?.aborted === true || ports.closing.aborted;
    asked.giveUp(error, isCallers);
    passage.failed(isCallers ? undefined : error);
    throw error;
  } finally {
    asked.answered();
    bound.disarm();
    unlink();
  }
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

interface BoundPorts {
  readonly clock: Clock;
  readonly visibility: Visibility;
}

/** The bound of a call, whatever it waits for but its page: a signal that aborts with `reason` when it is over. */
function createBound({ clock, visibility }: BoundPorts, first: number, reason: (within: number) => Error) {
  const since = visibility.now();
  const controller = new AbortController();
  let within: number | undefined;
  let isExtended = false;
  let disarm = () => {};

  function arm(span: number | undefined): void {
    disarm();
    within = span;
    if (span === undefined) return;
    const left = () => since + span - visibility.now();
    disarm = scheduleBound(clock, left(), () => {
      // The page was away for a part of it.
      if (left() > 0) arm(span);
      else controller.abort(reason(span));
    });
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
    isOverIn: (delay: number) => within !== undefined && visibility.now() + delay >= since + within,
    disarm: () => disarm(),
  };
}
