/** One call that streams, from its request to its end. */

import type { AskPorts } from "./ports.ts";
import type { HeldStream } from "./reliance.ts";
import { scheduleBound } from "./within.ts";

export interface StreamListener<E> {
  /** Must not throw. */
  hear(event: E): void;
  /** The stream has ended: with an error, by the server's will (undefined), or with what it was cut for. Called last. */
  over(error: Error | undefined): void;
}

export interface CallStream extends HeldStream {
  /** Cancels it; `over` is called with the reason before this returns, unless the stream had ended. */
  cut(reason?: Error): void;
}

/** Makes the call, which ends when `signal` aborts. */
export type StreamingCall<E> = (options: { readonly signal: AbortSignal }) => AsyncIterable<{ readonly event: E }>;

/** ms for the server to end a stream whose lease was released. */
const FINISH_WITHIN = 1000;

export interface CallStreamOptions {
  /** ms for the server to say something, after which the stream is cancelled; default: the client's `answerWithin`. */
  readonly speaksWithin?: number;
}

/** Throws a `TooManyStreamsError`, or opens the stream. */
export function openCallStream<E>(
  { calls, clock, streams }: Pick<AskPorts, "calls" | "clock" | "streams">,
  call: StreamingCall<E>,
  listener: StreamListener<E>,
  { speaksWithin = calls.answerWithin }: CallStreamOptions = {},
): CallStream {
  const place = streams.take();
  // Leaving a loop does not cancel the call in Connect; aborting its signal does.
  const controller = new AbortController();
  let isOver = false;
  const hasSpoken =
    speaksWithin === Number.POSITIVE_INFINITY
      ? () => {}
      : scheduleBound(clock, speaksWithin, () =>
          cut(calls.unavailable(`it has said nothing within ${speaksWithin} ms`)),
        );
  const ended = Promise.withResolvers<void>();

  function over(error: Error | undefined): void {
    if (isOver) return;
    isOver = true;
    hasSpoken();
    place.leave();
    ended.resolve();
    listener.over(error);
  }

  function cut(reason: Error = new Error("the stream was cancelled")): void {
    controller.abort(reason);
    over(reason);
  }

  async function listen(): Promise<void> {
    try {
      if (place.ready !== undefined) await place.ready;
      if (isOver) return;
      for await (const { event } of call({ signal: controller.signal })) {
        if (isOver) return;
        hasSpoken();
        calls.heard();
        listener.hear(event);
      }
      over(undefined);
    } catch (thrown) {
      over(calls.toError(thrown));
    }
  }

  void listen();
  return {
    cut,
    async finish() {
      const hasFinished = clock.schedule(FINISH_WITHIN, cut);
      await ended.promise;
      hasFinished();
    },
  };
}
