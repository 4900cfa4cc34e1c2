/** A call that waits for its grant on a stream, which then is what was granted. */

import { type CallStream, openCallStream, type StreamingCall } from "../rpc/call-stream.ts";
import type { Clock, Moment } from "../rpc/clock.ts";
import type { AskPorts } from "../rpc/ports.ts";
import { remainingOf } from "./validity.ts";

export interface Asking {
  /** Aborting it takes the question back, until the grant; its asker withdraws it then. */
  readonly signal: AbortSignal;
  /** Called when the server has taken the question in. */
  readonly onHeard: () => void;
}

/**
 * Opens a stream, and reads it by `read` until that has its answer. Cancels it when `read` throws, or when the signal aborts
 * before that; from the answer on it is the answer's.
 */
export async function readStream<E, A>(
  { calls, clock, streams }: Pick<AskPorts, "calls" | "clock" | "streams">,
  call: StreamingCall<E>,
  read: (stream: CallStream<E>) => Promise<A>,
  signal: AbortSignal,
): Promise<A> {
  signal.throwIfAborted();
  const place = streams.take();
  const stream = openCallStream({ calls, clock }, call, { place, speaksWithin: calls.answerWithin });
  const takeBack = () => stream.cut(signal.reason);
  signal.addEventListener("abort", takeBack);
  try {
    return await read(stream);
  } catch (error) {
    stream.cut();
    place.leave();
    throw error;
  } finally {
    signal.removeEventListener("abort", takeBack);
  }
}

/**
 * Returns whether a grant that is good for `validFor` ms may be relied on without asking again. After a long wait the request that
 * was answered proves nothing any more.
 */
export function isProven(validFor: number | undefined, sentAt: Moment, clock: Clock): boolean {
  return validFor === undefined || remainingOf({ sentAt, validFor }, clock) > 0;
}
