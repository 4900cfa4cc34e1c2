/** A stream whose call is sampled: the same one, whose end its span hears of. */

import { Code, type WireError } from "../wire/error-wire.ts";
import { PassedStream } from "./passed-call.ts";
import type { BidiStream, ServerStream, StreamEnd } from "./rpc.ts";
import type { Outcome } from "./rpc-span.ts";

export class TracedStream<I, O>
  extends PassedStream<O, ServerStream<O> | BidiStream<I, O>>
  implements BidiStream<I, O>
{
  readonly #onOver: (outcome: Outcome) => void;
  #isOver = false;

  constructor(stream: ServerStream<O> | BidiStream<I, O>, onOver: (outcome: Outcome) => void) {
    super(stream);
    this.#onOver = onOver;
    // A service that does not listen has a span all the same.
    stream.onEnd(() => this.over({ code: Code.Canceled }));
  }

  override end(): void {
    this.over({});
    this.passed.end();
  }

  override fail(error: WireError): void {
    this.over({ error });
    this.passed.fail(error);
  }

  override onEnd(listener: (how: StreamEnd) => void): void {
    this.passed.onEnd((how) => {
      this.over({ code: Code.Canceled });
      listener(how);
    });
  }

  onMessage(listener: (message: I) => void): void {
    (this.passed as BidiStream<I, O>).onMessage(listener);
  }

  onHalfClose(listener: () => void): void {
    (this.passed as BidiStream<I, O>).onHalfClose(listener);
  }

  pause(): void {
    (this.passed as BidiStream<I, O>).pause();
  }

  resume(): void {
    (this.passed as BidiStream<I, O>).resume();
  }

  /** Its span ends, once. */
  over(outcome: Outcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver(outcome);
  }
}
