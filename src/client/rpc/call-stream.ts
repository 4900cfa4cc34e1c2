/** One call that streams, from its request to its end. */

import type { CallPorts } from "./ports.ts";
import type { StreamPlace } from "./stream-budget.ts";
import { scheduleBound } from "./within.ts";

/** The stream that is the lease. */
export interface HeldStream {
  /** What it stood for was given back: waits for the server to end the stream, and cancels it if that takes too long. */
  finish(): Promise<void>;
  /** Cancels it now; its reader finds `reason`. Harmless once it has ended. */
  cut(reason?: unknown): void;
}

/**
 * What the server says on the stream, in order, to one reader. Leaving a loop over it does not cancel the call: another loop goes
 * on. A loop ends with the stream, and throws what that ended with.
 */
export interface CallStream<E> extends HeldStream, AsyncIterable<E> {
  /** Its place among the streams, which its owner leaves. */
  readonly place: StreamPlace;
}

/** Makes the call, which ends when `signal` aborts. */
export type StreamingCall<E> = (options: { readonly signal: AbortSignal }) => AsyncIterable<{ readonly event: E }>;

/** ms for the server to end a stream whose lease was released. */
const FINISH_WITHIN = 1000;

export interface CallStreamOptions {
  readonly place: StreamPlace;
  /** ms for the server to say something, after which the stream is cancelled. */
  readonly speaksWithin: number;
}

type State =
  | { readonly kind: "open" }
  | { readonly kind: "ended" }
  | { readonly kind: "failed"; readonly error: unknown };

export function openCallStream<E>(
  { calls, clock }: Pick<CallPorts, "calls" | "clock">,
  call: StreamingCall<E>,
  { place, speaksWithin }: CallStreamOptions,
): CallStream<E> {
  // Leaving a loop does not cancel the call in Connect; aborting its signal does.
  const controller = new AbortController();
  const ended = Promise.withResolvers<void>();
  /** What was said and not read yet. */
  const unread: E[] = [];
  let state: State = { kind: "open" };
  let wakeReader = () => {};
  const hasSpoken =
    speaksWithin === Number.POSITIVE_INFINITY
      ? () => {}
      : scheduleBound(clock, speaksWithin, () =>
          cut(calls.unavailable(`it has said nothing within ${speaksWithin} ms`)),
        );

  function end(next: State): void {
    if (state.kind !== "open") return;
    state = next;
    hasSpoken();
    ended.resolve();
    wakeReader();
  }

  function cut(reason: unknown = new Error("the stream was cancelled")): void {
    if (state.kind !== "open") return;
    unread.length = 0;
    controller.abort(reason);
    end({ kind: "failed", error: reason });
  }

  async function listen(): Promise<void> {
    try {
      if (place.ready !== undefined) await place.ready;
      if (controller.signal.aborted) return;
      for await (const { event } of call({ signal: controller.signal })) {
        if (controller.signal.aborted) return;
        hasSpoken();
        calls.heard();
        unread.push(event);
        wakeReader();
      }
      end({ kind: "ended" });
    } catch (thrown) {
      end({ kind: "failed", error: calls.toError(thrown) });
    }
  }

  async function next(): Promise<IteratorResult<E, undefined>> {
    while (unread.length === 0 && state.kind === "open") {
      await new Promise<void>((resolve) => {
        wakeReader = resolve;
      });
    }
    const [event] = unread.splice(0, 1);
    if (event !== undefined) return { done: false, value: event };
    if (state.kind === "failed") throw state.error;
    return { done: true, value: undefined };
  }

  void listen();
  return {
    place,
    [Symbol.asyncIterator]: () => ({ next }),
    cut,
    async finish() {
      const hasFinished = clock.schedule(FINISH_WITHIN, cut);
      await ended.promise;
      hasFinished();
    },
  };
}

/** Returns the stream with what `read` makes of each event, where it makes anything of it. */
export function mapStream<E, T>(stream: CallStream<E>, read: (event: E) => T | undefined): CallStream<T> {
  return {
    ...stream,
    async *[Symbol.asyncIterator]() {
      for await (const event of stream) {
        const item = read(event);
        if (item !== undefined) yield item;
      }
    },
  };
}
