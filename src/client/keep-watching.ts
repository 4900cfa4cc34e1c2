/** What is watched is read over as many connections as that takes: one of a server that restarts is made good. */

import { awaitFirstWord } from "./first-word.ts";
import { linkSignals } from "./link.ts";
import type { CallPorts } from "./ports.ts";
import { sleep } from "./retry.ts";
import type { StreamPlace } from "./streams.ts";

export type WatchPorts = Pick<CallPorts, "calls" | "clock" | "retries" | "streams" | "closing">;

type Open<T> = (options: { readonly signal: AbortSignal }) => AsyncIterable<T>;

/** ms for which a watch that has told something is taken up again: a server that restarts may take as long. */
const PATIENCE = 30_000;

/**
 * Yields the messages of one call after the other, each opened by `open` as soon as the one before has failed. Leaving the loop
 * ends the call. Throws the signal's reason, an error that another call would not mend, or the last error once no call has
 * succeeded for 30 s; before the first message all calls together have the client's `answerWithin`.
 */
export async function* keepWatching<T>(
  ports: WatchPorts,
  given: AbortSignal | undefined,
  open: Open<T>,
): AsyncGenerator<T, void> {
  const { calls, clock, retries, closing } = ports;
  const { signal, unlink } = linkSignals(given, closing);
  const until = clock.now().monotonic + calls.answerWithin;
  let attempts = 0;
  /** When the stream was lost, in monotonic ms; `"open"`: it is not; undefined: there was none yet. */
  let lostAt: number | "open" | undefined;

  function delayAfter(error: unknown, now: number): number | undefined {
    if (typeof lostAt === "number") {
      return now - lostAt < PATIENCE ? retries.patientDelayAfter(error, Math.max(1, attempts)) : undefined;
    }
    const delay = retries.delayAfter(error, attempts);
    return delay === undefined || now + delay >= until ? undefined : delay;
  }

  try {
    for (;;) {
      signal.throwIfAborted();
      attempts += 1;
      try {
        const firstWithin = lostAt === undefined ? until - clock.now().monotonic : calls.answerWithin;
        for await (const message of readStream(ports, { open, firstWithin }, signal)) {
          attempts = 0;
          lostAt = "open";
          yield message;
        }
        throw calls.unavailable("it ended the stream");
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const { monotonic } = clock.now();
        if (lostAt === "open") lostAt = monotonic;
        const delay = delayAfter(error, monotonic);
        if (delay === undefined) throw error;
        await sleep(clock, delay, signal);
      }
    }
  } finally {
    unlink();
  }
}

/** One call. Leaving its loop ends it. */
async function* readStream<T>(
  { calls, clock, streams }: WatchPorts,
  { open, firstWithin }: { readonly open: Open<T>; readonly firstWithin: number },
  until: AbortSignal,
): AsyncGenerator<T, void> {
  const { signal, abort, unlink } = linkSignals(until);
  let place: StreamPlace | undefined;
  try {
    place = streams.take();
    if (place.ready !== undefined) await place.ready;
    const { heard, unavailable } = calls;
    yield* awaitFirstWord({ calls: { answerWithin: firstWithin, heard, unavailable }, clock }, open({ signal }));
  } catch (thrown) {
    throw calls.toError(thrown);
  } finally {
    // Leaving the loop would not cancel the call.
    abort();
    unlink();
    place?.leave();
  }
}
