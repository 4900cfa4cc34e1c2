/**
 * The contract as any language speaks it: from its descriptors alone, with nothing between the test and the wire but a
 * protocol's library.
 */

import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { CallFailure } from "./call-failure.ts";

export interface CallOptions {
  /** ms that the call may take; sent along, as every library does. */
  readonly timeout?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One connection to a server. Its disposal cancels what is open and closes it. */
export interface ContractClient extends AsyncDisposable {
  /** Rejects with a `CallFailure`. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options?: CallOptions,
  ): Promise<MessageShape<O>>;
  open<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options?: CallOptions,
  ): ContractStream<MessageShape<O>>;
}

export interface ContractStream<O> {
  /** The next message, whether it has come or will. Rejects if the stream ends before, with its failure if it has one. */
  next(): Promise<O>;
  /** All that has come so far. */
  readonly received: readonly O[];
  /** How the stream ended; undefined: with OK. It never rejects. */
  readonly ending: Promise<CallFailure | undefined>;
  cancel(): void;
}

/** The receiving end of a stream, for its maker. */
export interface StreamSink<O> extends ContractStream<O> {
  put(message: O): void;
  end(failure: CallFailure | undefined): void;
}

export function createStreamSink<O>(cancel: () => void): StreamSink<O> {
  const received: O[] = [];
  const takers: PromiseWithResolvers<O>[] = [];
  const { promise: ending, resolve } = Promise.withResolvers<CallFailure | undefined>();
  let taken = 0;
  let over: Error | undefined;
  return {
    received,
    ending,
    cancel,
    next() {
      const message = received[taken];
      if (message !== undefined) {
        taken += 1;
        return Promise.resolve(message);
      }
      if (over !== undefined) return Promise.reject(over);
      const taker = Promise.withResolvers<O>();
      takers.push(taker);
      return taker.promise;
    },
    put(message) {
      received.push(message);
      const taker = takers.shift();
      if (taker === undefined) return;
      taken += 1;
      taker.resolve(message);
    },
    end(failure) {
      over = failure ?? new Error("the stream has ended with OK");
      resolve(failure);
      for (const { reject } of takers.splice(0)) reject(over);
    },
  };
}
