/** One Acquire call, from its request to its end. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { ANSWER_WITHIN, type Calls } from "./calls.ts";
import type { Clock } from "./clock.ts";
import type { AcquireRequestSchema, AcquireResponse } from "./gen/ggen/backpressure/v1/admission_service_pb.ts";
import type { HeldStream } from "./holding.ts";
import type { Streams } from "./streams.ts";

export interface AcquireListener {
  /** Must not throw. */
  hear(event: AcquireResponse["event"]): void;
  /** The stream has ended: with an error, by the server's will (undefined), or with what it was cut for. Called last. */
  over(error: Error | undefined): void;
}

export interface AcquireStream extends HeldStream {
  /** Cancels it; `over` is called with the reason before this returns, unless the stream had ended. */
  cut(reason?: Error): void;
}

export interface AcquireStreamPorts {
  readonly calls: Calls;
  readonly clock: Clock;
  readonly streams: Streams;
}

/** ms for the server to end a stream whose lease was released. */
const FINISH_WITHIN = 1000;

/** Throws a `TooManyStreamsError`, or opens the stream. */
export function openAcquireStream(
  { calls, clock, streams }: AcquireStreamPorts,
  request: MessageInitShape<typeof AcquireRequestSchema>,
  listener: AcquireListener,
): AcquireStream {
  const leave = streams.take();
  // Leaving a loop does not cancel the call in Connect; aborting its signal does.
  const controller = new AbortController();
  let isOver = false;
  const hasSpoken = clock.schedule(ANSWER_WITHIN, () => {
    cut(calls.toError(`it said nothing within ${ANSWER_WITHIN} ms`));
  });
  const ended = Promise.withResolvers<void>();

  function over(error: Error | undefined): void {
    if (isOver) return;
    isOver = true;
    hasSpoken();
    leave();
    ended.resolve();
    listener.over(error);
  }

  function cut(reason: Error = new Error("the stream was cancelled")): void {
    controller.abort(reason);
    over(reason);
  }

  async function listen(): Promise<void> {
    try {
      for await (const { event } of calls.admission.acquire(request, { signal: controller.signal })) {
        if (isOver) return;
        hasSpoken();
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
