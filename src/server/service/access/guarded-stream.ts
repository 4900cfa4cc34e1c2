/** A stream that ends when what it waits for, or watches, is allowed no longer. */

import type { WireError } from "../../wire/error-wire.ts";
import { PassedStream } from "../passed-call.ts";
import type { ServerStream, StreamEnd } from "../rpc.ts";

export interface GuardedStreamOptions {
  /** All that are open and may have to end. */
  readonly streams: Set<GuardedStream<unknown>>;
  /** Returns why it is allowed no longer; undefined: it is. */
  readonly recheck: () => WireError | undefined;
  /** Returns what its caller hears of an error that comes before anything else. */
  readonly heard: (error: WireError) => WireError;
}

export class GuardedStream<O> extends PassedStream<O> {
  readonly #options: GuardedStreamOptions;
  #spoken = false;
  #onEnd: (how: StreamEnd) => void = () => {};

  constructor(stream: ServerStream<O>, options: GuardedStreamOptions) {
    super(stream);
    this.#options = options;
  }

  override send(message: O): boolean {
    this.#spoken = true;
    // What is held may be held on, and given back.
    if (isGrant(message)) this.#leave();
    return this.passed.send(message);
  }

  override end(): void {
    this.#leave();
    this.passed.end();
  }

  override fail(error: WireError): void {
    this.#leave();
    this.passed.fail(this.#spoken ? error : this.#options.heard(error));
  }

  override onEnd(listener: (how: StreamEnd) => void): void {
    this.#onEnd = listener;
    this.passed.onEnd((how) => {
      this.#leave();
      listener(how);
    });
  }

  /** Another list is in force: what it allows no longer ends here, and gives back what it has as after a cancel. */
  recheck(): void {
    const error = this.#options.recheck();
    if (error === undefined) return;
    this.#leave();
    this.#onEnd("cancelled");
    this.passed.fail(error);
  }

  #leave(): void {
    this.#options.streams.delete(this as GuardedStream<unknown>);
  }
}

/** Whether the message says that the stream holds something from now on. */
function isGrant(message: unknown): boolean {
  const { event } = message as { readonly event?: { readonly case?: string } };
  return event?.case === "granted" || event?.case === "pulled";
}
