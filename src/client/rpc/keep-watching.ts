/** What is watched is read over as many connections as that takes: one of a server that restarts is made good. */

import { awaitFirstWord } from "./first-word.ts";
import { linkSignals, unlessAborted } from "./linked-signal.ts";
import type { CallPorts } from "./ports.ts";
import { sleep } from "./retry.ts";

export type WatchPorts = Pick<CallPorts, "calls" | "clock" | "retries" | "streams" | "visibility" | "closing">;

type Open<T> = (options: { readonly signal: AbortSignal }) => AsyncIterable<T>;

interface Watch<T> {
  readonly open: Open<T>;
  readonly patience: Patience;
}

/** ms for which a watch that has brought something is resumed: a server that restarts may take as long. */
const PATIENCE = 30_000;

/**
 * Yields the messages of one call after the other, each opened by `open` as soon as the one before has failed. Leaving the loop
 * ends the call. Throws the signal's reason, an error that another call would not mend, or the last error once no call has
 * succeeded for 30 s; before the first message all calls together have the client's `answerWithin`. While its page is away
 * nothing is called, and that time does not count.
 */
export async function* keepWatching<T>(
  ports: WatchPorts,
  given: AbortSignal | undefined,
  open: Open<T>,
): AsyncGenerator<T, void> {
  const { closing, visibility } = ports;
  const { signal, unlink } = linkSignals(given, closing);
  const watch = { open, patience: createPatience(ports) };
  try {
    for (;;) {
      await visibility.untilShown(signal);
      signal.throwIfAborted();
      const visit = visibility.enter(signal);
      try {
        yield* watchUntil(ports, watch, visit.signal);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (!visit.isOver) throw error;
      } finally {
        visit.leave();
      }
    }
  } finally {
    unlink();
  }
}

/** Reads until the signal aborts, with one place among the streams for all calls, so that no other stream takes it. */
async function* watchUntil<T>(
  ports: WatchPorts,
  { open, patience }: Watch<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void> {
  const { calls, clock, streams } = ports;
  const place = streams.take();
  try {
    if (place.ready !== undefined) await unlessAborted(place.ready, signal);
    for (;;) {
      try {
        for await (const message of readStream(ports, { open, firstWithin: patience.begin() }, signal)) {
          patience.heard();
          yield message;
        }
        throw calls.unavailable("it ended the stream");
      } catch (error) {
        signal.throwIfAborted();
        const delay = patience.delayAfter(error);
        if (delay === undefined) throw error;
        await sleep(clock, delay, signal);
      }
    }
  } finally {
    place.leave();
  }
}

/** One call. Leaving its loop ends it. */
async function* readStream<T>(
  { calls, clock }: WatchPorts,
  { open, firstWithin }: { readonly open: Open<T>; readonly firstWithin: number },
  until: AbortSignal,
): AsyncGenerator<T, void> {
  const { signal, abort, unlink } = linkSignals(until);
  try {
    const { heard, unavailable } = calls;
    yield* awaitFirstWord({ calls: { answerWithin: firstWithin, heard, unavailable }, clock }, open({ signal }));
  } catch (thrown) {
    throw calls.toError(thrown);
  } finally {
    // Leaving the loop would not cancel the call.
    abort();
    unlink();
  }
}

/** How long a watch goes on after calls that fail. */
interface Patience {
  /** A call begins; returns the ms that it has for its first message. */
  begin(): number;
  heard(): void;
  /** The call has failed; returns the ms to wait before the next, undefined: give up. */
  delayAfter(error: unknown): number | undefined;
}

function createPatience({ calls, retries, visibility }: WatchPorts): Patience {
  const until = visibility.now() + calls.answerWithin;
  let attempts = 0;
  /** When the stream was lost, by `visibility.now`; `"open"`: it is not; undefined: there was none yet. */
  let lostAt: number | "open" | undefined;

  return {
    begin() {
      attempts += 1;
      return lostAt === undefined ? until - visibility.now() : calls.answerWithin;
    },
    heard() {
      attempts = 0;
      lostAt = "open";
    },
    delayAfter(error) {
      const now = visibility.now();
      if (lostAt === "open") lostAt = now;
      if (lostAt !== undefined) {
        return now - lostAt < PATIENCE ? retries.patientDelayAfter(error, Math.max(1, attempts)) : undefined;
      }
      const delay = retries.delayAfter(error, attempts);
      return delay === undefined || now + delay >= until ? undefined : delay;
    },
  };
}
